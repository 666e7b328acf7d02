//! Limits that all requests share: requests in flight, bytes of answers that wait for their clients,
//! and streams of events.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Instruments;

/// The limits of a service.
#[derive(Debug)]
pub(crate) struct Limits {
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    max_bytes: usize,
    followers: Arc<Semaphore>,
    instruments: Arc<Instruments>,
}

impl Limits {
    pub(crate) fn new(
        max_requests: usize,
        max_bytes: usize,
        max_followers: usize,
        instruments: Arc<Instruments>,
    ) -> Self {
        // A permit is for a byte, and one acquisition takes at most `u32::MAX` of them.
        let max_bytes = max_bytes.min(u32::MAX as usize);
        Self {
            requests: Arc::new(Semaphore::new(max_requests.min(Semaphore::MAX_PERMITS))),
            bytes: Arc::new(Semaphore::new(max_bytes)),
            max_bytes,
            followers: Arc::new(Semaphore::new(max_followers.min(Semaphore::MAX_PERMITS))),
            instruments,
        }
    }

    /// Counts one more stream of events, or returns `None` at the limit.
    pub(crate) fn follow(&self) -> Option<Follower> {
        let permit = Arc::clone(&self.followers).try_acquire_owned().ok()?;
        Some(Follower { _permit: permit })
    }

    /// Counts one more request in flight, or returns `None` at the limit.
    pub(crate) fn begin(&self) -> Option<InFlight> {
        let permit = Arc::clone(&self.requests).try_acquire_owned().ok()?;
        self.instruments.in_flight().increment(1.0);
        Some(InFlight {
            _permit: permit,
            instruments: Arc::clone(&self.instruments),
        })
    }

    /// Counts this many bytes of an answer, or returns `None` if they are too many now. An answer
    /// that is larger than the whole budget is possible on its own.
    pub(crate) fn hold(&self, bytes: usize) -> Option<HeldBytes> {
        let bytes = u32::try_from(bytes.min(self.max_bytes)).ok()?;
        let permit = Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()?;
        Some(HeldBytes { _permit: permit })
    }
}

/// A request in flight, until this is dropped. A write keeps it when its client has left.
#[derive(Debug)]
pub(crate) struct InFlight {
    _permit: OwnedSemaphorePermit,
    instruments: Arc<Instruments>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.instruments.in_flight().decrement(1.0);
    }
}

/// A stream of events, until this is dropped.
#[derive(Debug)]
pub(crate) struct Follower {
    _permit: OwnedSemaphorePermit,
}

/// Bytes of an answer that count against the budget, until this is dropped.
#[derive(Debug)]
pub(crate) struct HeldBytes {
    _permit: OwnedSemaphorePermit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_given_back() {
        let limits = Limits::new(
            1,
            100,
            1,
            Arc::new(Instruments::new(Vec::new(), Vec::new())),
        );
        let large = limits.hold(1_000_000);
        assert!(large.is_some(), "one answer is always possible");
        assert!(limits.hold(1).is_none());
        drop(large);
        let half = limits.hold(50);
        assert!(half.is_some() && limits.hold(51).is_none());
        assert!(limits.hold(50).is_some());
    }
}
