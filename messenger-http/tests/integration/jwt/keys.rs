//! Keys: their formats, and those that are refused.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use messenger_http::jwt::Keys;
use serde_json::json;

use super::{
    EDDSA, ES256, RS256, SECRET, SigningKey, ask, authentication_with, claims, signing_keys,
};
use crate::run;

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
