//! The acceptor: one task for each connection of a listener.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::byte_stream::Socket;
use super::calls::{Calls, Scope};
use super::config::ServerConfig;
use super::connection;
use super::connections::{Connections, Open};
use super::listener::{self, Listener};
use super::phase::Phase;
use crate::MessengerService;

/// Accepts connections and serves each one in a task of its own.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) service: MessengerService,
    scope: Scope,
    config: Arc<ServerConfig>,
    pub(super) connections: Arc<Connections>,
    pub(super) tasks: TaskTracker,
    phase: watch::Receiver<Phase>,
}

impl Acceptor {
    pub(super) fn new(
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
    pub(super) async fn accept(&self, listener: &mut impl Listener) -> Infallible {
        loop {
            let socket = listener::accept(listener).await;
            let open = self.connections.admit().await;
            self.spawn(socket, open);
        }
    }

    /// Serves a connection in a task of its own.
    pub(super) fn spawn(&self, socket: impl Socket, open: Open) {
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
