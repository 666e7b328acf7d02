//! Where nodes come from.

use std::fmt;

/// Where a node comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Named in `MESSENGER_CASSANDRA_NODES`; it may hold other people's data.
    Environment,
    /// A container of `cassandra:5.0`.
    Docker,
    /// A process running the jars from Maven Central.
    Maven,
}

impl Source {
    pub(crate) const ALL: [Self; 3] = [Self::Environment, Self::Docker, Self::Maven];
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "environment",
            Self::Docker => "docker",
            Self::Maven => "maven",
        })
    }
}
