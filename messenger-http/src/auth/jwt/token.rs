//! Tokens before they are verified.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::auth::{AuthenticationError, invalid};

/// The parts of a token. Nothing in it can be relied on before its signature is verified.
#[derive(Debug)]
pub(super) struct Token<'a> {
    text: &'a str,
    /// The bytes that are signed: header and payload, as they were sent.
    signed: &'a [u8],
    payload: &'a str,
    signature: Vec<u8>,
    algorithm: Option<Algorithm>,
    kid: Option<String>,
}

impl<'a> Token<'a> {
    /// Takes a token apart, and refuses headers that are never accepted.
    pub(super) fn parse(text: &'a str) -> Result<Self, AuthenticationError> {
        let not_three = || invalid("The token is not a JWT: it must have three parts");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(not_three)?;
        let (header, payload) = signed.split_once('.').ok_or_else(not_three)?;
        if payload.contains('.') {
            return Err(not_three());
        }
        let mut header = object(header)
            .ok_or_else(|| invalid("The header of the token is not JSON in base64url"))?;
        if OWN_KEY.iter().any(|name| header.contains_key(*name)) {
            return Err(invalid("The token brings a key of its own"));
        }
        if header.contains_key("crit") {
            return Err(invalid("The token demands an extension (crit)"));
        }
        if header.get("typ").is_some_and(|typ| !is_accepted_type(typ)) {
            return Err(invalid("The typ of the token must be JWT or at+jwt"));
        }
        let algorithm = match header.remove("alg") {
            Some(Value::String(algorithm)) => algorithm.parse().ok(),
            _ => return Err(invalid("The token names no algorithm")),
        };
        let kid = match header.remove("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid),
            Some(_) => return Err(invalid("The kid of the token must be a string")),
        };
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
        Ok(Self {
            text,
            signed: signed.as_bytes(),
            payload,
            signature: signature
                .map_err(|_| invalid("The signature of the token is not base64url"))?,
            algorithm,
            kid,
        })
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn signed(&self) -> &'a [u8] {
        self.signed
    }

    pub(super) fn signature(&self) -> &Vec<u8> {
        &self.signature
    }

    /// Returns the algorithm that the token claims to be signed with, if there is one of this name.
    /// `none` is none.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Returns the id of the key that the token claims to be signed with.
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the claims. It must not be called before the signature is verified.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, AuthenticationError> {
        object(self.payload)
            .ok_or_else(|| invalid("The claims of the token are not JSON in base64url"))
    }
}

/// The headers with which a token brings a key, or says where one is.
const OWN_KEY: [&str; 4] = ["jwk", "jku", "x5c", "x5u"];

/// A token of another kind, such as `logout+jwt`, must not pass as one for access (RFC 8725, 3.11).
fn is_accepted_type(typ: &Value) -> bool {
    let typ = typ.as_str().unwrap_or_default().to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    matches!(typ, "jwt" | "at+jwt")
}

fn object(base64url: &str) -> Option<Map<String, Value>> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(base64url).ok()?;
    serde_json::from_slice(&json).ok()
}
