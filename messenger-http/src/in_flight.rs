//! How many requests are worked on at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics;

/// Counts requests in flight, up to a limit.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    count: Arc<AtomicUsize>,
    limit: usize,
}

impl InFlight {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            count: Arc::default(),
            limit,
        }
    }

    /// A place for one more request, or `None` when all are taken.
    pub(crate) fn begin(&self) -> Option<Permit> {
        let below = |count| (count < self.limit).then_some(count + 1);
        let taken = self
            .count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, below);
        taken.ok().map(|_| {
            metrics::in_flight(1.0);
            Permit(Arc::clone(&self.count))
        })
    }
}

/// A place, held until it is dropped. A send keeps it when its client has left.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
        metrics::in_flight(-1.0);
    }
}
