//! Time that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::{Clock, Timestamp};

/// A source of time for a [`Clock`] that stands still until a test moves it. Cloning shares it.
#[derive(Clone, Debug)]
pub struct ManualTime {
    micros: Arc<AtomicU64>,
}

impl ManualTime {
    /// Creates a source that stands at this time.
    pub fn at(time: Timestamp) -> Self {
        Self {
            micros: Arc::new(AtomicU64::new(time.as_millis() * 1_000)),
        }
    }

    /// Moves the time forward.
    pub fn advance(&self, by: Duration) {
        self.micros.fetch_add(micros(by), Ordering::Relaxed);
    }

    /// Moves the time back, as system clocks do.
    pub fn step_back(&self, by: Duration) {
        self.micros.fetch_sub(micros(by), Ordering::Relaxed);
    }

    /// Returns the time, rounded down to the millisecond.
    pub fn now(&self) -> Timestamp {
        Timestamp::saturating_from(self.system())
    }

    /// Creates a clock on this source.
    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::with_source(move || time.system())
    }

    pub(crate) fn system(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
