//! The options of a cluster, and the configuration of the server that follows from them.

use std::fmt::Write;

/// The options of all nodes of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// One or three.
    pub(crate) nodes: usize,
    /// Megabytes. `None` means 1024 for one node and 512 for each of three.
    pub(crate) heap_mb: Option<u32>,
    /// A write is on disk before it is acknowledged.
    pub(crate) commitlog_batch: bool,
    /// The limits of the server are far below its defaults.
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

/// The arguments that `java` needs on JDK 17, as an argument file.
pub(crate) const JVM_OPTIONS: &str = include_str!("../../files/jvm.options");
/// Logs one line on stdout for each event.
pub(crate) const LOGBACK: &str = include_str!("../../files/logback.xml");

/// Three equal parts of the ring. A single node takes the first.
const TOKENS: [i64; 3] = [0, -6_148_914_691_236_517_206, 6_148_914_691_236_517_205];

/// The addresses of a node for its peers and its clients.
pub(crate) struct Network {
    /// Counted from zero.
    pub(crate) index: usize,
    /// The address for peers. `None` means the address of the host name.
    pub(crate) listen: Option<String>,
    /// The address that listens for clients.
    pub(crate) rpc: String,
    /// The address that clients connect to.
    pub(crate) broadcast_rpc: String,
    /// The first node, by address or name.
    pub(crate) seed: String,
}

/// Returns the text of `cassandra.yaml`, without paths: they follow from `cassandra.storagedir`.
pub(crate) fn yaml(network: &Network, options: &Options) -> String {
    let mut yaml = format!(
        "\
cluster_name: testkit
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
num_tokens: 1
initial_token: \"{token}\"
auto_bootstrap: false
rpc_address: {rpc}
broadcast_rpc_address: {broadcast}
storage_port: 7000
native_transport_port: 9042
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: \"{seed}\"
commitlog_segment_size: 8MiB
auto_snapshot: false
memtable_allocation_type: heap_buffers
memtable_heap_space: 64MiB
key_cache_size: 16MiB
concurrent_reads: 8
concurrent_writes: 8
concurrent_compactors: 1
disk_access_mode: standard
",
        token = TOKENS[network.index],
        rpc = network.rpc,
        broadcast = network.broadcast_rpc,
        seed = network.seed,
    );
    if let Some(listen) = &network.listen {
        let _ = writeln!(yaml, "listen_address: {listen}");
    }
    yaml.push_str(if options.commitlog_batch {
        "commitlog_sync: batch\n"
    } else {
        "commitlog_sync: periodic\ncommitlog_sync_period: 10s\n"
    });
    if options.strict {
        yaml.push_str(STRICT);
    }
    for line in &options.yaml {
        let _ = writeln!(yaml, "{line}");
    }
    yaml
}

/// Limits far below the defaults (tombstones 1,000 and 100,000), so that a table that would fail with
/// a year of data fails in a test. ALLOW FILTERING cannot be refused: the server applies this
/// guardrail and all newer ones to ordinary users only, and without a login everybody is a superuser
/// (tried on 5.0.8).
const STRICT: &str = "\
tombstone_warn_threshold: 100
tombstone_failure_threshold: 1000
batch_size_warn_threshold: 5KiB
batch_size_fail_threshold: 50KiB
unlogged_batch_across_partitions_warn_threshold: 1
";

/// Returns the arguments of `java` for processes and containers alike.
pub(crate) fn jvm(options: &Options) -> Vec<String> {
    let heap = options.heap();
    let mut arguments = vec![
        format!("-Xms{heap}M"),
        format!("-Xmx{heap}M"),
        "-Dcassandra.skip_wait_for_gossip_to_settle=0".to_owned(),
        // With less, a node that is not a seed may not have seen the others.
        "-Dcassandra.ring_delay_ms=5000".to_owned(),
        // Three nodes with fixed tokens may join at once.
        "-Dcassandra.consistent.rangemovement=false".to_owned(),
        "-Dcassandra.consistent.simultaneousmoves.allow=true".to_owned(),
    ];
    if !options.commitlog_batch {
        // No fsync for each schema change, for nodes that are not expected to survive.
        arguments.push("-Dcassandra.unsafesystem=true".to_owned());
    }
    arguments.extend_from_slice(&options.jvm);
    arguments
}
