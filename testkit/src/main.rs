//! `cargo run -p testkit -- up [--nodes 3]`: a cluster for trying things by hand, until Ctrl-C.

use std::env;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use testkit::cassandra::{Cluster, Unavailable, shared};

const USAGE: &str = "\
usage: testkit up [--nodes 1|3]   starts a cluster that ends on Ctrl-C
       testkit shared             prints the node of this test run, and starts it if necessary
exit code 3: there is no Cassandra on this machine";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["up"] | ["up", "--nodes", "1"] => up(1),
        ["up", "--nodes", "3"] => up(3),
        ["shared"] => name_shared(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if error.is_skip() { 3 } else { 1 })
        }
    }
}

/// Ctrl-C ends the process, and the watchdog cleans up.
fn up(nodes: usize) -> Result<(), Unavailable> {
    eprintln!("starting {nodes} node(s); the first start includes a download");
    let cluster = Cluster::builder().nodes(nodes).start()?;
    println!(
        "MESSENGER_CASSANDRA_NODES={}",
        cluster.contact_points().join(",")
    );
    eprintln!(
        "from {}; datacenter1; Ctrl-C ends it and deletes its data",
        cluster.source()
    );
    loop {
        thread::sleep(Duration::from_secs(5));
        for node in cluster.nodes() {
            node.check()?;
        }
    }
}

fn name_shared() -> Result<(), Unavailable> {
    println!(
        "MESSENGER_CASSANDRA_NODES={}",
        shared()?.contact_points().join(",")
    );
    Ok(())
}
