//! The text of a case that fails.

use std::error::Error as _;
use std::fmt::{self, Write as _};

use crate::Error;

/// The reason why a store did not pass: a text with what was done, what was expected and what the
/// store returned.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// Creates a failure with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Puts what was being done in front of the text.
    #[must_use]
    pub(crate) fn during(self, what: impl fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

/// As `Display`, because `unwrap` and a test that returns a `Result` print this one.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut text = match error.operation() {
            Some(operation) => format!("`{operation}` failed: {}", error.message()),
            None => format!("a call failed: {}", error.message()),
        };
        // Writing to a `String` cannot fail.
        let _ = match error.outcome() {
            Some(outcome) => write!(text, " ({}, {outcome})", error.kind()),
            None => write!(text, " ({})", error.kind()),
        };
        let mut cause = error.source();
        while let Some(source) = cause {
            let _ = write!(text, "; caused by: {source}");
            cause = source.source();
        }
        Self(text)
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        if !error.is_panic() {
            return Self("a task of the case was cancelled".into());
        }
        let panic = error.into_panic();
        let message = panic
            .downcast_ref::<&str>()
            .map(|message| (*message).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".into());
        Self(format!("the store, or the case, panicked: {message}"))
    }
}

/// The result of a check.
pub(crate) type Checked = Result<(), Failure>;

/// Returns a failure with the text unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::conformance::Failure::new(format!($($text)+)));
        }
    };
}

pub(crate) use ensure;
