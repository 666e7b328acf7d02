//! Signals that stop the program: SIGTERM and Ctrl-C (SIGINT).

use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A supervisor may signal both the process and its group. Within this time that is one signal.
const ONE_SIGNAL: Duration = Duration::from_millis(100);

/// The stop signals that arrive after it was created.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    last: Option<Instant>,
}

impl StopSignals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            last: None,
        })
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            if self.last.is_none_or(|last| last.elapsed() > ONE_SIGNAL) {
                break;
            }
        }
        self.last = Some(Instant::now());
    }
}
