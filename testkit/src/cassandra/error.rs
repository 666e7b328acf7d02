//! Why there is no Cassandra, and whether that is a failure.

use std::{error, fmt, io};

use super::environment;

/// There is no Cassandra, or the one there was does not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    reason: String,
    missing: bool,
}

impl Unavailable {
    /// This machine has none: no Docker engine, no JDK, no way to the jars.
    pub(crate) fn missing(reason: impl fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
            missing: true,
        }
    }

    /// There should be one, and it does not work.
    pub(crate) fn broken(reason: impl fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
            missing: false,
        }
    }

    /// Whether tests should be reported as ignored. They should not if a node that was named or
    /// started does not work, and never with `MESSENGER_REQUIRE_CASSANDRA=1`.
    pub fn is_skip(&self) -> bool {
        self.missing && !environment::is_required()
    }

    /// What was tried and what was in the way, with the end of the node's log if there is one.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether another source may be tried.
    pub(crate) fn is_missing(&self) -> bool {
        self.missing
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.missing {
            "no Cassandra"
        } else {
            "Cassandra does not work"
        };
        write!(f, "{what}: {}", self.reason)
    }
}

impl error::Error for Unavailable {}

/// Trouble with files and processes of our own is never a reason to skip a test.
impl From<io::Error> for Unavailable {
    fn from(error: io::Error) -> Self {
        Self::broken(error)
    }
}
