//! The one node that all processes of a test run share.
//!
//! `cargo test --workspace` runs one test binary after another, and tests run examples. Whoever asks
//! first takes the lock in the run's directory, starts the node and writes down the outcome; the
//! others wait for the lock and read it. The run is named by its owner, the cargo process, and so is
//! the watchdog's task. What failed is written down too: it is not tried again by each binary.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
    sync::OnceLock,
    time::Duration,
};

use super::{
    environment, error::Unavailable, launch, nodes::Nodes, options::Options, outcome, probe,
    source::Source,
};
use crate::process::{identity::Identity, lock, state};

/// How long a process waits for another one that is starting the node: longer than that may take.
const LOCK_LIMIT: Duration = Duration::from_secs(900);
/// How long a node that is there may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The node that all processes of a test run share, started by the first one that asks: one node
/// with strict limits (see [`Builder::strict`](super::Builder::strict)), or those named in
/// `MESSENGER_CASSANDRA_NODES`. It ends within two seconds of the run. Blocks, about 10 s if it has
/// to start the node.
///
/// # Errors
///
/// [`Unavailable`] if there is none to be had, or if it does not answer. The first answer a process
/// gets is the one it keeps.
pub fn shared() -> Result<Nodes, Unavailable> {
    static ANSWER: OnceLock<Result<Nodes, Unavailable>> = OnceLock::new();
    ANSWER.get_or_init(look).clone()
}

fn look() -> Result<Nodes, Unavailable> {
    let named = environment::named_nodes();
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
        // It lives for a minute or two: what the second compiler would take of the processors in
        // that time it does not give back.
        jvm: vec!["-XX:TieredStopAtLevel=1".to_owned()],
        ..Options::default()
    };
    let launched = launch::launch(&options, dir)?;
    Ok(Nodes::new(launched.source, &launched.nodes))
}

/// Asks until there is an answer from one of the addresses of `host:port`.
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
