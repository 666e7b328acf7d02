//! Keys at a URL, which are fetched again and again.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use messenger_http::jwt::{KeySource, Keys, KeysUnavailable};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};
use tracing::{error, info};

use super::fetch::Fetch;
use crate::report::with_causes;

/// The time after which keys are fetched again.
const REFRESH: Duration = Duration::from_secs(5 * 60);

/// The time after which they are fetched again if that failed.
const RETRY: Duration = Duration::from_secs(10);

/// The time in which requests with unknown keys cause one fetch, all together.
const MIN_INTERVAL: Duration = Duration::from_secs(30);

/// The age at which keys expire. Otherwise a revoked key would be accepted permanently if its removal
/// could not be fetched.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys at a URL.
#[derive(Debug)]
pub(super) struct UrlKeys(Arc<Shared>);

struct Shared {
    fetch: Fetch,
    /// The last keys that could be fetched.
    last: watch::Sender<Option<Fetched>>,
    /// The time of the last attempt. It is locked during one.
    attempted: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Fetched {
    keys: Keys,
    at: Instant,
}

impl UrlKeys {
    /// Fetches the keys, and from now on regularly. If they cannot be fetched now, requests are
    /// answered 503 until they can: the issuer may start later than the server.
    pub(super) async fn open(fetch: Fetch) -> Self {
        let shared = Arc::new(Shared {
            fetch,
            last: watch::Sender::new(None),
            attempted: Mutex::new(None),
        });
        let wait = shared.attempt(Duration::ZERO).await;
        tokio::spawn(Shared::keep_fresh(Arc::downgrade(&shared), wait));
        Self(shared)
    }
}

#[async_trait]
impl KeySource for UrlKeys {
    async fn keys(&self) -> Result<Keys, KeysUnavailable> {
        match &*self.0.last.borrow() {
            None => Err(KeysUnavailable::new("no keys could be fetched yet")),
            Some(fetched) if fetched.at.elapsed() > MAX_AGE => Err(KeysUnavailable::new(
                "no keys could be fetched for longer than a day",
            )),
            Some(fetched) => Ok(fetched.keys.clone()),
        }
    }

    async fn refresh(&self) -> Result<Keys, KeysUnavailable> {
        let shared = Arc::clone(&self.0);
        // A task, because a fetch counts even if the client that caused it leaves.
        let attempt = tokio::spawn(async move { shared.attempt(MIN_INTERVAL).await });
        attempt.await.map_err(KeysUnavailable::new)?;
        self.keys().await
    }
}

impl Shared {
    /// Fetches the keys, unless that was tried less than this time ago. Returns the time after which
    /// to try again.
    async fn attempt(&self, min_interval: Duration) -> Duration {
        let mut attempted = self.attempted.lock().await;
        if attempted.is_some_and(|at| at.elapsed() < min_interval) {
            return RETRY;
        }
        *attempted = Some(Instant::now());
        match (self.fetch)().await {
            Ok(keys) => {
                self.receive(keys);
                REFRESH
            }
            Err(error) => {
                let error = with_causes(&error);
                match self.last.borrow().as_ref() {
                    None => error!("{error}; requests are answered 503 until they can be fetched"),
                    Some(last) => {
                        let age = last.at.elapsed().as_secs();
                        error!("{error}; the keys of {age} seconds ago stay in use");
                    }
                }
                RETRY
            }
        }
    }

    fn receive(&self, keys: Keys) {
        let at = Instant::now();
        self.last.send_modify(|last| match last {
            // The same ones: what was verified with them stays known.
            Some(last) if last.keys == keys => last.at = at,
            _ => {
                info!(?keys, "the keys of tokens have been fetched");
                *last = Some(Fetched { keys, at });
            }
        });
    }

    /// Fetches the keys regularly, until nobody needs them.
    async fn keep_fresh(shared: Weak<Self>, mut wait: Duration) {
        loop {
            sleep(wait).await;
            let Some(shared) = shared.upgrade() else {
                return;
            };
            wait = shared.attempt(Duration::ZERO).await;
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("last", &*self.last.borrow())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use anyhow::bail;
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    /// An issuer whose key has a number, which tests raise. It can be down.
    #[derive(Clone, Default)]
    struct Issuer(Arc<IssuerState>);

    #[derive(Default)]
    struct IssuerState {
        number: AtomicUsize,
        is_down: AtomicUsize,
        fetches: AtomicUsize,
    }

    impl Issuer {
        fn fetch(&self) -> Fetch {
            let issuer = self.clone();
            Box::new(move || {
                let issuer = issuer.clone();
                async move {
                    issuer.0.fetches.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(100)).await;
                    if issuer.0.is_down.load(Ordering::Relaxed) == 1 {
                        bail!("down");
                    }
                    Ok(keys(issuer.0.number.load(Ordering::Relaxed)))
                }
                .boxed()
            })
        }

        fn set_down(&self, is_down: bool) {
            self.0
                .is_down
                .store(usize::from(is_down), Ordering::Relaxed);
        }

        fn rotate(&self) -> Keys {
            keys(self.0.number.fetch_add(1, Ordering::Relaxed) + 1)
        }

        fn fetches(&self) -> usize {
            self.0.fetches.load(Ordering::Relaxed)
        }
    }

    fn keys(number: usize) -> Keys {
        // The key of RFC 8037, appendix A.2.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let json = format!(r#"{{"kty": "OKP", "crv": "Ed25519", "kid": "{number}", "x": "{x}"}}"#);
        Keys::from_jwks(&json).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn all_callers_together_cause_one_fetch_in_30_seconds() {
        let issuer = Issuer::default();
        let source = UrlKeys::open(issuer.fetch()).await;
        sleep(MIN_INTERVAL).await;
        let new = issuer.rotate();
        for answer in join_all((0..100).map(|_| source.refresh())).await {
            assert_eq!(answer.unwrap(), new);
        }
        assert_eq!(issuer.fetches(), 2);
        issuer.rotate();
        for _ in 0..29 {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(source.refresh().await.unwrap(), new);
        }
        assert_eq!(issuer.fetches(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_regularly_without_requests() {
        let issuer = Issuer::default();
        let source = UrlKeys::open(issuer.fetch()).await;
        let new = issuer.rotate();
        sleep(REFRESH + Duration::from_secs(1)).await;
        assert_eq!(source.keys().await.unwrap(), new);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_keys_are_used_for_a_day_if_no_newer_ones_can_be_fetched() {
        let issuer = Issuer::default();
        let source = UrlKeys::open(issuer.fetch()).await;
        issuer.set_down(true);
        sleep(MAX_AGE - Duration::from_secs(1)).await;
        assert_eq!(source.refresh().await.unwrap(), keys(0));
        sleep(Duration::from_secs(2)).await;
        let error = source.keys().await.unwrap_err().to_string();
        assert!(error.contains("longer than a day"), "{error}");
        issuer.set_down(false);
        sleep(RETRY + Duration::from_secs(1)).await;
        assert_eq!(source.keys().await.unwrap(), keys(0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_may_start_later_than_the_server() {
        let issuer = Issuer::default();
        issuer.set_down(true);
        let source = UrlKeys::open(issuer.fetch()).await;
        assert!(source.keys().await.is_err());
        issuer.set_down(false);
        sleep(RETRY + Duration::from_secs(1)).await;
        assert_eq!(source.keys().await.unwrap(), keys(0));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_fetched_once_nobody_needs_the_keys() {
        let issuer = Issuer::default();
        drop(UrlKeys::open(issuer.fetch()).await);
        sleep(2 * REFRESH).await;
        assert_eq!(issuer.fetches(), 1);
    }
}
