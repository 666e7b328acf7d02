//! The limits of connections, and the times of a shutdown.

use std::time::Duration;

/// The limits and timeouts of a server's connections and of its shutdown.
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
    /// The number of connections that may be open at once. 4096 by default.
    ///
    /// A further one replaces the connection that has waited longest for its client to send a
    /// request or the rest of one, at least a second. If the requests of all connections are being
    /// handled, it waits until one ends.
    pub max_connections: usize,
    /// The largest request head (request line and headers), in bytes. A larger one gets 431.
    /// 16 KiB by default. hyper accepts at most 100 headers.
    pub max_header_size: usize,
    /// The time within which a request's head must arrive, counted from its first byte; after it
    /// the connection is closed. 10 seconds by default.
    pub header_timeout: Duration,
    /// The time for which a connection may stay open without a request; after it the connection is
    /// closed. 75 seconds by default.
    ///
    /// It must be above the idle timeout of the load balancer in front, which is 60 seconds for
    /// most of them. Otherwise the load balancer sends requests on connections that are being
    /// closed.
    pub idle_timeout: Duration,
    /// The time within which a client must read 64 KiB of an answer, or the rest of it; after it
    /// the connection is closed. 30 seconds by default.
    pub write_timeout: Duration,
    /// The time between the first signal and the end of accepting connections. Meanwhile
    /// `/health/ready` says 503 and every answer says `Connection: close`, so that load balancers
    /// and clients move to other servers. Zero by default.
    pub shutdown_delay: Duration,
    /// The time that requests in progress, and sends whose client has left, have to end after
    /// the listener was closed; after it they are cut off. 30 seconds by default.
    pub shutdown_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_header_size: 16 * 1024,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            shutdown_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}
