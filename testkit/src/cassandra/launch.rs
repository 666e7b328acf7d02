//! Starting nodes from the first source that is available.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process;
use std::time::Instant;

use super::config::{self, Network, Options};
use super::docker::{self, Container};
use super::error::Unavailable;
use super::maven::Jdk;
use super::node::{Machine, Node, START_LIMIT};
use super::source::{self, Source};

/// Nodes that are ready.
pub(crate) struct Launched {
    pub(crate) source: Source,
    pub(crate) nodes: Vec<Node>,
}

/// Checks that nodes can be started, and above all ended, on this system.
pub(crate) fn check_system() -> Result<(), Unavailable> {
    if cfg!(target_os = "linux") {
        return Ok(());
    }
    let reason = "nodes are started on Linux only; name some in MESSENGER_CASSANDRA_NODES";
    Err(Unavailable::missing(reason))
}

/// Starts nodes whose files are under `dir`, and waits until they are ready.
///
/// # Errors
///
/// If no source is available, with the reason of each, or if the nodes that were started do not work,
/// in which case they are killed.
pub(crate) fn launch(options: &Options, dir: &Path) -> Result<Launched, Unavailable> {
    let mut reasons = Vec::new();
    for &source in source::sources()? {
        match from(source, options, dir) {
            Ok(nodes) => return Ok(Launched { source, nodes }),
            Err(error) if error.is_missing() => {
                reasons.push(format!("from {source}: {}", error.reason()));
            }
            Err(error) => return Err(error),
        }
    }
    Err(Unavailable::missing(reasons.join("; ")))
}

fn from(source: Source, options: &Options, dir: &Path) -> Result<Vec<Node>, Unavailable> {
    let starter: Box<dyn Starter> = match source {
        Source::Docker => {
            docker::find()?;
            Box::new(Containers { dir, options })
        }
        _ => Box::new(Processes {
            jdk: Jdk::find(dir)?,
            dir,
            options,
        }),
    };
    let addresses = free_addresses(options.nodes)?;
    let mut nodes = Vec::new();
    let started = ring(starter.as_ref(), &addresses, &mut nodes);
    if started.is_err() {
        for node in &nodes {
            // A node that has ended cannot be killed. The error of the start is more useful.
            let _ = node.kill();
        }
    }
    started.map(|()| nodes)
}

/// Creates nodes from one source.
trait Starter {
    /// Creates and starts a node, and returns it with its name for peers. `seed` is the name of the
    /// first node.
    fn start(
        &self,
        index: usize,
        address: SocketAddr,
        seed: Option<&str>,
    ) -> Result<(Box<dyn Machine>, String), Unavailable>;
}

/// Starts the first node, and the others when it listens to its peers. Then waits until each answers
/// clients and has seen all others.
fn ring(
    starter: &dyn Starter,
    addresses: &[SocketAddr],
    nodes: &mut Vec<Node>,
) -> Result<(), Unavailable> {
    let mut names: Vec<String> = Vec::new();
    let mut end = Instant::now() + START_LIMIT;
    for (index, &address) in addresses.iter().enumerate() {
        let seed = names.first().map(String::as_str);
        let (machine, name) = starter.start(index, address, seed)?;
        nodes.push(Node::new(address, machine));
        names.push(name);
        if index == 0 {
            // The start may have pulled an image.
            end = Instant::now() + START_LIMIT;
            if addresses.len() > 1 {
                nodes[0].wait_for_log(end, LISTENS_TO_PEERS)?;
            }
        }
    }
    for (index, node) in nodes.iter().enumerate() {
        node.wait_until_ready(end)?;
        for (_, name) in names
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index)
        {
            node.wait_for_log(end, &format!("{name}:7000 is now UP"))?;
        }
    }
    Ok(())
}

/// The log line of a node that listens to its peers.
const LISTENS_TO_PEERS: &str = "Listening on address";

struct Processes<'a> {
    jdk: Jdk,
    dir: &'a Path,
    options: &'a Options,
}

impl Starter for Processes<'_> {
    fn start(
        &self,
        index: usize,
        address: SocketAddr,
        seed: Option<&str>,
    ) -> Result<(Box<dyn Machine>, String), Unavailable> {
        let own = address.ip().to_string();
        let network = Network {
            index,
            listen: Some(own.clone()),
            rpc: own.clone(),
            broadcast_rpc: own.clone(),
            seed: seed.unwrap_or(&own).to_owned(),
        };
        let yaml = config::yaml(&network, self.options);
        let home = self.dir.join(home(index));
        let machine = self.jdk.prepare(&home, &yaml, self.options)?;
        machine.begin()?;
        Ok((Box::new(machine), own))
    }
}

struct Containers<'a> {
    dir: &'a Path,
    options: &'a Options,
}

impl Starter for Containers<'_> {
    fn start(
        &self,
        index: usize,
        address: SocketAddr,
        seed: Option<&str>,
    ) -> Result<(Box<dyn Machine>, String), Unavailable> {
        let home = home(index);
        let network = Network {
            index,
            // The address of a container is known only after its start, its name before.
            listen: None,
            rpc: "0.0.0.0".to_owned(),
            broadcast_rpc: address.ip().to_string(),
            seed: seed.unwrap_or(&home).to_owned(),
        };
        let yaml = config::yaml(&network, self.options);
        let machine = Container::run(self.dir, &home, address, &yaml, self.options)?;
        let name = machine.peer_address()?;
        Ok((Box::new(machine), name))
    }
}

/// Returns the name of a node's directory. It contains the pid of this process, because a killed
/// process of the same run may have left a half-started node until the end of the run.
fn home(index: usize) -> String {
    format!("n{}-{}", index + 1, process::id())
}

/// Returns port 9042 at 127.X.Y.1 and so on, where nothing listens yet. X and Y are random, so that
/// two processes hardly choose the same.
fn free_addresses(nodes: usize) -> Result<Vec<SocketAddr>, Unavailable> {
    for _ in 0..100 {
        let [x, y, ..] = RandomState::new().hash_one(0).to_ne_bytes();
        // 127.0.0.0/16 is left to others, and 127.x.y.0 looks like a network.
        let ips = (1..)
            .take(nodes)
            .map(|z| Ipv4Addr::new(127, x.max(1), y, z));
        let is_free = |ip: Ipv4Addr| [7000, 9042].map(|port| TcpListener::bind((ip, port)));
        let ips: Vec<_> = ips.collect();
        if ips.iter().all(|&ip| is_free(ip).iter().all(Result::is_ok)) {
            return Ok(ips.iter().map(|&ip| (ip, 9042).into()).collect());
        }
    }
    Err(Unavailable::missing(
        "no loopback address 127.X.Y.1 with free ports 7000 and 9042 (only Linux has more than one)",
    ))
}
