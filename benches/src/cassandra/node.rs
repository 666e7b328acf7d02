//! Where the node is.

use std::env;

use anyhow::Result;
use testkit::cassandra::{Cluster, Source, Unavailable};

/// Nodes to measure on: those named in `MESSENGER_CASSANDRA_NODES`, else one that ends with this.
#[derive(Debug)]
pub struct Node {
    contact_points: Vec<String>,
    source: Source,
    _own: Option<Cluster>,
}

/// Why there is no node.
pub type Missing = Unavailable;

impl Node {
    /// The named nodes, or one that is started.
    ///
    /// # Errors
    ///
    /// [`Missing`] when none is named and none can be started.
    ///
    /// # Panics
    ///
    /// If starting one panics.
    pub async fn find_or_start() -> Result<Self, Missing> {
        let named = env::var("MESSENGER_CASSANDRA_NODES").unwrap_or_default();
        if !named.is_empty() {
            return Ok(Self {
                contact_points: named.split(',').map(str::to_owned).collect(),
                source: Source::Environment,
                _own: None,
            });
        }
        let start = tokio::task::spawn_blocking(|| Cluster::builder().start());
        let own = start.await.expect("starting a node does not panic")?;
        Ok(Self {
            contact_points: own.contact_points(),
            source: own.source(),
            _own: Some(own),
        })
    }

    /// Where the nodes come from: figures of a container and of a process need not be alike.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The nodes as `host:port`.
    pub(super) fn contact_points(&self) -> &[String] {
        &self.contact_points
    }
}
