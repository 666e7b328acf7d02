//! Nodes that are shared: to connect to, not to kill.

use serde::{Deserialize, Serialize};

use super::error::Unavailable;
use super::log::Log;
use super::node::Node;
use super::source::Source;

/// Nodes to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    pub(crate) source: Source,
    pub(crate) contact_points: Vec<String>,
    pub(crate) logs: Vec<Log>,
}

impl Nodes {
    pub(crate) fn new(source: Source, nodes: &[Node]) -> Self {
        Self {
            source,
            contact_points: nodes
                .iter()
                .map(|node| node.address().to_string())
                .collect(),
            logs: nodes.iter().map(Node::log_place).collect(),
        }
    }

    /// Returns the nodes as `host:port`. There is at least one.
    pub fn contact_points(&self) -> &[String] {
        &self.contact_points
    }

    /// Returns the source of the nodes.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Returns the logs of the nodes so far, one after the other, or `None` for nodes named in the
    /// environment, whose logs are elsewhere.
    ///
    /// # Errors
    ///
    /// If a log cannot be read.
    pub fn log(&self) -> Result<Option<String>, Unavailable> {
        if self.logs.is_empty() {
            return Ok(None);
        }
        let logs: Result<String, _> = self.logs.iter().map(Log::read).collect();
        Ok(Some(logs?))
    }
}
