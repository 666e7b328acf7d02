//! Asks `testkit` for the node. It runs as a program, because as a dependency it would be compiled
//! into this crate's tests with everything that it needs to start a node.

use std::path::Path;
use std::process::Command;

use crate::messenger_server;

/// The address of the node.
pub(crate) struct Node(String);

/// The reason why there is no node.
pub(crate) enum NoNode {
    /// This machine has no Cassandra, and need not have one.
    Missing(String),
    /// There should be one, but it does not start.
    Broken(String),
}

impl Node {
    /// Returns the node of this test run. The first call starts it, and it ends with cargo. Without
    /// cargo, name a node in `MESSENGER_CASSANDRA_NODES`.
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

    /// Returns some nodes as `host:port`, separated by commas.
    pub(crate) fn address(&self) -> &str {
        &self.0
    }

    /// Returns a command that runs the server on this keyspace.
    pub(crate) fn program(&self, keyspace: &str) -> Command {
        self.on(messenger_server(), keyspace)
    }

    /// Returns a command that fills this keyspace with test data.
    pub(crate) fn generate(&self, keyspace: &str) -> Command {
        let mut command = messenger_server();
        command.arg("generate");
        self.on(command, keyspace)
    }

    fn on(&self, mut command: Command, keyspace: &str) -> Command {
        command
            .args(["--store", "cassandra", "--cassandra-nodes", self.address()])
            .args(["--cassandra-keyspace", keyspace]);
        command
    }
}

/// Returns a command that runs `testkit`, which a test run of the whole workspace has built.
fn testkit() -> Command {
    let ours = Path::new(env!("CARGO_BIN_EXE_messenger-server"));
    let built = ours.with_file_name(format!("testkit{}", std::env::consts::EXE_SUFFIX));
    if built.exists() {
        return Command::new(built);
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "testkit", "--"]);
    command
}
