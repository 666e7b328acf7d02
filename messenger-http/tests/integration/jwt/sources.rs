//! Sources of keys that change, expire or fail, and verified tokens that are cached.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use messenger_core::Timestamp;
use messenger_http::AuthenticationError;
use messenger_http::jwt::{KeySource, Keys, KeysUnavailable};
use parking_lot::Mutex;
use serde_json::json;

use super::{
    EDDSA, ES256, SigningKey, ask, assert_refused, authentication, authentication_with, claims,
    claims_with, now,
};
use crate::run;

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
