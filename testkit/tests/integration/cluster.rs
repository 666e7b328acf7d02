//! A ring of three nodes, in one case because a start takes half a minute.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Completion, Failed, Trial};
use testkit::cassandra::Cluster;
use testkit::trial::verdict;

use crate::cql::{self, Consistency, holds};
use crate::leftovers::nothing_of;

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        Trial::ignorable_test("a_ring_loses_nodes_and_gets_them_back", ring),
        Trial::ignorable_test("a_node_that_cannot_start_says_why", cannot_start),
    ]
}

fn ring() -> Result<Completion, Failed> {
    let builder = Cluster::builder().nodes(3).commitlog_batch(true);
    match builder.jvm("-XX:TieredStopAtLevel=1").start() {
        Ok(cluster) => use_ring(cluster).map(|()| Completion::Completed),
        Err(unavailable) => verdict(unavailable),
    }
}

fn cannot_start() -> Result<Completion, Failed> {
    match Cluster::builder().yaml("no_such_key: 1").start() {
        Ok(_) => Err("it started".into()),
        Err(broken) if broken.reason().contains("no_such_key") => {
            assert!(
                !broken.is_skip(),
                "a node that is broken is no reason to skip a test"
            );
            Ok(Completion::Completed)
        }
        Err(unavailable) => verdict(unavailable),
    }
}

fn use_ring(cluster: Cluster) -> Result<(), Failed> {
    let addresses: Vec<_> = cluster.nodes().iter().map(|node| node.address()).collect();
    assert_eq!(addresses.len(), 3);
    assert!(cluster.nodes().iter().all(|node| node.answers()));
    write_everywhere(addresses[0])?;
    a_killed_node_comes_back_with_its_data(&cluster)?;
    a_paused_node_is_silent_until_it_resumes(&cluster)?;
    drop(cluster);
    for address in addresses {
        assert!(
            TcpStream::connect(address).is_err(),
            "{address} still accepts"
        );
    }
    nothing_of(std::process::id())
}

fn write_everywhere(node: SocketAddr) -> Result<(), Failed> {
    for statement in [
        "CREATE KEYSPACE k WITH replication = \
         {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}",
        "CREATE TABLE k.t (k text PRIMARY KEY, v text)",
    ] {
        cql::run(node, statement, Consistency::All)?;
    }
    // A driver would wait until the other nodes have the table too.
    let insert = "INSERT INTO k.t (k, v) VALUES ('key', 'survives')";
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match cql::run(node, insert, Consistency::All) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > end => return Err(error.into()),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn a_killed_node_comes_back_with_its_data(cluster: &Cluster) -> Result<(), Failed> {
    let node = cluster.node(1);
    node.kill()?;
    assert!(!node.answers());
    assert!(node.check().is_err());
    assert!(node.kill().is_err(), "killed twice");
    node.start()?;
    assert!(node.start().is_err(), "started twice");
    assert_eq!(node.log()?.matches("Startup complete").count(), 2);
    // While the others are paused, it can read only its own data.
    cluster.node(0).pause()?;
    cluster.node(2).pause()?;
    let read = "SELECT v FROM k.t WHERE k = 'key'";
    let answer = cql::run(node.address(), read, Consistency::One);
    cluster.node(0).resume()?;
    cluster.node(2).resume()?;
    assert!(holds(&answer?, "survives"));
    Ok(())
}

fn a_paused_node_is_silent_until_it_resumes(cluster: &Cluster) -> Result<(), Failed> {
    let node = cluster.node(2);
    node.pause()?;
    assert!(!node.answers());
    assert!(node.check().is_ok(), "paused is not ended");
    node.resume()?;
    node.check()?;
    assert!(node.answers());
    Ok(())
}
