//! A budget of extra attempts, so that a slow cluster is not given more work for being slow.
//!
//! Retries and speculative reads are worth their cost while one node of several is in trouble.
//! When all are slow, they multiply the load of a cluster that is at its limit. So each request
//! earns a part of an extra attempt, and each extra attempt spends a whole one: in the long run at
//! most one for [`REQUESTS_PER_ATTEMPT`] requests. The reserve is large enough for the seconds in
//! which a node of three hangs and has not been given up yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::counter;
use scylla::errors::{RequestAttemptError, RequestError};
use scylla::observability::history::{AttemptId, HistoryListener, RequestId, SpeculativeId};
use scylla::policies::retry::RetryDecision;
use scylla::policies::speculative_execution::{Context, SpeculativeExecutionPolicy};

/// The number of requests that earn one extra attempt.
const REQUESTS_PER_ATTEMPT: u64 = 5;

/// The number of extra attempts that can be saved.
const RESERVE: u64 = 1000;

/// The extra attempts that are left, in parts that a request earns.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

impl Budget {
    const FULL: u64 = RESERVE * REQUESTS_PER_ATTEMPT;

    pub(crate) fn full() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(Self::FULL)))
    }

    fn earn(&self) {
        // Most of the time it is full: a load, and no contention.
        if self.0.load(Ordering::Relaxed) < Self::FULL {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes an extra attempt, if one is left.
    pub(crate) fn spend(&self) -> bool {
        let spent = |left: u64| left.checked_sub(REQUESTS_PER_ATTEMPT);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent)
            .is_ok()
    }

    fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) < REQUESTS_PER_ATTEMPT
    }
}

/// The driver tells its listener when a request starts and when a read goes to a second node.
impl HistoryListener for Budget {
    fn log_request_start(&self) -> RequestId {
        self.earn();
        RequestId(0)
    }

    fn log_new_speculative_fiber(&self, _: RequestId) -> SpeculativeId {
        self.spend();
        counter!("messenger_cassandra_speculative_reads_total").increment(1);
        SpeculativeId(0)
    }

    fn log_attempt_start(
        &self,
        _: RequestId,
        _: Option<SpeculativeId>,
        _: SocketAddr,
    ) -> AttemptId {
        AttemptId(0)
    }

    fn log_request_success(&self, _: RequestId) {}

    fn log_request_error(&self, _: RequestId, _: &RequestError) {}

    fn log_attempt_success(&self, _: AttemptId) {}

    fn log_attempt_error(&self, _: AttemptId, _: &RequestAttemptError, _: &RetryDecision) {}
}

/// Sends a read to a second node after a delay, while the budget lasts.
#[derive(Debug)]
pub(crate) struct SpeculativeReads {
    pub(crate) delay: Duration,
    pub(crate) budget: Arc<Budget>,
}

impl SpeculativeExecutionPolicy for SpeculativeReads {
    fn max_retry_count(&self, _: &Context) -> usize {
        usize::from(!self.budget.is_spent())
    }

    fn retry_interval(&self, _: &Context) -> Duration {
        self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_spent_at_once_and_the_rest_must_be_earned() {
        let budget = Budget::full();
        assert!((0..RESERVE).all(|_| budget.spend()));
        assert!(!budget.spend() && budget.is_spent());
        for _ in 0..REQUESTS_PER_ATTEMPT {
            assert!(!budget.spend());
            budget.earn();
        }
        assert!(budget.spend());
        assert!(!budget.spend());
    }

    #[test]
    fn no_more_than_the_reserve_is_saved() {
        let budget = Budget::full();
        for _ in 0..100 {
            budget.earn();
        }
        assert_eq!((0..2 * RESERVE).filter(|_| budget.spend()).count(), 1000);
    }
}
