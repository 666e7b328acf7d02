//! What can be set. Every limit is on unless raised.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The limits of a [`MessengerService`](crate::MessengerService). They hold wherever it is mounted.
///
/// ```
/// use messenger_http::ServiceConfig;
///
/// let mut config = ServiceConfig::default();
/// config.max_in_flight = 100;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceConfig {
    /// The largest request body, in bytes; beyond, 413. 128 KiB by default: 20,000 bytes of content
    /// may be escaped six-fold.
    pub max_body_size: usize,
    /// How long a request body may take to arrive; beyond, 408. 10 seconds by default.
    pub body_timeout: Duration,
    /// How many requests are worked on at once, sends whose client has left included; beyond, 503.
    /// 1024 by default. Health and metrics are answered all the same.
    pub max_in_flight: usize,
    /// How long the answer to a request may take: beyond, a read gets 503, and a send 504 while it
    /// goes on. 15 seconds by default, which is more than a store's own timeout should be, because
    /// the store knows better what became of a write.
    pub request_timeout: Duration,
    pub(crate) metrics: Option<Render>,
}

impl ServiceConfig {
    /// Answers `/metrics` with this text, in the Prometheus format.
    #[must_use]
    pub fn with_metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Render(Arc::new(render)));
        self
    }
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            max_body_size: 128 * 1024,
            body_timeout: Duration::from_secs(10),
            max_in_flight: 1024,
            request_timeout: Duration::from_secs(15),
            metrics: None,
        }
    }
}

/// What gives the text of `/metrics`.
#[derive(Clone)]
pub(crate) struct Render(pub(crate) Arc<dyn Fn() -> String + Send + Sync>);

impl fmt::Debug for Render {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Render")
    }
}
