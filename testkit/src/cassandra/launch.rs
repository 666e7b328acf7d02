//! Starting nodes from the first source that has any.

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process,
    time::Instant,
};

use super::{
    config::{self, Network},
    docker::{self, Container},
    environment,
    error::Unavailable,
    maven::Jdk,
    node::{Machine, Node, START_LIMIT},
    options::Options,
    source::Source,
};

/// Nodes that are ready.
pub(crate) struct Launched {
    pub(crate) source: Source,
    pub(crate) nodes: Vec<Node>,
}

/// Whether this is a system on which nodes can be started and, above all, ended.
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
/// If no source has nodes, with the reason of each; or if the nodes that were started do not work,
/// in which case they are killed.
pub(crate) fn launch(options: &Options, dir: &Path) -> Result<Launched, Unavailable> {
    let mut reasons = Vec::new();
    for &source in environment::sources()? {
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
    let maker: Box<dyn Maker> = match source {
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
    let started = ring(maker.as_ref(), &addresses, &mut nodes);
    if started.is_err() {
        for node in &nodes {
            // One that has ended cannot be killed, and the error is about something else.
            let _ = node.kill();
        }
    }
    started.map(|()| nodes)
}

/// Makes nodes of one kind.
trait Maker {
    /// Makes and starts a node. `seed` is what an earlier call gave, for the first node nothing.
    /// Gives the node, and how its peers name it.
    fn make(
        &self,
        index: usize,
        address: SocketAddr,
        seed: Option<&str>,
    ) -> Result<(Box<dyn Machine>, String), Unavailable>;
}

/// The first node, and the others as soon as it listens to its peers; then waits until each answers
/// its clients and has seen all the others.
fn ring(
    maker: &dyn Maker,
    addresses: &[SocketAddr],
    nodes: &mut Vec<Node>,
) -> Result<(), Unavailable> {
    let mut names: Vec<String> = Vec::new();
    let mut end = Instant::now() + START_LIMIT;
    for (index, &address) in addresses.iter().enumerate() {
        let seed = names.first().map(String::as_str);
        let (machine, name) = maker.make(index, address, seed)?;
        nodes.push(Node::new(address, machine));
        names.push(name);
        if index == 0 {
            // What came before may have been the pull of an image.
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

/// What a node logs when it does.
const LISTENS_TO_PEERS: &str = "Listening on address";

struct Processes<'a> {
    jdk: Jdk,
    dir: &'a Path,
    options: &'a Options,
}

impl Maker for Processes<'_> {
    fn make(
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

impl Maker for Containers<'_> {
    fn make(
        &self,
        index: usize,
        address: SocketAddr,
        seed: Option<&str>,
    ) -> Result<(Box<dyn Machine>, String), Unavailable> {
        let home = home(index);
        let network = Network {
            index,
            // A container's address is known only when it runs; its own name is known before.
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

/// The name of a node's directory. It holds the starter's pid because in a run's shared directory a
/// starter that was killed may have left a half-started node, which stays until the run ends.
fn home(index: usize) -> String {
    format!("n{}-{}", index + 1, process::id())
}

/// Port 9042 at 127.X.Y.1 and so on, where nothing listens to clients or peers.
///
/// Random, so that two who look at the same time hardly find the same.
fn free_addresses(nodes: usize) -> Result<Vec<SocketAddr>, Unavailable> {
    for _ in 0..100 {
        let [x, y, ..] = RandomState::new().hash_one(0).to_ne_bytes();
        // 127.0.0.0/16 is left to people, and 127.x.y.0 looks like a network.
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
