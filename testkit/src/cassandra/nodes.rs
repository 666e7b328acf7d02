//! Nodes that are there for everyone, to connect to but not to kill.

use super::{error::Unavailable, log::Log, node::Node, source::Source};

/// Nodes to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// The nodes as `host:port`, at least one.
    pub fn contact_points(&self) -> &[String] {
        &self.contact_points
    }

    /// Where the nodes come from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// All that the nodes have logged so far, one after the other; `None` for nodes named in the
    /// environment, whose log is elsewhere.
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
