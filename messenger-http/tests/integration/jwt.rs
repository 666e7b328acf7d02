//! JWT bearer tokens: those that are accepted, and attacks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
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
use messenger_core::{Timestamp, UserId};
use messenger_http::jwt::{Accepted, JwtAuthentication, KeySource, Keys, KeysUnavailable};
use messenger_http::{Access, Authenticate as _, AuthenticationError, Identity, ServerConfig};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::client::{Client, conversation_of};
use crate::raw::{connect, read_until};
use crate::server::{Server, configs};
use crate::{messenger, run, user};

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

#[test]
fn tokens_of_all_kinds_of_keys_are_accepted() {
    run(async {
        let authentication = authentication();
        for key in signing_keys() {
            let token = key.token(&claims());
            // The second time it comes from the cache.
            for _ in 0..2 {
                let identity = ask(&authentication, &token).await.unwrap();
                assert_eq!(*identity.user(), UserId::new("alice").unwrap());
            }
        }
    });
}

#[test]
fn keys_are_read_from_all_formats() {
    run(async {
        for key in signing_keys() {
            let mut formats = vec![key.jwk().to_string()];
            match key.algorithm {
                Algorithm::HS256 => formats.push("a secret of exactly 32 bytes....\n".to_owned()),
                _ => {
                    formats.push(key.pem());
                    formats.push(ES256.pem() + "\n" + &key.pem());
                }
            }
            for format in formats {
                let keys = Keys::parse(format.as_bytes()).unwrap();
                let token = key.token(&claims());
                let answer = ask(&authentication_with(keys), &token).await;
                assert!(answer.is_ok(), "{format}: {answer:?}");
            }
        }
    });
}

#[test]
fn weak_private_and_unusable_keys_are_refused() {
    let private = |key: &SigningKey| {
        let mut jwk = key.jwk();
        jwk["d"] = json!("AQAB");
        jwk.to_string()
    };
    let with = |key: &SigningKey, name: &str, value: &str| {
        let mut jwk = key.jwk();
        jwk[name] = json!(value);
        json!({"keys": [jwk]}).to_string()
    };
    let weak = json!({"kty": "RSA", "n": BASE64_URL_SAFE_NO_PAD.encode([0xff; 255]), "e": "AQAB"});
    let many = json!({"keys": vec![ES256.jwk(); 65]});
    for (text, reason) in [
        (String::new(), "at least 32 bytes"),
        (
            "a secret of only 31 bytes......".to_owned(),
            "at least 32 bytes",
        ),
        (
            json!({"kty": "oct", "k": "c2hvcnQ"}).to_string(),
            "at least 32 bytes",
        ),
        (weak.to_string(), "2048"),
        (private(&EDDSA), "private"),
        (private(&ES256), "private"),
        (private(&RS256), "private"),
        (
            "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----".to_owned(),
            "private",
        ),
        (
            "-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----".to_owned(),
            "private",
        ),
        (
            RS256.pem().replace("PUBLIC KEY", "CERTIFICATE"),
            "not a public key",
        ),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----".to_owned(),
            "not a valid",
        ),
        ("{".to_owned(), "JSON"),
        ("{}".to_owned(), "JWK"),
        (json!({"keys": []}).to_string(), "no key"),
        (json!({"keys": 1}).to_string(), "array"),
        (many.to_string(), "64"),
        (with(&RS256, "alg", "RS512"), "no key"),
        (with(&ES256, "alg", "HS256"), "no key"),
        (with(&ES256, "use", "enc"), "no key"),
        (with(&ES256, "crv", "P-384"), "no key"),
        (with(&ES256, "x", "AQAB"), "P-256"),
        (with(&EDDSA, "x", "AQAB"), "Ed25519"),
    ] {
        let error = Keys::parse(text.as_bytes()).expect_err(&text);
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
    // In a set, keys for other purposes are left out.
    let mut other = RS256.jwk();
    other["use"] = json!("enc");
    let set = json!({"keys": [other, {"kty": "new"}, ES256.jwk()]});
    let keys = Keys::from_jwks(&set.to_string()).unwrap();
    let text = format!("{keys:?}");
    assert_eq!(
        text,
        r#"[Key { algorithm: ES256, kid: Some("ES256"), .. }]"#
    );
}

#[test]
fn nothing_that_is_logged_has_a_secret() {
    let keys = Keys::from_secret(SECRET).unwrap();
    let text = format!("{:?}", authentication_with(keys));
    assert!(
        !text.contains("secret of") && !text.contains("[97, 32"),
        "{text}"
    );
}

#[test]
fn the_algorithm_belongs_to_the_key() {
    run(async {
        let authentication = authentication();
        let none = |name: &str| {
            let header = json!({"alg": name});
            format!("{}.{}.", encoded(&header), encoded(&claims()))
        };
        for name in ["none", "None", "NONE", "nOnE", "", "HS256 ", "hs256"] {
            assert_refused(name, ask(&authentication, &none(name)).await, "no key");
        }
        let missing = format!("{}.{}.", encoded(&json!({})), encoded(&claims()));
        assert_refused(
            "no alg",
            ask(&authentication, &missing).await,
            "no algorithm",
        );

        // The public key as a secret, in each form that an attacker may have it in.
        for public in [&EDDSA, &ES256, &RS256] {
            let n = public.jwk()["n"].as_str().unwrap_or_default().to_owned();
            for secret in [
                public.pem().into_bytes(),
                public.public.clone(),
                n.into_bytes(),
            ] {
                let forged = SigningKey {
                    algorithm: Algorithm::HS256,
                    key: EncodingKey::from_secret(&secret),
                    public: Vec::new(),
                };
                let header = json!({"alg": "HS256", "kid": public.name()});
                for header in [header, json!({"alg": "HS256"})] {
                    let token = forged.sign(&header, &claims());
                    let only = Keys::from_pem(&public.pem()).unwrap();
                    let answer = ask(&authentication_with(only), &token).await;
                    assert_refused("HS256 with a public key", answer, "no key");
                    let answer = ask(&authentication, &token).await;
                    assert!(answer.is_err(), "{answer:?}");
                }
            }
        }

        // A key with an algorithm that is not its own.
        for (key, algorithm) in [
            (&RS256, "ES256"),
            (&RS256, "PS256"),
            (&RS256, "RS512"),
            (&ES256, "RS256"),
            (&EDDSA, "ES256"),
            (&HS256, "HS512"),
        ] {
            let token = key.sign(&header_with(key, "alg", json!(algorithm)), &claims());
            assert_refused(algorithm, ask(&authentication, &token).await, "no key");
        }
        let resigned = SigningKey {
            algorithm: Algorithm::RS512,
            key: RS256.key.clone(),
            public: Vec::new(),
        };
        let token = resigned.sign(&RS256.header(), &claims());
        let answer = ask(&authentication, &token).await;
        assert_refused("RS512 as RS256", answer, "signature");
    });
}

#[test]
fn a_key_id_only_finds_a_key_that_is_there() {
    run(async {
        let authentication = authentication();
        let without = json!({"alg": "EdDSA"});
        assert!(
            ask(&authentication, &EDDSA.sign(&without, &claims()))
                .await
                .is_ok()
        );
        let other = SigningKey {
            algorithm: Algorithm::HS256,
            key: EncodingKey::from_secret(&[7; 32]),
            public: Vec::new(),
        };
        for header in [json!({"alg": "HS256"}), HS256.header()] {
            let token = other.sign(&header, &claims());
            assert_refused(
                "another key",
                ask(&authentication, &token).await,
                "signature",
            );
        }
        for kid in [
            "unknown",
            "../../../../dev/null",
            "/dev/null",
            "' OR 1=1",
            "",
        ] {
            let token = HS256.sign(&header_with(&HS256, "kid", json!(kid)), &claims());
            assert_refused(kid, ask(&authentication, &token).await, "no key");
        }
        for kid in [json!(1), json!(["HS256"]), Value::Null] {
            let token = HS256.sign(&header_with(&HS256, "kid", kid), &claims());
            assert_refused("kid", ask(&authentication, &token).await, "kid");
        }
    });
}

#[test]
fn headers_that_bring_keys_or_demand_something_are_refused() {
    run(async {
        let authentication = authentication();
        for (name, value, reason) in [
            ("jwk", HS256.jwk(), "key of its own"),
            (
                "jku",
                json!("https://evil.example/jwks.json"),
                "key of its own",
            ),
            (
                "x5u",
                json!("https://evil.example/cert.pem"),
                "key of its own",
            ),
            ("x5c", json!(["AAAA"]), "key of its own"),
            ("crit", json!(["b64"]), "crit"),
            ("crit", json!(["exp"]), "crit"),
            ("crit", json!([]), "crit"),
            ("crit", Value::Null, "crit"),
            ("typ", json!("logout+jwt"), "typ"),
            ("typ", json!(1), "typ"),
        ] {
            let token = HS256.sign(&header_with(&HS256, name, value), &claims());
            assert_refused(name, ask(&authentication, &token).await, reason);
        }
        for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
            let token = HS256.sign(&header_with(&HS256, "typ", json!(typ)), &claims());
            assert!(ask(&authentication, &token).await.is_ok(), "{typ}");
        }
    });
}

#[test]
fn claims_that_are_not_as_they_must_be_are_refused() {
    run(async {
        let authentication = authentication();
        for (claims, reason) in [
            (claims_without("exp"), "no exp"),
            (
                claims_with("exp", json!((now() + 600).to_string())),
                "no exp",
            ),
            (claims_with("exp", Value::Null), "no exp"),
            (claims_with("exp", json!(-1)), "no exp"),
            (claims_with("exp", json!(0)), "expired"),
            (claims_with("exp", json!(now() - 62)), "expired"),
            (
                claims_with("exp", json!((now() + 600) * 1000)),
                "in seconds",
            ),
            (
                claims_with("exp", json!(now() + 11 * 365 * 86_400)),
                "in seconds",
            ),
            (claims_with("exp", json!(u64::MAX)), "in seconds"),
            (claims_with("exp", json!(1e300)), "in seconds"),
            (claims_with("nbf", json!(now() + 65)), "nbf"),
            (claims_with("nbf", json!((now() - 9).to_string())), "nbf"),
            (claims_without("aud"), "aud"),
            (claims_with("aud", json!(["another", "a third"])), "aud"),
            (claims_with("aud", json!([])), "aud"),
            (claims_with("aud", json!("messenger2")), "aud"),
            (claims_with("aud", json!([AUDIENCE, 1])), "aud"),
            (claims_with("aud", json!({"messenger": true})), "aud"),
            (claims_without("iss"), "iss"),
            (
                claims_with("iss", json!("https://id.example.evil.example")),
                "iss",
            ),
            (claims_with("iss", json!("https://id.exampl")), "iss"),
            (claims_with("iss", json!("https://id.example/")), "iss"),
            (claims_with("iss", json!([ISSUER])), "iss"),
            (claims_without("sub"), "sub"),
            (claims_with("sub", json!("")), "sub"),
            (claims_with("sub", json!("a".repeat(129))), "sub"),
            (claims_with("sub", json!(7)), "sub"),
            (claims_with("sub", json!("..")), "sub"),
            (claims_with("sub", json!("al ice")), "sub"),
            (json!([]), "claims"),
            (json!("alice"), "claims"),
        ] {
            let token = EDDSA.token(&claims);
            let name = claims.to_string();
            // Refused again if something about the token was cached.
            for _ in 0..2 {
                assert_refused(&name, ask(&authentication, &token).await, reason);
            }
        }
        for claims in [
            claims_with("exp", json!(now() - 50)),
            claims_with("exp", json!(now() as f64 + 0.5)),
            claims_with("nbf", json!(now() + 50)),
            claims_with("aud", json!(["another", AUDIENCE])),
            claims_with("sub", json!("a".repeat(128))),
            claims_with("iat", json!("ignored")),
        ] {
            let answer = ask(&authentication, &EDDSA.token(&claims)).await;
            assert!(answer.is_ok(), "{claims}: {answer:?}");
        }
    });
}

#[test]
fn what_is_not_a_signed_token_is_refused() {
    run(async {
        let authentication = authentication();
        let token = HS256.token(&claims());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let of_bob = encoded(&claims_with("sub", json!("bob")));
        for (token, reason) in [
            (String::new(), "three parts"),
            ("x".to_owned(), "three parts"),
            (signed.to_owned(), "three parts"),
            (format!("{token}.x"), "three parts"),
            (format!("{token}.x.y"), "three parts"),
            (format!("{signed}."), "signature"),
            (
                format!("{signed}.{}", &signature[..signature.len() - 4]),
                "signature",
            ),
            (format!("{signed}.{signature}AAAA"), "signature"),
            (format!("{signed}.{signature}="), "base64url"),
            (format!("{header}.{of_bob}.{signature}"), "signature"),
            (format!("{header}=.{payload}.{signature}"), "header"),
            (format!("!.{payload}.{signature}"), "header"),
            (
                format!("{}.{payload}.{signature}", encoded(&json!([]))),
                "header",
            ),
        ] {
            assert_refused(&token, ask(&authentication, &token).await, reason);
        }
        let long = HS256.token(&claims_with("more", json!("x".repeat(9 * 1024))));
        assert_refused("9 KiB", ask(&authentication, &long).await, "8192 bytes");
        let almost = HS256.token(&claims_with("more", json!("x".repeat(5 * 1024))));
        assert!(ask(&authentication, &almost).await.is_ok());
    });
}

#[test]
fn a_reason_repeats_nothing_of_the_token() {
    run(async {
        let authentication = authentication();
        for token in [
            EDDSA.token(&claims_with("sub", json!("in confidence"))),
            EDDSA.token(&claims_with("iss", json!("in confidence"))),
            EDDSA.token(&claims_with("exp", json!("in confidence"))),
            EDDSA.sign(
                &header_with(&EDDSA, "alg", json!("in confidence")),
                &claims(),
            ),
            EDDSA.sign(
                &header_with(&EDDSA, "kid", json!("in confidence")),
                &claims(),
            ),
        ] {
            let error = ask(&authentication, &token).await.unwrap_err();
            assert!(!format!("{error:?}").contains("confidence"), "{error:?}");
        }
    });
}

#[test]
fn issuer_and_audience_may_be_waived_one_by_one() {
    run(async {
        let any_issuer = JwtAuthentication::new(keys(), Accepted::Any, Accepted::only(AUDIENCE));
        assert!(
            ask(&any_issuer, &EDDSA.token(&claims_without("iss")))
                .await
                .is_ok()
        );
        let answer = ask(&any_issuer, &EDDSA.token(&claims_without("aud"))).await;
        assert_refused("aud", answer, "aud");
        let any_audience = JwtAuthentication::new(keys(), Accepted::only(ISSUER), Accepted::Any);
        assert!(
            ask(&any_audience, &EDDSA.token(&claims_without("aud")))
                .await
                .is_ok()
        );
        let answer = ask(&any_audience, &EDDSA.token(&claims_without("iss"))).await;
        assert_refused("iss", answer, "iss");
    });
}

#[test]
fn what_one_service_has_verified_is_not_accepted_by_another() {
    run(async {
        let keys = keys();
        let token = EDDSA.token(&claims());
        assert!(
            ask(&authentication_with(keys.clone()), &token)
                .await
                .is_ok()
        );
        let other = JwtAuthentication::new(keys, Accepted::Any, Accepted::only("another"));
        assert_refused("another audience", ask(&other, &token).await, "aud");
    });
}

#[test]
fn a_token_expires_although_it_is_cached() {
    run(async {
        let authentication = authentication();
        let token = EDDSA.token(&claims_with("exp", json!(now() - 58)));
        let identity = ask(&authentication, &token).await.unwrap();
        let left = identity.expires_at().unwrap();
        let left = left.saturating_duration_since(Timestamp::now());
        assert!(left <= Duration::from_secs(2), "{left:?}");
        tokio::time::sleep(left + Duration::from_millis(5)).await;
        assert_refused("expired", ask(&authentication, &token).await, "expired");
    });
}

/// Keys that are replaced when a token names one that is not there.
#[derive(Clone, Debug)]
struct Rotating(Arc<Mutex<Keys>>, Keys, Arc<AtomicUsize>);

#[async_trait]
impl KeySource for Rotating {
    async fn keys(&self) -> Result<Keys, KeysUnavailable> {
        Ok(self.0.lock().clone())
    }

    async fn refresh(&self) -> Result<Keys, KeysUnavailable> {
        self.2.fetch_add(1, Ordering::Relaxed);
        *self.0.lock() = self.1.clone();
        Ok(self.1.clone())
    }
}

#[test]
fn an_unknown_key_id_asks_for_newer_keys_and_drops_what_the_old_ones_verified() {
    run(async {
        let only = |key: &SigningKey| Keys::from_jwks(&key.jwk().to_string()).unwrap();
        let old = Arc::new(Mutex::new(only(&EDDSA)));
        let source = Rotating(old, only(&ES256), Arc::default());
        let authentication = authentication_with(source.clone());
        let refreshed = || source.2.load(Ordering::Relaxed);

        let [before, after] = [&*EDDSA, &ES256].map(|key| key.token(&claims()));
        assert!(ask(&authentication, &before).await.is_ok());
        for token in ["x", &EDDSA.sign(&json!({"alg": "none"}), &claims())] {
            assert!(ask(&authentication, token).await.is_err());
        }
        let resigned = EDDSA.token(&claims()) + "AAAA";
        assert!(ask(&authentication, &resigned).await.is_err());
        assert_eq!(refreshed(), 0);
        assert!(ask(&authentication, &after).await.is_ok());
        assert_eq!(refreshed(), 1);
        assert_refused("old key", ask(&authentication, &before).await, "no key");
        assert!(ask(&authentication, &after).await.is_ok());
    });
}

#[derive(Debug)]
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn keys(&self) -> Result<Keys, KeysUnavailable> {
        Err(KeysUnavailable::new("the keys are too old"))
    }

    async fn refresh(&self) -> Result<Keys, KeysUnavailable> {
        self.keys().await
    }
}

#[test]
fn without_keys_a_token_can_be_neither_accepted_nor_refused() {
    run(async {
        let answer = ask(&authentication_with(NoKeys), &EDDSA.token(&claims())).await;
        assert!(
            matches!(answer, Err(AuthenticationError::Unavailable(_))),
            "{answer:?}"
        );
    });
}

async fn server() -> Server {
    let (mut service, _) = configs();
    service.access = Access::authenticated(authentication());
    Server::with_configs(messenger().await, (service, ServerConfig::default())).await
}

fn token_of(user: &UserId) -> String {
    EDDSA.token(&claims_with("sub", json!(user)))
}

#[test]
fn a_token_expires_in_the_middle_of_a_walk_through_pages() {
    run(async {
        let server = server().await;
        let [alice, bob] = [user(), user()];
        let client = Client::authenticated(server.address, Some(&token_of(&alice)));
        let mut conversation = String::new();
        for n in 0..3 {
            let sent = client.send(&alice, &bob, &n.to_string()).await;
            conversation = conversation_of(&sent).to_owned();
        }
        let mut short = claims_with("sub", json!(alice));
        short["exp"] = json!(now() - 57);
        let ends = Timestamp::from_millis((now() + 3) * 1000).unwrap();
        let client = Client::authenticated(server.address, Some(&EDDSA.token(&short)));
        let path = format!("/api/messages/conversation/{conversation}?limit=1");
        let first = client.ok(&path).await;
        let next = format!("{path}&cursor={}", first["next_cursor"].as_str().unwrap());
        let second = client.ok(&next).await;
        let last = format!("{path}&cursor={}", second["next_cursor"].as_str().unwrap());
        let left = ends.saturating_duration_since(Timestamp::now());
        tokio::time::sleep(left + Duration::from_millis(5)).await;
        let answer = client.get(&last).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["detail"], "The token has expired.");
        // With a new token, the walk goes on where it was.
        let client = Client::authenticated(server.address, Some(&token_of(&alice)));
        assert_eq!(client.ok(&last).await["data"][0]["content"], "0");
    });
}

#[test]
fn tokens_elsewhere_twice_or_too_long_are_refused_over_http() {
    run(async {
        let server = server().await;
        let alice = user();
        let token = token_of(&alice);
        let path = format!("/api/conversations/user/{alice}");
        let with = |headers: String| format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let long = "x".repeat(9 * 1024);
        let long = EDDSA.token(&claims_with("more", json!(long)));
        for (request, status) in [
            (with(bearer.clone()), 200),
            (with(bearer.clone() + &bearer), 401),
            (with(format!("Cookie: access_token={token}\r\n")), 401),
            (with(format!("Authorization: {token}\r\n")), 401),
            (with(format!("Authorization: Bearer {long}\r\n")), 401),
            (
                format!("GET {path}?access_token={token} HTTP/1.1\r\nHost: test\r\n\r\n"),
                401,
            ),
        ] {
            let mut stream = connect(server.address).await;
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = read_until(&mut stream, "\r\n\r\n").await;
            let expected = format!("HTTP/1.1 {status}");
            assert!(answer.starts_with(&expected), "{request}: {answer}");
        }
    });
}
