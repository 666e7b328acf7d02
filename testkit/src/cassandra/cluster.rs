//! A cluster for the caller alone.

use super::config::Options;
use super::error::Unavailable;
use super::launch;
use super::node::Node;
use super::nodes::Nodes;
use super::source::Source;
use crate::process::state::State;

/// One node or a ring of three for the caller alone, in the datacenter `datacenter1`. Dropping it ends
/// the nodes and deletes their data. If the process is killed, the same happens within two seconds.
#[derive(Debug)]
pub struct Cluster {
    // Dropped first: it ends the nodes, which are then reaped.
    _state: State,
    nodes: Vec<Node>,
    source: Source,
}

impl Cluster {
    /// Returns a builder of one node with strict limits (see [`Builder::strict`]).
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Returns a node, counted from zero.
    ///
    /// # Panics
    ///
    /// If the node does not exist.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// Returns all nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the source of the nodes.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Returns the nodes as `host:port`.
    pub fn contact_points(&self) -> Vec<String> {
        let addresses = self.nodes.iter().map(Node::address);
        addresses.map(|address| address.to_string()).collect()
    }
}

/// The options of a [`Cluster`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    options: Options,
}

impl Builder {
    /// Sets the number of nodes: one (default), or three as a ring in which each owns a third.
    ///
    /// # Panics
    ///
    /// If the number is neither one nor three.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        assert!(matches!(nodes, 1 | 3), "one node or three, not {nodes}");
        self.options.nodes = nodes;
        self
    }

    /// Sets the heap of each node in megabytes. The default is 1024 for one node and 512 for each of
    /// three. Nodes hardly start with less than 256. A process takes about 500 more.
    #[must_use]
    pub fn heap_mb(mut self, megabytes: u32) -> Self {
        self.options.heap_mb = Some(megabytes);
        self
    }

    /// Sets whether a write is on disk before it is acknowledged (`commitlog_sync: batch`), for tests
    /// that kill a node and then look for every acknowledged write. Off by default, because it is
    /// slower.
    #[must_use]
    pub fn commitlog_batch(mut self, on: bool) -> Self {
        self.options.commitlog_batch = on;
        self
    }

    /// Sets whether the server is strict about the data model. On by default. A read over 100
    /// tombstones, a logged batch over 5 KiB and an unlogged batch over several partitions log a
    /// warning. A read over 1,000 tombstones and a batch over 50 KiB fail. The sizes apply to batches
    /// over more than one partition.
    #[must_use]
    pub fn strict(mut self, on: bool) -> Self {
        self.options.strict = on;
        self
    }

    /// Adds a line to `cassandra.yaml`, such as `read_request_timeout: 500ms`. The server refuses a
    /// key that is already there.
    #[must_use]
    pub fn yaml(mut self, line: impl Into<String>) -> Self {
        self.options.yaml.push(line.into());
        self
    }

    /// Adds an argument of `java`, without spaces, such as
    /// `-Dcassandra.test.fail_writes_ks=KEYSPACE`, which fails every write to a keyspace, or
    /// `-XX:TieredStopAtLevel=1`, which saves a third of the CPU time of a start if the speed of the
    /// server does not matter.
    #[must_use]
    pub fn jvm(mut self, argument: impl Into<String>) -> Self {
        self.options.jvm.push(argument.into());
        self
    }

    /// Starts the cluster, and returns when all its nodes answer and have seen each other. This takes
    /// 10 s for one node and 30 s for three, and longer if the image or the jars are downloaded.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if there is neither Docker nor a JDK with `mvn`, or if the nodes are not ready
    /// within 120 seconds.
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

/// A view of a cluster for clients that only connect to it.
impl From<&Cluster> for Nodes {
    fn from(cluster: &Cluster) -> Self {
        Self::new(cluster.source, &cluster.nodes)
    }
}
