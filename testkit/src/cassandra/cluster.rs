//! A cluster of the caller's own.

use super::{
    error::Unavailable, launch, node::Node, nodes::Nodes, options::Options, source::Source,
};
use crate::process::state::State;

/// One node or a ring of three that belongs to the caller alone. Dropping it ends the nodes and
/// deletes their data; if the process is killed, the same happens within a second or two.
///
/// Replication: `NetworkTopologyStrategy`, datacenter `datacenter1`.
#[derive(Debug)]
pub struct Cluster {
    // Dropped first: it ends the nodes, which are then reaped.
    _state: State,
    nodes: Vec<Node>,
    source: Source,
}

impl Cluster {
    /// One node with a heap of 1 GB, with strict limits (see [`Builder::strict`]).
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A node, counted from zero.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Where the nodes come from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The nodes as `host:port`.
    pub fn contact_points(&self) -> Vec<String> {
        let addresses = self.nodes.iter().map(Node::address);
        addresses.map(|address| address.to_string()).collect()
    }
}

/// What a [`Cluster`] is to be like.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    options: Options,
}

impl Builder {
    /// How many nodes: one, or three as a ring in which each owns a third.
    ///
    /// # Panics
    ///
    /// If it is neither.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        assert!(matches!(nodes, 1 | 3), "one node or three, not {nodes}");
        self.options.nodes = nodes;
        self
    }

    /// The heap of each node in megabytes: 1024 for one node and 512 for each of three unless told;
    /// less than 256 will hardly start. A process takes about 500 more.
    #[must_use]
    pub fn heap_mb(mut self, megabytes: u32) -> Self {
        self.options.heap_mb = Some(megabytes);
        self
    }

    /// Whether a write is on disk before it is acknowledged (`commitlog_sync: batch`), for tests
    /// that kill a node and then look for every acknowledged write. Slower; off unless told.
    #[must_use]
    pub fn commitlog_batch(mut self, on: bool) -> Self {
        self.options.commitlog_batch = on;
        self
    }

    /// Whether the server is strict about the data model; on unless told. A read over 100
    /// tombstones, a logged batch over 5 KiB or an unlogged one over several partitions warns in
    /// the server's log; a read over 1,000 tombstones and a batch over 50 KiB fail. (What is said
    /// of batches by their size holds for those over more than one partition.)
    #[must_use]
    pub fn strict(mut self, on: bool) -> Self {
        self.options.strict = on;
        self
    }

    /// One more line for `cassandra.yaml`, such as `read_request_timeout: 500ms`. A key that is
    /// there already is an error of the server's.
    #[must_use]
    pub fn yaml(mut self, line: impl Into<String>) -> Self {
        self.options.yaml.push(line.into());
        self
    }

    /// One more argument for `java`, without blanks, such as
    /// `-Dcassandra.test.fail_writes_ks=KEYSPACE`, which fails every write to a keyspace, or
    /// `-XX:TieredStopAtLevel=1`, which saves a third of the processor time of a start where the
    /// server's speed afterwards does not matter.
    #[must_use]
    pub fn jvm(mut self, argument: impl Into<String>) -> Self {
        self.options.jvm.push(argument.into());
        self
    }

    /// Starts the cluster and returns when all its nodes answer and know each other: 10 s for one,
    /// half a minute for three, more where the image or the jars have to be downloaded first.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if there is neither Docker nor a JDK with `mvn`, or if the nodes are not
    /// ready within 120 seconds.
    pub fn start(self) -> Result<Cluster, Unavailable> {
        launch::check_system()?;
        let state = State::own()?;
        let launched = launch::launch(&self.options, state.dir())?;
        Ok(Cluster {
            nodes: launched.nodes,
            source: launched.source,
            _state: state,
        })
    }
}

/// What a cluster looks like to those who only connect to it.
impl From<&Cluster> for Nodes {
    fn from(cluster: &Cluster) -> Self {
        Self::new(cluster.source, &cluster.nodes)
    }
}
