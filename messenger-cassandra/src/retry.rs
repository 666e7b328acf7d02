//! Decides which failed requests are sent again.
//!
//! Every statement may be executed twice, because of its write timestamps and keys. So the driver may
//! repeat it even if the outcome of an attempt is unknown, which its own policy does not do for
//! write timeouts. But the outcome is remembered: if a first attempt timed out and a second one was
//! refused, the write as a whole is still unknown, whatever the last error says.
//!
//! Retries go to another node, except for errors that are not that node's fault. There are at most
//! [`RETRIES`] of a request, and only while the [`Budget`] of all requests lasts; all attempts share
//! one request timeout.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use messenger_core::Outcome;
use metrics::counter;
use scylla::errors::{DbError, RequestAttemptError};
use scylla::policies::retry::{RequestInfo, RetryDecision, RetryPolicy, RetrySession};

use crate::budget::Budget;
use crate::error;

/// The largest number of retries of a request.
const RETRIES: u32 = 2;

/// The policy of one write, or of all reads.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    maybe_applied: Arc<AtomicBool>,
    budget: Arc<Budget>,
}

impl Retry {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            maybe_applied: Arc::default(),
            budget,
        }
    }

    /// Returns `Unknown` if any attempt, including earlier ones, may have been applied.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.maybe_applied.load(Ordering::Relaxed) {
            Outcome::Unknown
        } else {
            Outcome::NotApplied
        }
    }
}

impl RetryPolicy for Retry {
    fn new_session(&self) -> Box<dyn RetrySession> {
        Box::new(Attempts {
            left: RETRIES,
            retry: self.clone(),
        })
    }
}

struct Attempts {
    left: u32,
    retry: Retry,
}

impl RetrySession for Attempts {
    fn decide_should_retry(&mut self, request: RequestInfo<'_>) -> RetryDecision {
        if error::of_attempt(request.error).outcome == Outcome::Unknown {
            self.retry.maybe_applied.store(true, Ordering::Relaxed);
        }
        if self.left == 0 || !request.is_idempotent {
            return RetryDecision::DontRetry;
        }
        let decision = decide(request.error);
        if decision == RetryDecision::DontRetry || !self.retry.budget.spend() {
            return RetryDecision::DontRetry;
        }
        self.left -= 1;
        counter!("messenger_cassandra_retries_total").increment(1);
        decision
    }

    fn reset(&mut self) {
        self.left = RETRIES;
    }
}

#[deny(clippy::wildcard_enum_match_arm)]
fn decide(error: &RequestAttemptError) -> RetryDecision {
    const SAME: RetryDecision = RetryDecision::RetrySameTarget(None);
    const NEXT: RetryDecision = RetryDecision::RetryNextTarget(None);
    const NONE: RetryDecision = RetryDecision::DontRetry;
    match error {
        RequestAttemptError::BrokenConnectionError(_)
        | RequestAttemptError::UnableToAllocStreamId => NEXT,
        // A retry would wait for the same node; `Db::batch` writes the rows instead.
        error if error::is_logged_once_by(error) => NONE,
        RequestAttemptError::DbError(error, _) => match error {
            // This node is in trouble; another one may not be.
            DbError::Overloaded
            | DbError::ServerError
            | DbError::IsBootstrapping
            | DbError::RateLimitReached { .. } => NEXT,
            // This node sees too few replicas; another one may see more.
            DbError::Unavailable { .. } => NEXT,
            // Replicas were too slow. By now the coordinator knows which ones and asks others; and a
            // cluster of one node has no next target.
            DbError::ReadTimeout { .. } | DbError::WriteTimeout { .. } => SAME,
            // It would fail the same way again.
            DbError::ReadFailure { .. }
            | DbError::WriteFailure { .. }
            | DbError::TruncateError
            | DbError::SyntaxError
            | DbError::Invalid
            | DbError::AlreadyExists { .. }
            | DbError::FunctionFailure { .. }
            | DbError::AuthenticationError
            | DbError::Unauthorized
            | DbError::ConfigError
            | DbError::ProtocolError
            // The driver prepares it again by itself.
            | DbError::Unprepared { .. }
            | DbError::Other(_)
            | _ => NONE,
        },
        RequestAttemptError::SerializationError(_)
        | RequestAttemptError::CqlRequestSerialization(_)
        | RequestAttemptError::BodyExtensionsParseError(_)
        | RequestAttemptError::CqlResultParseError(_)
        | RequestAttemptError::CqlErrorParseError(_)
        | RequestAttemptError::UnexpectedResponse(_)
        | RequestAttemptError::RepreparedIdChanged { .. }
        | RequestAttemptError::RepreparedIdMissingInBatch
        | RequestAttemptError::NonfinishedPagingState
        | _ => NONE,
    }
}
