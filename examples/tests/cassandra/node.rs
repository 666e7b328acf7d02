//! Asks `testkit` for the node, as a program: as a dependency, all that it needs to start one would
//! also be built for who only runs an example.

use std::process::Command;

use crate::process::{example, target_dir};

/// Where the node is.
pub(crate) struct Node(String);

/// Why there is none.
pub(crate) enum NoNode {
    /// This machine has no Cassandra, and may do without.
    Missing(String),
    /// There should be one.
    Broken(String),
}

impl Node {
    /// The node of this test run, which is cargo's: who asks first starts it, and it ends with cargo.
    /// Who runs the tests without cargo names a node in `MESSENGER_CASSANDRA_NODES`.
    pub(crate) fn of_this_run() -> Result<Self, NoNode> {
        let output = testkit().arg("shared").output();
        let output = output.map_err(|error| NoNode::Broken(format!("no testkit: {error}")))?;
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => {}
            Some(3) => return Err(NoNode::Missing(reason)),
            _ => return Err(NoNode::Broken(reason)),
        }
        let line = String::from_utf8_lossy(&output.stdout);
        line.trim()
            .strip_prefix("MESSENGER_CASSANDRA_NODES=")
            .map(|nodes| Self(nodes.to_owned()))
            .ok_or_else(|| NoNode::Broken(format!("testkit said {line}")))
    }

    /// Some nodes as `host:port`, with commas between them.
    pub(crate) fn address(&self) -> &str {
        &self.0
    }

    /// An example, with the flags for this keyspace.
    pub(crate) fn example(&self, name: &str, keyspace: &str) -> Command {
        let mut command = example(name);
        command
            .args(["--store", "cassandra", "--cassandra-nodes", self.address()])
            .args(["--cassandra-keyspace", keyspace]);
        command
    }
}

/// A test run of the whole workspace has built it.
fn testkit() -> Command {
    let built = target_dir().join(format!("testkit{}", std::env::consts::EXE_SUFFIX));
    if built.exists() {
        return Command::new(built);
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "testkit", "--"]);
    command
}
