//! The sources of nodes, and their order according to the environment.

use std::env;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::Unavailable;

/// The source of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Named in `MESSENGER_CASSANDRA_NODES`. It may hold other data.
    Environment,
    /// A container of `cassandra:5.0`.
    Docker,
    /// A process that runs the jars from Maven Central.
    Maven,
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

/// Returns the sources to start nodes from, in order.
pub(crate) fn sources() -> Result<&'static [Source], Unavailable> {
    let from = env::var("MESSENGER_CASSANDRA_FROM").unwrap_or_default();
    match from.as_str() {
        "" => Ok(&[Source::Docker, Source::Maven]),
        "docker" => Ok(&[Source::Docker]),
        "maven" => Ok(&[Source::Maven]),
        other => Err(Unavailable::broken(format!(
            "MESSENGER_CASSANDRA_FROM is {other:?}, not docker or maven"
        ))),
    }
}

/// Returns the nodes to use instead of starting any, as `host:port`.
pub(crate) fn named_nodes() -> Vec<String> {
    let named = env::var("MESSENGER_CASSANDRA_NODES").unwrap_or_default();
    split(&named)
}

fn split(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|node| !node.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn nodes_are_separated_by_commas() {
        assert_eq!(split("a:1, b:2,"), ["a:1", "b:2"]);
        assert!(split("").is_empty());
    }
}
