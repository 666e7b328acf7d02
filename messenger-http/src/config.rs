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

/// How [`serve`](crate::serve()) treats connections, and how it stops.
///
/// ```
/// use std::time::Duration;
/// use messenger_http::ServerConfig;
///
/// let mut config = ServerConfig::default();
/// // Kubernetes goes on sending requests for a moment after it has asked a pod to stop.
/// config.shutdown_delay = Duration::from_secs(5);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// How many connections are open at once; further ones wait in the system's queue. 4096 by
    /// default.
    pub max_connections: usize,
    /// The largest head of a request (its line and headers), in bytes; beyond, 431. 16 KiB by
    /// default. hyper takes no more than 100 headers.
    pub max_header_size: usize,
    /// How long a connection may wait for a complete request head, counted from the end of the
    /// answer before it; then it is closed. So it bounds slow headers and idle connections alike.
    /// 30 seconds by default.
    pub header_timeout: Duration,
    /// How long a client that has to read may read nothing; then its connection is closed. One
    /// that reads, but less than 64 KiB in this time, counts as reading nothing. 30 seconds by
    /// default.
    pub write_timeout: Duration,
    /// How long after the signal to stop the listener stays open, while `/health/ready` already
    /// says 503: time for load balancers to notice. Zero by default.
    pub shutdown_delay: Duration,
    /// How long requests in flight, and sends whose client has left, may take to end after the
    /// listener is closed; then they are cut off. 30 seconds by default.
    pub shutdown_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_header_size: 16 * 1024,
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            shutdown_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}
