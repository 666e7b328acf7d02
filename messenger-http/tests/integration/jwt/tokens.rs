//! Tokens that are accepted, and attacks.

use jsonwebtoken::{Algorithm, EncodingKey};
use messenger_core::UserId;
use messenger_http::jwt::{Accepted, JwtAuthentication, Keys};
use serde_json::{Value, json};

use super::{
    AUDIENCE, EDDSA, ES256, HS256, ISSUER, RS256, SigningKey, ask, assert_refused, authentication,
    authentication_with, claims, claims_with, claims_without, encoded, header_with, keys, now,
    signing_keys,
};
use crate::run;

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
        let (issuer, audience) = (Accepted::only(ISSUER), Accepted::only(AUDIENCE));
        for (issuers, audiences, waived, other) in [
            (Accepted::Any, audience, "iss", "aud"),
            (issuer, Accepted::Any, "aud", "iss"),
        ] {
            let authentication = JwtAuthentication::new(keys(), issuers, audiences);
            let token = EDDSA.token(&claims_without(waived));
            assert!(ask(&authentication, &token).await.is_ok(), "{waived}");
            let token = EDDSA.token(&claims_without(other));
            assert_refused(other, ask(&authentication, &token).await, other);
        }
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
