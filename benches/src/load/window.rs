//! From when to when requests start, and how many.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// A request that may start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// When it is due: its latency counts from here.
    pub(super) at: Instant,
    /// Whether the warm-up is over.
    pub(super) measured: bool,
}

/// A warm-up, and then a time and a number of requests to measure, whichever is over first.
#[derive(Debug)]
pub(super) struct Window {
    begun: Instant,
    measured_from: Instant,
    until: Instant,
    /// How many more may be measured.
    left: AtomicU64,
    stop: CancellationToken,
}

impl Window {
    /// A window that begins now. It is over too when it is told to stop.
    pub(super) fn new(
        warm_up: Duration,
        duration: Duration,
        requests: Option<u64>,
        stop: CancellationToken,
    ) -> Self {
        let begun = Instant::now();
        Self {
            begun,
            measured_from: begun + warm_up,
            until: begun + warm_up + duration,
            left: AtomicU64::new(requests.unwrap_or(u64::MAX)),
            stop,
        }
    }

    /// A request that is due then, unless the window is over.
    pub(super) fn admit(&self, at: Instant) -> Option<Start> {
        if at >= self.until || self.stop.is_cancelled() {
            return None;
        }
        let measured = at >= self.measured_from;
        if measured {
            let one_less = |left: u64| left.checked_sub(1);
            self.left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .ok()?;
        }
        Some(Start { at, measured })
    }

    /// When it began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// How long it is, warm-up included.
    pub(super) fn length(&self) -> Duration {
        self.until - self.begun
    }

    /// What tells it to stop.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// How long was measured, given when the last answer came: the whole time, and longer where
    /// requests still waited at its end; less if it ended early.
    pub(super) fn measured(&self, last_answer: Option<Instant>) -> Duration {
        let last = last_answer.unwrap_or(self.measured_from);
        let ended_early = self.stop.is_cancelled() || self.left.load(Ordering::Relaxed) == 0;
        let end = if ended_early {
            last
        } else {
            last.max(self.until)
        };
        end.saturating_duration_since(self.measured_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn window(requests: Option<u64>) -> Window {
        Window::new(SECOND, 10 * SECOND, requests, CancellationToken::new())
    }

    #[test]
    fn what_is_due_in_the_warm_up_is_not_measured() {
        let window = window(Some(2));
        let measured = |after| {
            let start = window.admit(window.begun() + after);
            start.map(|start| start.measured)
        };
        assert_eq!(measured(SECOND / 2), Some(false));
        assert_eq!(measured(SECOND), Some(true));
        assert_eq!(measured(2 * SECOND), Some(true));
        assert_eq!(measured(3 * SECOND), None, "two requests were enough");
        assert_eq!(
            measured(SECOND / 2),
            Some(false),
            "the warm-up has no number"
        );
    }

    #[test]
    fn it_is_over_after_its_time_or_when_stopped() {
        let window = window(None);
        let begun = window.begun();
        assert!(
            window
                .admit(begun + 11 * SECOND - Duration::from_nanos(1))
                .is_some()
        );
        assert!(window.admit(begun + 11 * SECOND).is_none());
        window.stop().cancel();
        assert!(window.admit(begun + 2 * SECOND).is_none());
    }

    #[test]
    fn what_was_measured_is_at_least_the_time_unless_it_ended_early() {
        let window = window(Some(1));
        let measured = |after| window.measured(Some(window.begun() + after));
        assert_eq!(measured(3 * SECOND), 10 * SECOND);
        assert_eq!(
            measured(12 * SECOND),
            11 * SECOND,
            "one waited beyond the end"
        );
        assert_eq!(window.measured(None), 10 * SECOND);
        window.admit(window.begun() + SECOND).unwrap();
        assert_eq!(measured(3 * SECOND), 2 * SECOND, "the one request was made");
    }
}
