//! The one node that all processes of a test run share.
//!
//! `cargo test --workspace` runs one test binary after another, and tests run programs. The first
//! process that asks takes the lock in the run's directory, starts the node and writes the outcome to
//! a file; the others wait for the lock and read the file. The owner of the run and of its watchdog is
//! the cargo process. A failure is written too, so that not every binary tries again.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use super::config::Options;
use super::error::Unavailable;
use super::nodes::Nodes;
use super::source::{self, Source};
use super::{launch, outcome, probe};
use crate::process::identity::Identity;
use crate::process::{lock, state};

/// The time limit of waiting for another process that starts the node: longer than a start.
const LOCK_LIMIT: Duration = Duration::from_secs(900);
/// The time limit of a running node to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Returns the node that all processes of a test run share, and starts it if necessary: one node with
/// strict limits (see [`Builder::strict`](super::Builder::strict)), or the nodes named in
/// `MESSENGER_CASSANDRA_NODES`. It ends within two seconds after the run. Blocks for about 10 s if it
/// starts the node.
///
/// # Errors
///
/// [`Unavailable`] if there is no Cassandra, or if it does not answer. A process keeps its first
/// result.
pub fn shared() -> Result<Nodes, Unavailable> {
    static ANSWER: OnceLock<Result<Nodes, Unavailable>> = OnceLock::new();
    ANSWER.get_or_init(look).clone()
}

fn look() -> Result<Nodes, Unavailable> {
    let named = source::named_nodes();
    let nodes = if named.is_empty() {
        of_this_run()?
    } else {
        Nodes {
            source: Source::Environment,
            contact_points: named,
            logs: Vec::new(),
        }
    };
    for node in nodes.contact_points() {
        answers(node).map_err(|error| broken(&nodes, node, &error))?;
    }
    Ok(nodes)
}

fn of_this_run() -> Result<Nodes, Unavailable> {
    launch::check_system()?;
    let owner = Identity::run_owner()?;
    let dir = state::of_run(owner)?;
    let _lock = lock::take(&dir.join("lock"), LOCK_LIMIT)?;
    let file = dir.join("outcome");
    if let Some(outcome) = outcome::read(&file)? {
        return outcome;
    }
    state::watch_run(&dir, owner)?;
    let outcome = start(&dir);
    outcome::write(&file, &outcome)?;
    outcome
}

fn start(dir: &Path) -> Result<Nodes, Unavailable> {
    let options = Options {
        // It lives for a minute or two, in which the second compiler would cost more CPU time than
        // it saves.
        jvm: vec!["-XX:TieredStopAtLevel=1".to_owned()],
        ..Options::default()
    };
    let launched = launch::launch(&options, dir)?;
    Ok(Nodes::new(launched.source, &launched.nodes))
}

/// Checks that one of the addresses of `host:port` answers.
fn answers(node: &str) -> io::Result<()> {
    let addresses: Vec<SocketAddr> = node.to_socket_addrs()?.collect();
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        match probe::ask(address, ANSWER_LIMIT) {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn broken(nodes: &Nodes, node: &str, error: &io::Error) -> Unavailable {
    let source = nodes.source();
    let tails: String = nodes.logs.iter().map(|log| log.tail()).collect();
    Unavailable::broken(format!(
        "the node {node} (from {source}) does not answer: {error}\n{tails}"
    ))
}
