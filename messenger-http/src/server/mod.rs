//! The server: connections, their limits, and a shutdown that loses no request.
//!
//! It speaks HTTP/1.1 and 1.0. There is no HTTP/2, which would need limits of its own; a proxy in
//! front of it can speak HTTP/2 with clients.
//!
//! A listener has an `acceptor`, which limits its `connections` and runs a task for each
//! `connection`. hyper serves it: it reads and writes through a `byte_stream`, which has the
//! `write_timeout`, and calls the service through `calls`. They share the connection's `activity`.
//! A `shutdown` tells all connections the `phase` that the server is in.

mod acceptor;
mod activity;
mod backoff;
mod byte_stream;
mod calls;
mod config;
mod connection;
mod connections;
mod listener;
mod phase;
mod shutdown;
#[cfg(test)]
mod tests;
mod write_timeout;

use std::convert::Infallible;
use std::pin::pin;

use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use self::config::ServerConfig;
pub use self::shutdown::Drained;

use self::acceptor::Acceptor;
use self::calls::Scope;
use self::phase::Phase;
use self::shutdown::{accept_until_stopped, drain};
use crate::MessengerService;

/// Serves the service on the listener until it is signalled to stop and everything in progress has
/// ended.
///
/// The first signal begins the shutdown: `/health/ready` says 503 and every answer says
/// `Connection: close`. After [`shutdown_delay`](ServerConfig::shutdown_delay) the listener and idle
/// connections are closed. Requests in progress, and sends whose clients have left, have
/// [`shutdown_timeout`](ServerConfig::shutdown_timeout) to end. The second signal ends all of this at
/// once. If the stream of signals ends, there are no more signals.
///
/// No error of a connection, and no lack of sockets, ends the acceptor.
///
/// # Cancel safety
///
/// When the future is dropped, the listener and all connections are closed at once. Sends that are
/// running go on as long as the runtime does.
///
/// # Examples
///
/// With one signal only:
///
/// ```no_run
/// use futures_util::FutureExt as _;
/// use messenger_http::{MessengerService, ServerConfig, serve};
/// # async fn example(
/// #     listener: tokio::net::TcpListener,
/// #     service: MessengerService,
/// #     stopped: tokio::sync::oneshot::Receiver<()>,
/// # ) {
/// let signals = stopped.map(|_| ()).into_stream();
/// let drained = serve(listener, service, ServerConfig::default(), signals).await;
/// assert!(drained.is_complete());
/// # }
/// ```
pub async fn serve(
    listener: TcpListener,
    service: MessengerService,
    config: ServerConfig,
    signals: impl Stream<Item = ()> + Send,
) -> Drained {
    let mut signals = pin!(signals);
    // When this future is dropped, the sender is too, and connections end.
    let phase = watch::Sender::new(Phase::Running);
    let (delay, timeout) = (config.shutdown_delay, config.shutdown_timeout);
    let acceptor = Acceptor::new(service, Scope::All, config, &phase);

    let in_time = accept_until_stopped(&acceptor, listener, &phase, delay, &mut signals).await
        && drain(&acceptor, timeout, &mut signals).await;
    if in_time {
        return Drained::default();
    }
    let drained = Drained {
        connections_cut: acceptor.connections.in_progress(),
        sends_left: acceptor.service.writes(),
    };
    if !drained.is_complete() {
        tracing::warn!(?drained, "stopped before everything had ended");
    }
    phase.send_replace(Phase::Cut);
    acceptor.tasks.close();
    acceptor.tasks.wait().await;
    drained
}

/// Serves `/health/live`, `/health/ready` and `/metrics` on a listener of their own; every other
/// path is 404. It never returns; drop the future to close the listener and its connections.
///
/// Clients cannot take its connections, so probes and scrapers get through when the listener of
/// [`serve`] has as many connections and requests as it may. Run it until `serve` has returned:
///
/// ```no_run
/// # use futures_util::Stream;
/// # use messenger_http::{Drained, MessengerService, ServerConfig, serve, serve_operations};
/// # use tokio::net::TcpListener;
/// # async fn example(
/// #     listener: TcpListener,
/// #     operations: TcpListener,
/// #     service: MessengerService,
/// #     signals: impl Stream<Item = ()> + Send,
/// # ) -> Drained {
/// let operations = tokio::spawn(serve_operations(operations, service.clone()));
/// let drained = serve(listener, service, ServerConfig::default(), signals).await;
/// operations.abort();
/// # drained
/// # }
/// ```
pub async fn serve_operations(mut listener: TcpListener, service: MessengerService) -> Infallible {
    /// Probes and scrapers need a few.
    const MAX_CONNECTIONS: usize = 64;
    let config = ServerConfig {
        max_connections: MAX_CONNECTIONS,
        ..ServerConfig::default()
    };
    let phase = watch::Sender::new(Phase::Running);
    Acceptor::new(service, Scope::Operations, config, &phase)
        .accept(&mut listener)
        .await
}
