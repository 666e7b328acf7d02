//! JWT bearer tokens: the keys, tokens and claims that the tests use.

mod keys;
mod over_http;
mod sources;
mod tokens;

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::Request;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use messenger_core::Timestamp;
use messenger_http::jwt::{Accepted, JwtAuthentication, KeySource, Keys};
use messenger_http::{Authenticate as _, AuthenticationError, Identity};
use serde_json::{Value, json};

/// A key that signs tokens.
struct SigningKey {
    algorithm: Algorithm,
    key: EncodingKey,
    /// The public key, as the DER in a PEM file.
    public: Vec<u8>,
}

impl SigningKey {
    fn pem(&self) -> String {
        let text = BASE64_STANDARD.encode(&self.public);
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// The public key, or the secret, as a JWK whose id is the name of the algorithm.
    fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.name());
        jwk["use"] = json!("sig");
        jwk
    }

    fn name(&self) -> String {
        format!("{:?}", self.algorithm)
    }

    fn header(&self) -> Value {
        json!({"alg": self.name(), "typ": "JWT", "kid": self.name()})
    }

    /// A token with any header and claims, signed with this key.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let [header, claims] = [header, claims].map(encoded);
        let signed = format!("{header}.{claims}");
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, self.algorithm);
        format!("{signed}.{}", signature.unwrap())
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }
}

fn encoded(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}

const SECRET: &[u8] = b"a secret of exactly 32 bytes....";

static HS256: LazyLock<SigningKey> = LazyLock::new(|| SigningKey {
    algorithm: Algorithm::HS256,
    key: EncodingKey::from_secret(SECRET),
    public: Vec::new(),
});

static EDDSA: LazyLock<SigningKey> = LazyLock::new(|| {
    let private = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    SigningKey {
        algorithm: Algorithm::EdDSA,
        key: EncodingKey::from_ed_der(private.as_ref()),
        public: public.as_ref().to_vec(),
    }
});

static ES256: LazyLock<SigningKey> = LazyLock::new(|| {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let private = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref()).unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    SigningKey {
        algorithm: Algorithm::ES256,
        key: EncodingKey::from_ec_der(private.as_ref()),
        public: public.as_ref().to_vec(),
    }
});

static RS256: LazyLock<SigningKey> = LazyLock::new(|| rsa(KeySize::Rsa2048));

fn rsa(size: KeySize) -> SigningKey {
    let pair = RsaKeyPair::generate(size).unwrap();
    let private: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let text = BASE64_STANDARD.encode(private.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    SigningKey {
        algorithm: Algorithm::RS256,
        key: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
        public: public.as_ref().to_vec(),
    }
}

fn signing_keys() -> [&'static SigningKey; 4] {
    [&HS256, &EDDSA, &ES256, &RS256]
}

/// One key of each kind.
fn keys() -> Keys {
    let keys = signing_keys().map(SigningKey::jwk);
    Keys::from_jwks(&json!({"keys": keys}).to_string()).unwrap()
}

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "messenger";

fn authentication_with(keys: impl KeySource + 'static) -> JwtAuthentication {
    JwtAuthentication::new(keys, Accepted::only(ISSUER), Accepted::only(AUDIENCE))
}

fn authentication() -> JwtAuthentication {
    authentication_with(keys())
}

fn now() -> u64 {
    Timestamp::now().as_millis() / 1000
}

/// Claims that are accepted.
fn claims() -> Value {
    json!({"sub": "alice", "iss": ISSUER, "aud": AUDIENCE, "exp": now() + 600})
}

/// Claims that are accepted, but for one that is different.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// A header that is accepted, but for one member that is different.
fn header_with(key: &SigningKey, name: &str, value: Value) -> Value {
    let mut header = key.header();
    header[name] = value;
    header
}

async fn ask(
    authentication: &JwtAuthentication,
    token: &str,
) -> Result<Identity, AuthenticationError> {
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    authentication.authenticate(&parts).await
}

#[track_caller]
fn assert_refused(name: &str, answer: Result<Identity, AuthenticationError>, reason: &str) {
    match answer {
        Err(AuthenticationError::Invalid(text)) => {
            assert!(text.contains(reason), "{name}: {text}");
        }
        other => panic!("{name}: {other:?}"),
    }
}
