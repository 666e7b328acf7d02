use std::fmt;
use std::str::FromStr;

use messenger_core::{Error, ErrorKind};

/// The number of replicas that must answer a read and acknowledge a write.
///
/// Only majorities are offered. With any other level a read could miss an acknowledged write, or
/// see a head that the next read does not, and an inbox could lose a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Consistency {
    /// A majority of the replicas in the local datacenter.
    #[default]
    LocalQuorum,
    /// A majority of all replicas in all datacenters.
    Quorum,
}

impl Consistency {
    const fn as_str(self) -> &'static str {
        match self {
            Self::LocalQuorum => "local_quorum",
            Self::Quorum => "quorum",
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Consistency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::LocalQuorum, Self::Quorum]
            .into_iter()
            .find(|level| text.eq_ignore_ascii_case(level.as_str()))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Malformed,
                    format!(
                        "consistency must be {} or {}, not {text:?}: only majorities let every \
                         read see what was acknowledged",
                        Self::LocalQuorum,
                        Self::Quorum
                    ),
                )
            })
    }
}
