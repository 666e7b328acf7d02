//! The server's configuration: its yaml and the arguments that hold wherever it runs.

use std::fmt::Write;

use super::options::Options;

/// What `java` needs on JDK 17, as an argument file.
pub(crate) const JVM_OPTIONS: &str = include_str!("../../files/jvm.options");
/// One line on stdout for each event.
pub(crate) const LOGBACK: &str = include_str!("../../files/logback.xml");

/// Three equal parts of the ring; a single node has the middle one alone.
const TOKENS: [i64; 3] = [0, -6_148_914_691_236_517_206, 6_148_914_691_236_517_205];

/// How one node of a cluster is reached by its peers and by clients.
pub(crate) struct Network {
    /// Counted from zero.
    pub(crate) index: usize,
    /// Where peers connect to; without it, the address of the machine's name.
    pub(crate) listen: Option<String>,
    /// Where clients are listened for.
    pub(crate) rpc: String,
    /// Where clients connect to.
    pub(crate) broadcast_rpc: String,
    /// The first node, by address or name.
    pub(crate) seed: String,
}

/// The text of `cassandra.yaml`. Paths are absent: they follow from `cassandra.storagedir`.
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

/// A linter for the data model: far below the defaults (tombstones 1,000 and 100,000), so that a
/// table that would be in trouble with a year's data is in trouble in a test. ALLOW FILTERING cannot
/// be refused: the server takes that guardrail, and all of the newer ones, for ordinary users only,
/// and where nobody logs in, everybody counts as a superuser (tried on 5.0.8).
const STRICT: &str = "\
tombstone_warn_threshold: 100
tombstone_failure_threshold: 1000
batch_size_warn_threshold: 5KiB
batch_size_fail_threshold: 50KiB
unlogged_batch_across_partitions_warn_threshold: 1
";

/// The arguments for `java` that hold wherever the node runs.
pub(crate) fn jvm(options: &Options) -> Vec<String> {
    let heap = options.heap();
    let mut arguments = vec![
        format!("-Xms{heap}M"),
        format!("-Xmx{heap}M"),
        "-Dcassandra.skip_wait_for_gossip_to_settle=0".to_owned(),
        // With less, a node that is not a seed may not have heard of the others.
        "-Dcassandra.ring_delay_ms=5000".to_owned(),
        // Three nodes that have their tokens from the start may join at once.
        "-Dcassandra.consistent.rangemovement=false".to_owned(),
        "-Dcassandra.consistent.simultaneousmoves.allow=true".to_owned(),
    ];
    if !options.commitlog_batch {
        // Schema changes without an fsync each, for nodes that nobody expects to survive.
        arguments.push("-Dcassandra.unsafesystem=true".to_owned());
    }
    arguments.extend_from_slice(&options.jvm);
    arguments
}
