//! The server: connections, their limits, and a shutdown that loses no request.
//!
//! It speaks HTTP/1.1 and 1.0. There is no HTTP/2, which would need limits of its own; a proxy in
//! front of it can speak HTTP/2 with clients.
//!
//! `listener` accepts connections, `connections` limits their number, and `connection` serves each
//! one through hyper. hyper reads and writes through `byte_stream`, which has the `write_timeout`, and
//! calls the service through `calls`. These parts of a connection share its `activity`. `shutdown`
//! has the phases that connections are told.

mod activity;
mod byte_stream;
mod calls;
mod config;
mod connection;
mod connections;
mod listener;
mod shutdown;

#[cfg(test)]
mod tests;
mod write_timeout;

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub use self::config::ServerConfig;
pub use self::shutdown::Drained;

use self::byte_stream::Socket;
use self::calls::{Calls, Scope};
use self::connections::{Connections, Open};
use self::listener::Listener;
use self::shutdown::{Phase, next_signal};
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
/// No error of a connection, and no lack of sockets, ends the server.
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
    let server = Server::new(service, Scope::All, config, &phase);

    let in_time = accept_until_stopped(&server, listener, &phase, delay, &mut signals).await
        && drain(&server, timeout, &mut signals).await;
    if in_time {
        return Drained::default();
    }
    let drained = Drained {
        connections_cut: server.connections.in_progress(),
        sends_left: server.service.writes(),
    };
    if !drained.is_complete() {
        tracing::warn!(?drained, "stopped before everything had ended");
    }
    phase.send_replace(Phase::Cut);
    server.tasks.close();
    server.tasks.wait().await;
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
    Server::new(service, Scope::Operations, config, &phase)
        .accept(&mut listener)
        .await
}

/// Accepts connections until the first signal and the delay after it. Returns `false` if the second
/// signal has come.
async fn accept_until_stopped(
    server: &Server,
    mut listener: TcpListener,
    phase: &watch::Sender<Phase>,
    delay: Duration,
    signals: &mut Pin<&mut (impl Stream<Item = ()> + Send)>,
) -> bool {
    let stopped = async {
        next_signal(signals).await;
        tracing::info!("stopping");
        server.service.begin_shutdown();
        phase.send_replace(Phase::Stopping);
        tokio::select! {
            () = tokio::time::sleep(delay) => true,
            () = next_signal(signals) => false,
        }
    };
    let go_on = tokio::select! {
        never = server.accept(&mut listener) => match never {},
        go_on = stopped => go_on,
    };
    if go_on {
        for socket in listener::close(listener) {
            // Beyond the limit nothing can be done for it.
            if let Some(open) = server.connections.try_admit() {
                server.spawn(socket, open);
            }
        }
        phase.send_replace(Phase::Draining(Instant::now()));
    }
    go_on
}

/// Waits until the connections and sends have ended. Returns `false` if the timeout or the second
/// signal came first.
async fn drain(
    server: &Server,
    timeout: Duration,
    signals: &mut Pin<&mut (impl Stream<Item = ()> + Send)>,
) -> bool {
    server.tasks.close();
    let ended = async {
        server.tasks.wait().await;
        server.service.drain().await;
    };
    tokio::select! {
        () = ended => true,
        () = tokio::time::sleep(timeout) => false,
        () = next_signal(signals) => false,
    }
}

/// The parts that the connections of a listener share.
struct Server {
    service: MessengerService,
    scope: Scope,
    config: Arc<ServerConfig>,
    connections: Arc<Connections>,
    tasks: TaskTracker,
    phase: watch::Receiver<Phase>,
}

impl Server {
    fn new(
        service: MessengerService,
        scope: Scope,
        config: ServerConfig,
        phase: &watch::Sender<Phase>,
    ) -> Self {
        Self {
            service,
            scope,
            connections: Connections::new(config.max_connections),
            config: Arc::new(config),
            tasks: TaskTracker::new(),
            phase: phase.subscribe(),
        }
    }

    /// Accepts connections and serves them, until the future is dropped.
    async fn accept(&self, listener: &mut impl Listener) -> Infallible {
        loop {
            let socket = listener::accept(listener).await;
            let open = self.connections.admit().await;
            self.spawn(socket, open);
        }
    }

    /// Serves a connection in a task of its own.
    fn spawn(&self, socket: impl Socket, open: Open) {
        let calls = Calls {
            service: self.service.clone(),
            scope: self.scope,
            activity: Arc::clone(open.activity()),
        };
        let (config, phase) = (Arc::clone(&self.config), self.phase.clone());
        self.tasks.spawn(async move {
            if let Err(error) = connection::run(socket, calls, &config, phase).await {
                // Clients leave, and send what is not HTTP. Operators need not know.
                tracing::debug!(%error, "a connection ended");
            }
            drop(open);
        });
    }
}
