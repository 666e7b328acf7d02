//! How many requests are worked on at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics::Instruments;

/// Counts requests in flight, up to a limit.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    shared: Arc<Shared>,
    limit: usize,
}

#[derive(Debug)]
struct Shared {
    count: AtomicUsize,
    instruments: Arc<Instruments>,
}

impl InFlight {
    pub(crate) fn new(limit: usize, instruments: Arc<Instruments>) -> Self {
        let count = AtomicUsize::new(0);
        Self {
            shared: Arc::new(Shared { count, instruments }),
            limit,
        }
    }

    /// A place for one more request, or `None` when all are taken.
    pub(crate) fn begin(&self) -> Option<Permit> {
        let Shared { count, instruments } = &*self.shared;
        let below = |count| (count < self.limit).then_some(count + 1);
        let taken = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, below);
        taken.ok().map(|_| {
            instruments.in_flight().increment(1.0);
            Permit(Arc::clone(&self.shared))
        })
    }
}

/// A place, held until it is dropped. A send keeps it when its client has left.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Shared>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.instruments.in_flight().decrement(1.0);
    }
}
