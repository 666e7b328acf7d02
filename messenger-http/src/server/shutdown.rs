//! The phases of a shutdown, and its result.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use tokio::time::Instant;

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

/// The phase of a server, as its connections see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// New connections are still accepted. Answers say `Connection: close`.
    Stopping,
    /// No new connections since then. Requests are answered, and idle connections end.
    Draining(Instant),
    /// Everything ends at once.
    Cut,
}

/// Waits for the next signal. A stream that has ended has none.
pub(super) async fn next_signal(signals: &mut Pin<&mut impl Stream<Item = ()>>) {
    if signals.next().await.is_none() {
        std::future::pending().await
    }
}
