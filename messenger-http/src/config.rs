//! Settings. Every limit is on by default.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use messenger_core::{Error, ErrorKind};

use crate::auth::Access;

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
    /// The callers that the service accepts. [`Access::Trusted`] by default: everyone who reaches it.
    pub access: Access,
    /// The number of requests that one user may make per second, all of which may come at once;
    /// further ones get 429. None by default, which means no limit. It needs [`Access::Authenticated`], as only then
    /// it is known who makes a request.
    pub max_user_requests_per_second: Option<NonZero<u32>>,
    /// The number of requests that send or change something, which one user may make per second.
    /// Otherwise as
    /// [`max_user_requests_per_second`](Self::max_user_requests_per_second).
    pub max_user_writes_per_second: Option<NonZero<u32>>,
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
    /// The number of streams of events; further ones get 503. 10,000 by default. They do not count as
    /// requests in flight, but each is an open connection.
    pub max_followers: usize,
    /// The time after which a stream of events is ended, shortened by up to a tenth at random. Its
    /// client connects again, which spreads clients over servers. One hour by default.
    pub max_follow_time: Duration,
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
            access: Access::Trusted,
            max_user_requests_per_second: None,
            max_user_writes_per_second: None,
            max_body_size: 128 * 1024,
            body_timeout: Duration::from_secs(10),
            max_in_flight: 1024,
            request_timeout: Duration::from_secs(15),
            max_response_bytes: 64 * 1024 * 1024,
            max_followers: 10_000,
            max_follow_time: Duration::from_secs(60 * 60),
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
