//! The wait between failed attempts to accept a connection.

use std::time::Duration;

/// Waits while the system has no sockets left, twice as long each time.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(5))
    }
}

impl Backoff {
    const MAX: Duration = Duration::from_secs(1);

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Self::MAX);
    }
}
