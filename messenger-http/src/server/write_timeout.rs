//! The write timeout: a client that is sent an answer must read it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Limits the time for which writes to a stream may be blocked.
///
/// The time runs from the first write that is blocked until everything is written. Every
/// [`PROGRESS`] bytes start it anew, so a slow client that keeps reading gets all of a large answer.
#[derive(Debug)]
pub(super) struct WriteTimeout {
    timeout: Duration,
    /// Runs while `blocked` is set. Kept for the next time.
    timer: Option<Pin<Box<Sleep>>>,
    blocked: bool,
    written: usize,
}

/// The bytes a client must read within the timeout.
const PROGRESS: usize = 64 * 1024;

impl WriteTimeout {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            timer: None,
            blocked: false,
            written: 0,
        }
    }

    /// Returns the result of a write, which is an error if the time is over.
    pub(super) fn after_write(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(len)) => {
                self.written += len;
                if self.blocked && self.written >= PROGRESS {
                    self.start();
                }
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                if !self.blocked {
                    self.start();
                }
                let Some(timer) = &mut self.timer else {
                    return Poll::Pending;
                };
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Stops the time, because everything is written.
    pub(super) fn after_flush(&mut self) {
        self.blocked = false;
    }

    fn start(&mut self) {
        self.blocked = true;
        self.written = 0;
        // A timeout that overflows is none.
        let Some(deadline) = Instant::now().checked_add(self.timeout) else {
            return;
        };
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(deadline),
            None => self.timer = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }
}
