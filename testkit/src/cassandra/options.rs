//! What a cluster is to be like.

/// The options of all nodes of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// One or three.
    pub(crate) nodes: usize,
    /// Megabytes; without it 1024 for one node and 512 for each of three.
    pub(crate) heap_mb: Option<u32>,
    /// Whether a write is on disk before it is acknowledged.
    pub(crate) commitlog_batch: bool,
    /// Whether the server's limits are far below its defaults.
    pub(crate) strict: bool,
    /// More lines for `cassandra.yaml`.
    pub(crate) yaml: Vec<String>,
    /// More arguments for `java`.
    pub(crate) jvm: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 1,
            heap_mb: None,
            commitlog_batch: false,
            strict: true,
            yaml: Vec::new(),
            jvm: Vec::new(),
        }
    }
}

impl Options {
    pub(crate) fn heap(&self) -> u32 {
        let default = if self.nodes == 1 { 1024 } else { 512 };
        self.heap_mb.unwrap_or(default)
    }
}
