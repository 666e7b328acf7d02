//! The absence of a Cassandra, as an error.

use std::env;
use std::error;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// The error of a Cassandra that is missing or does not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    reason: String,
    missing: bool,
}

impl Unavailable {
    /// This machine has none: no Docker engine, no JDK, no access to the jars.
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

    /// Returns whether tests should be reported as ignored. They should not if a node that was named
    /// or started does not work, and never with `MESSENGER_REQUIRE_CASSANDRA=1`.
    pub fn is_skip(&self) -> bool {
        let required = env::var("MESSENGER_REQUIRE_CASSANDRA").unwrap_or_default();
        self.missing && matches!(required.as_str(), "" | "0")
    }

    /// Returns what was tried and why it failed, with the end of the node's log if there is one.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns whether another source may be tried.
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

/// An error of the files and processes of this crate is never a reason to skip a test.
impl From<io::Error> for Unavailable {
    fn from(error: io::Error) -> Self {
        Self::broken(error)
    }
}
