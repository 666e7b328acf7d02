//! Keys that sign tokens.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER as CRYPTO;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::Value;

use super::claims::Claims;
use super::token::Token;
use crate::auth::{AuthenticationError, invalid};

/// An immutable set of keys that sign tokens, and the tokens that were verified with them. Clones
/// share both.
///
/// Each key has one algorithm, by its kind:
///
/// | key | algorithm | from |
/// | --- | --- | --- |
/// | secret of at least 32 bytes | HS256 | bytes, JWK |
/// | public key on Ed25519 | EdDSA | PEM, JWK |
/// | public key on P-256 | ES256 | PEM, JWK |
/// | public RSA key of 2048 to 8192 bits | RS256 | PEM, JWK |
///
/// Private keys are refused: a service that only verifies tokens must not be able to sign them.
///
/// A token that names a key (`kid`) is verified with that one, and with those that have no id. A
/// token that names none is verified with each key of its algorithm.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

/// Two sets are equal if they have the same keys in the same order.
impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.0.keys == other.0.keys
    }
}

impl Eq for Keys {}

struct Inner {
    keys: Vec<Key>,
    verified: Cache<Box<str>, Arc<Claims>, ByLength>,
}

struct Key {
    algorithm: Algorithm,
    kid: Option<String>,
    key: DecodingKey,
}

impl Keys {
    /// Reads keys in any of the formats: PEM if the text begins with `-----BEGIN`, a JWK or a set of
    /// them if it begins with `{`, and otherwise a secret, which does not include white space at its
    /// ends.
    ///
    /// # Errors
    ///
    /// If there is no key, or one that is not accepted.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKeys> {
        let text = text.trim_ascii();
        match str::from_utf8(text) {
            Ok(pem) if pem.starts_with(PEM_BEGIN) => Self::from_pem(pem),
            Ok(json) if json.starts_with('{') => Self::from_jwks(json),
            _ => Self::from_secret(text),
        }
    }

    /// Creates a set of one secret.
    ///
    /// # Errors
    ///
    /// If it is shorter than 32 bytes.
    pub fn from_secret(secret: &[u8]) -> Result<Self, InvalidKeys> {
        Self::new(vec![Key::new(
            Algorithm::HS256,
            None,
            DecodingKey::from_secret(secret),
        )?])
    }

    /// Reads public keys in PEM, one or several.
    ///
    /// # Errors
    ///
    /// If there is no key, or one that is not accepted.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKeys> {
        let blocks = pem.split(PEM_BEGIN).skip(1);
        let keys: Result<_, _> = blocks.map(Key::from_pem).collect();
        Self::new(keys?)
    }

    /// Reads a JWK, or a set of them (JWKS).
    ///
    /// As RFC 7517 demands, keys of a set that are of other kinds, or for other purposes than
    /// signatures, are left out.
    ///
    /// # Errors
    ///
    /// If it is neither, if there is no key that can be used, if a key is private or malformed, or
    /// if a secret is too short.
    pub fn from_jwks(json: &str) -> Result<Self, InvalidKeys> {
        let mut json: Value = serde_json::from_str(json)
            .map_err(|_| InvalidKeys("the keys are not valid JSON".into()))?;
        match json.get_mut("keys").map(Value::take) {
            None => Self::new(vec![Key::from_jwk(json)?.ok_or(InvalidKeys(
                "the JWK is not of a kind that is accepted: HS256, EdDSA (Ed25519), ES256 (P-256), \
                 RS256"
                    .into(),
            ))?]),
            Some(Value::Array(keys)) => {
                let keys: Result<Vec<_>, _> = keys.into_iter().map(Key::from_jwk).collect();
                Self::new(keys?.into_iter().flatten().collect())
            }
            Some(_) => Err(InvalidKeys("keys must be an array of JWKs".into())),
        }
    }

    fn new(keys: Vec<Key>) -> Result<Self, InvalidKeys> {
        if keys.is_empty() {
            return Err(InvalidKeys("there is no key that can be used".into()));
        }
        if keys.len() > MAX_KEYS {
            return Err(InvalidKeys(
                format!("there are more than {MAX_KEYS} keys").into(),
            ));
        }
        Ok(Self(Arc::new(Inner {
            keys,
            verified: Cache::with_weighter(CACHED_TOKENS, CACHED_BYTES, ByLength),
        })))
    }

    /// Returns whether one of the keys is a secret, which must not be published.
    pub fn has_secret(&self) -> bool {
        let mut keys = self.0.keys.iter();
        keys.any(|key| key.algorithm == Algorithm::HS256)
    }

    /// Returns the claims of a token that was verified before.
    pub(super) fn verified(&self, token: &str) -> Option<Arc<Claims>> {
        self.0.verified.get(token)
    }

    /// Returns whether there is a key that the token may be signed with, by what it says itself.
    pub(super) fn may_have_signed(&self, token: &Token<'_>) -> bool {
        self.candidates(token).next().is_some()
    }

    /// Verifies the signature of a token, and returns its claims.
    pub(super) fn verify(&self, token: &Token<'_>) -> Result<Arc<Claims>, AuthenticationError> {
        if !self.may_have_signed(token) {
            return Err(invalid(
                "There is no key with the algorithm and kid of the token",
            ));
        }
        if !self.candidates(token).any(|key| key.has_signed(token)) {
            return Err(invalid("The signature of the token is not valid"));
        }
        let claims = Arc::new(Claims::read(token.claims()?)?);
        let text = Box::from(token.text());
        self.0.verified.insert(text, Arc::clone(&claims));
        Ok(claims)
    }

    fn candidates<'a>(&'a self, token: &'a Token<'_>) -> impl Iterator<Item = &'a Key> {
        self.0.keys.iter().filter(|key| {
            let is_named = match (&key.kid, token.kid()) {
                (Some(kid), Some(named)) => kid == named,
                _ => true,
            };
            is_named && token.algorithm() == Some(key.algorithm)
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0.keys).finish()
    }
}

/// The greatest number of keys: a token may be verified with each.
const MAX_KEYS: usize = 64;

/// The number of verified tokens that is expected.
const CACHED_TOKENS: usize = 10_000;

/// The memory that verified tokens may take, in bytes.
const CACHED_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Clone, Debug)]
struct ByLength;

impl Weighter<Box<str>, Arc<Claims>> for ByLength {
    /// The claims are a part of the token.
    fn weight(&self, token: &Box<str>, _: &Arc<Claims>) -> u64 {
        const BESIDES_TEXT: u64 = 256;
        2 * token.len() as u64 + BESIDES_TEXT
    }
}

impl Key {
    fn new(
        algorithm: Algorithm,
        kid: Option<String>,
        key: DecodingKey,
    ) -> Result<Self, InvalidKeys> {
        check(algorithm, &key)?;
        Ok(Self {
            algorithm,
            kid,
            key,
        })
    }

    /// Reads what follows `-----BEGIN `.
    fn from_pem(block: &str) -> Result<Self, InvalidKeys> {
        let label = block.split("-----").next().unwrap_or_default();
        if label.ends_with("PRIVATE KEY") {
            return Err(private());
        }
        let pem = format!("{PEM_BEGIN}{block}");
        let pem = pem.as_bytes();
        let key = match label {
            "RSA PUBLIC KEY" => DecodingKey::from_rsa_pem(pem),
            // A certificate would be read as well, but not checked.
            "PUBLIC KEY" => DecodingKey::from_ed_pem(pem)
                .or_else(|_| DecodingKey::from_ec_pem(pem))
                .or_else(|_| DecodingKey::from_rsa_pem(pem)),
            _ => {
                return Err(InvalidKeys(
                    "the PEM is not a public key: it must begin with -----BEGIN PUBLIC KEY-----"
                        .into(),
                ));
            }
        };
        let key = key.map_err(|_| InvalidKeys("the PEM is not a valid public key".into()))?;
        let algorithm = match key.family() {
            AlgorithmFamily::Ed => Algorithm::EdDSA,
            AlgorithmFamily::Ec => Algorithm::ES256,
            _ => Algorithm::RS256,
        };
        Self::new(algorithm, None, key)
    }

    /// Returns `None` if the key is of another kind, or for another purpose.
    fn from_jwk(json: Value) -> Result<Option<Self>, InvalidKeys> {
        let is_private = json.get("d").is_some();
        let Ok(jwk) = serde_json::from_value::<Jwk>(json) else {
            return Err(InvalidKeys("a key is not a valid JWK".into()));
        };
        let (algorithm, named) = match &jwk.algorithm {
            AlgorithmParameters::OctetKey(_) => (Algorithm::HS256, KeyAlgorithm::HS256),
            _ if is_private => return Err(private()),
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256)
            }
            AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
            _ => return Ok(None),
        };
        let common = &jwk.common;
        let is_for_it = common.key_algorithm.is_none_or(|it| it == named)
            && (common.public_key_use.as_ref()).is_none_or(|it| *it == PublicKeyUse::Signature)
            && (common.key_operations.as_ref())
                .is_none_or(|it| it.contains(&KeyOperations::Verify));
        if !is_for_it {
            return Ok(None);
        }
        let key = DecodingKey::from_jwk(&jwk)
            .map_err(|_| InvalidKeys("a key is not a valid JWK".into()))?;
        Self::new(algorithm, jwk.common.key_id, key).map(Some)
    }

    /// Verifies the signature of a token with the algorithm of the key.
    ///
    /// The provider is asked directly. `jsonwebtoken::decode` would ask the one of the process, which
    /// panics if another crate has enabled another provider too.
    fn has_signed(&self, token: &Token<'_>) -> bool {
        let verifier = (CRYPTO.verifier_factory)(&self.algorithm, &self.key);
        verifier.is_ok_and(|verifier| verifier.verify(token.signed(), token.signature()).is_ok())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        use DecodingKeyKind::{RsaModulusExponent as Rsa, SecretOrDer};
        let is_same = match (self.key.kind(), other.key.kind()) {
            (SecretOrDer(key), SecretOrDer(other)) => key == other,
            (
                Rsa { n, e },
                Rsa {
                    n: other_n,
                    e: other_e,
                },
            ) => n == other_n && e == other_e,
            _ => false,
        };
        is_same && self.algorithm == other.algorithm && self.kid == other.kid
    }
}

impl fmt::Debug for Key {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Checks that a key is one for this algorithm, and strong enough.
fn check(algorithm: Algorithm, key: &DecodingKey) -> Result<(), InvalidKeys> {
    let len = key.try_get_as_bytes().map_or(0, <[u8]>::len);
    let problem = match algorithm {
        Algorithm::HS256 if len < MIN_SECRET_LEN => format!(
            "a secret must have at least {MIN_SECRET_LEN} bytes: openssl rand -hex {MIN_SECRET_LEN} \
             prints one"
        )
        .into(),
        Algorithm::EdDSA if len != ED25519_LEN => "a key is not one on Ed25519".into(),
        Algorithm::ES256 if len != P256_LEN => "a key is not one on P-256".into(),
        Algorithm::RS256 if !rsa_bits(key).is_some_and(|bits| RSA_BITS.contains(&bits)) => format!(
            "an RSA key must have {} to {} bits",
            RSA_BITS.start(),
            RSA_BITS.end()
        )
        .into(),
        _ => return Ok(()),
    };
    Err(InvalidKeys(problem))
}

/// The length of the shortest secret, in bytes (RFC 7518, section 3.2).
const MIN_SECRET_LEN: usize = 32;

const ED25519_LEN: usize = 32;

/// The length of an uncompressed point.
const P256_LEN: usize = 65;

/// The lengths of RSA keys, of RFC 7518, section 3.3, up to what can be verified.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

const PEM_BEGIN: &str = "-----BEGIN ";

/// Returns the length of the modulus.
fn rsa_bits(key: &DecodingKey) -> Option<usize> {
    let modulus = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, .. } => Cow::Borrowed(n),
        DecodingKeyKind::SecretOrDer(der) => {
            let components = (CRYPTO.key_utils.rsa_pub_components_from_public_key)(der);
            Cow::Owned(components.ok()?.0)
        }
    };
    let leading = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(leading)?;
    Some((modulus.len() - leading) * 8 - first.leading_zeros() as usize)
}

fn private() -> InvalidKeys {
    InvalidKeys(
        "a key is private; only its public part is needed: openssl pkey -in FILE -pubout prints it"
            .into(),
    )
}

/// The reason why keys were not accepted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKeys(Cow<'static, str>);
