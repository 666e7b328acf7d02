//! Signs tokens for development.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use messenger_core::{Timestamp, UserId};
use messenger_http::jwt::Keys;
use serde_json::json;

use super::claims::ClaimArguments;

/// A key that can sign tokens.
pub(super) struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    /// Reads a secret, or a private key in PEM (PKCS #8).
    pub(super) fn read(text: &[u8]) -> Result<Self> {
        let text = text.trim_ascii();
        match text {
            [b'{', ..] => {
                bail!("tokens are signed with a secret or a private key in PEM, not a JWK")
            }
            [b'-', b'-', b'-', b'-', b'-', ..] => Self::from_pem(text),
            _ => Self::from_secret(text),
        }
    }

    /// Reads a secret that the server accepts.
    fn from_secret(secret: &[u8]) -> Result<Self> {
        Keys::from_secret(secret)?;
        Ok(Self {
            algorithm: Algorithm::HS256,
            key: EncodingKey::from_secret(secret),
        })
    }

    fn from_pem(pem: &[u8]) -> Result<Self> {
        let keys = [
            (Algorithm::EdDSA, EncodingKey::from_ed_pem(pem)),
            (Algorithm::ES256, EncodingKey::from_ec_pem(pem)),
            (Algorithm::RS256, EncodingKey::from_rsa_pem(pem)),
        ];
        let is_private = pem.windows(11).any(|text| text == b"PRIVATE KEY");
        keys.into_iter()
            .find_map(|(algorithm, key)| Some((algorithm, key.ok()?)))
            .filter(|_| is_private)
            .map(|(algorithm, key)| Self { algorithm, key })
            .context(
                "it is not a private key in PKCS #8: openssl pkcs8 -topk8 -nocrypt converts others",
            )
    }

    /// Returns a token for this user.
    pub(super) fn token(
        &self,
        user: &UserId,
        lifetime: Duration,
        claims: &ClaimArguments,
    ) -> Result<String> {
        let now = Timestamp::now();
        let seconds = |time: Timestamp| time.as_millis() / 1000;
        let mut body = json!({
            "sub": user,
            "iat": seconds(now),
            "exp": seconds(now.saturating_add(lifetime)),
        });
        if let Some(issuer) = &claims.issuer {
            body["iss"] = json!(issuer);
        }
        if let Some(audience) = &claims.audience {
            body["aud"] = json!(audience);
        }
        let header = Header::new(self.algorithm);
        jsonwebtoken::encode(&header, &body, &self.key).context("cannot sign the token")
    }
}
