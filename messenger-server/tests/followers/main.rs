//! Followers miss nothing: they are cut off at random and resume on another server, while people
//! send, edit, unsend and mark as read. At the end each has every message in its last version, or the
//! entry of the inbox as it is.
//!
//! On SQLite the one server is restarted meanwhile; on Cassandra there are two. Set
//! `MESSENGER_FOLLOWED_MESSAGES` and `MESSENGER_FOLLOWERS` for more than the few that a test run has.

mod follower;
#[path = "../cassandra/node.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod node;
#[path = "../integration/process.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod process;
mod world;

use std::process::Command;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use node::{NoNode, Node};
use process::Running;
use world::{Sizes, World};

fn main() {
    let trials = vec![
        Trial::test("on_sqlite_over_restarts", on_sqlite),
        Trial::ignorable_test("on_two_servers_of_one_cassandra", on_cassandra),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

/// A server, until this is dropped.
struct Server {
    process: Running,
    address: String,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut process = Running::start(command);
        let (address, _) = process.address();
        Self { process, address }
    }
}

/// Returns a command that runs the program.
fn messenger_server() -> Command {
    process::program(env!("CARGO_BIN_EXE_messenger-server"))
}

fn on_sqlite() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let start = |listen: &str| {
        let mut command = messenger_server();
        command
            .args(["--listen", listen, "--data"])
            .arg(data.path());
        Server::start(&mut command)
    };
    let first = start("127.0.0.1:0");
    let address = first.address.clone();
    run(vec![address.clone()], Some((first, &|| start(&address))))
}

fn on_cassandra() -> Result<Completion, Failed> {
    let node = match Node::of_this_run() {
        Ok(node) => node,
        Err(NoNode::Missing(reason)) => return Ok(Completion::ignored_with(reason)),
        Err(NoNode::Broken(reason)) => return Err(reason.into()),
    };
    let start = |flags: &[&str]| {
        let mut command = node.program("followers");
        Server::start(command.args(["--listen=127.0.0.1:0"]).args(flags))
    };
    let servers = [
        start(&["--migrate", "--cassandra-replication", "1"]),
        start(&[]),
    ];
    let addresses = servers.iter().map(|server| server.address.clone());
    run(addresses.collect(), None)?;
    Ok(Completion::Completed)
}

/// Runs the world on these servers. A server that is given with a way to start it again is killed in
/// the middle.
fn run(
    addresses: Vec<String>,
    restarted: Option<(Server, &dyn Fn() -> Server)>,
) -> Result<(), Failed> {
    let sizes = Sizes::from_environment();
    let runtime = tokio::runtime::Runtime::new()?;
    let world = World::new(addresses, sizes);
    let running = runtime.spawn(world.run());
    let server = restarted.map(|(mut server, start)| {
        std::thread::sleep(sizes.time_to_restart());
        server.process.signal("KILL");
        server.process.wait();
        drop(server);
        start()
    });
    let figures = runtime.block_on(running)?;
    drop(server);
    println!("{figures}");
    Ok(())
}
