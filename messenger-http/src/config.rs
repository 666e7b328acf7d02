//! Settings. Every limit is on by default.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use messenger_core::{Error, ErrorKind};

/// The settings of a [`MessengerService`](crate::MessengerService). They hold wherever it is mounted.
///
/// ```
/// use messenger_http::ServiceConfig;
///
/// let mut config = ServiceConfig::default();
/// config.max_in_flight = 100;
/// config.cors_origins = vec!["https://chat.example".to_owned()];
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceConfig {
    /// The largest request body, in bytes; larger ones get 413. 128 KiB by default: the longest
    /// content fits even if every character is escaped.
    pub max_body_size: usize,
    /// The time in which a request body must arrive; otherwise 408. 10 seconds by default.
    pub body_timeout: Duration,
    /// The number of requests that are worked on at once, including writes whose client has left;
    /// further ones get 503. 1024 by default. A request counts once its body has arrived. Health
    /// checks and metrics do not count.
    pub max_in_flight: usize,
    /// The time in which a request is answered; otherwise a read gets 503, and a write gets 504 and
    /// goes on. 15 seconds by default, which should be more than the timeout of the store, because
    /// the store knows the outcome of a write better.
    pub request_timeout: Duration,
    /// The memory that answers may hold while their clients receive them, in bytes; further requests
    /// get 503. 64 MiB by default. Slow clients of large pages reach it first.
    pub max_response_bytes: usize,
    /// The hosts that `Host` may name, such as `chat.example` or `[::1]`, on any port; other ones
    /// get 421. By default any host.
    ///
    /// A server without authentication that listens on loopback should allow `localhost`,
    /// `127.0.0.1` and `[::1]` only: otherwise any web page that is open in a browser on that
    /// machine can reach it, by DNS rebinding. Health checks and metrics are answered for any host,
    /// because probes use the address.
    pub allowed_hosts: Option<Vec<String>>,
    /// The origins whose web pages may call the service (CORS), such as `https://chat.example`; `*`
    /// stands for all. None by default: then no `Access-Control-` header is sent.
    pub cors_origins: Vec<String>,
    pub(crate) base_path: BasePath,
    pub(crate) metrics: Option<Render>,
}

impl ServiceConfig {
    /// Answers `/metrics` with this text, in the Prometheus format.
    #[must_use]
    pub fn with_metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Render(Arc::new(render)));
        self
    }

    /// Sets the path under which clients reach the service, such as `/chat`. Everything that the
    /// service writes carries it: `Location`, `Link`, problem types, the OpenAPI document and the
    /// documentation page. Requests are answered with and without it, so it does not matter whether
    /// a router or proxy in front removes it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] unless the path consists of segments of ASCII letters, digits and
    /// `-._~`.
    pub fn with_base_path(mut self, path: &str) -> Result<Self, Error> {
        self.base_path = BasePath::new(path)?;
        Ok(self)
    }
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            max_body_size: 128 * 1024,
            body_timeout: Duration::from_secs(10),
            max_in_flight: 1024,
            request_timeout: Duration::from_secs(15),
            max_response_bytes: 64 * 1024 * 1024,
            allowed_hosts: None,
            cors_origins: Vec::new(),
            base_path: BasePath::default(),
            metrics: None,
        }
    }
}

/// The path under which the service is mounted: empty, or with a slash at its start and none at its
/// end.
#[derive(Clone, Debug, Default)]
pub(crate) struct BasePath(Arc<str>);

impl BasePath {
    fn new(path: &str) -> Result<Self, Error> {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return Ok(Self::default());
        }
        let is_unreserved =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let is_segment = |segment: &str| {
            !matches!(segment, "" | "." | "..") && segment.bytes().all(is_unreserved)
        };
        if !path.split('/').all(is_segment) {
            return Err(Error::new(
                ErrorKind::Malformed,
                "a base path must consist of segments of ASCII letters, digits and -._~, such as \
                 /chat",
            ));
        }
        Ok(Self(format!("/{path}").into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Renders the text of `/metrics`.
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
