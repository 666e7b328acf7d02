//! The shutdown, step by step, and its result.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::acceptor::Acceptor;
use super::listener::close;
use super::phase::Phase;

/// The result of a server's shutdown: what was cut off when its time was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that were cut off while a request was in progress.
    pub connections_cut: usize,
    /// Sends that were still running. They go on as long as the runtime does.
    pub sends_left: usize,
}

impl Drained {
    /// Returns `true` if every request was answered and every send has ended.
    pub fn is_complete(self) -> bool {
        self == Self::default()
    }
}

/// Waits for the next signal. A stream that has ended has none.
async fn next_signal(signals: &mut Pin<&mut impl Stream<Item = ()>>) {
    if signals.next().await.is_none() {
        std::future::pending().await
    }
}

/// Accepts connections until the first signal and the delay after it. Returns `false` if the second
/// signal has come.
pub(super) async fn accept_until_stopped(
    acceptor: &Acceptor,
    mut listener: TcpListener,
    phase: &watch::Sender<Phase>,
    delay: Duration,
    signals: &mut Pin<&mut (impl Stream<Item = ()> + Send)>,
) -> bool {
    let stopped = async {
        next_signal(signals).await;
        tracing::info!("stopping");
        acceptor.service.begin_shutdown();
        phase.send_replace(Phase::Stopping);
        tokio::select! {
            () = sleep(delay) => true,
            () = next_signal(signals) => false,
        }
    };
    let go_on = tokio::select! {
        never = acceptor.accept(&mut listener) => match never {},
        go_on = stopped => go_on,
    };
    if go_on {
        for socket in close(listener) {
            // Beyond the limit nothing can be done for it.
            if let Some(open) = acceptor.connections.try_admit() {
                acceptor.spawn(socket, open);
            }
        }
        phase.send_replace(Phase::Draining(Instant::now()));
    }
    go_on
}

/// Waits until the connections and sends have ended. Returns `false` if the timeout or the second
/// signal came first.
pub(super) async fn drain(
    acceptor: &Acceptor,
    timeout: Duration,
    signals: &mut Pin<&mut (impl Stream<Item = ()> + Send)>,
) -> bool {
    acceptor.tasks.close();
    let ended = async {
        acceptor.tasks.wait().await;
        acceptor.service.drain().await;
    };
    tokio::select! {
        () = ended => true,
        () = sleep(timeout) => false,
        () = next_signal(signals) => false,
    }
}
