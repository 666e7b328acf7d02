//! The shared node: one for a whole run, even if several processes ask at once.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use libtest_mimic::{Completion, Failed, Trial};
use testkit::cassandra::{Nodes, Source};
use testkit::trial::with_shared;

use crate::cql::{self, Consistency};
use crate::leftovers::nothing_of;
use crate::subject;

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        with_shared("the_shared_node_is_strict", is_strict),
        with_shared("nodes_named_in_the_environment_are_used", named_are_used),
        Trial::ignorable_test("a_run_has_one_node_and_ends_it", one_node_for_a_run),
    ]
}

fn is_strict(nodes: &Nodes) -> Result<(), Failed> {
    if nodes.source() == Source::Environment {
        return Ok(());
    }
    let node = nodes.contact_points()[0].parse()?;
    let run = |statement: &str| cql::run(node, statement, Consistency::One);
    let keyspace = format!("testkit_{}", std::process::id());
    let replication = "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}";
    run(&format!(
        "CREATE KEYSPACE {keyspace} WITH replication = {replication}"
    ))?;
    run(&format!(
        "CREATE TABLE {keyspace}.t (k int, c int, v text, PRIMARY KEY (k, c))"
    ))?;

    let big = "x".repeat(30_000);
    let insert = |k| format!("INSERT INTO {keyspace}.t (k, c, v) VALUES ({k}, 0, '{big}');");
    let batch = run(&format!(
        "BEGIN BATCH {}{} APPLY BATCH",
        insert(1),
        insert(2)
    ));
    let delete = |c| format!("DELETE FROM {keyspace}.t WHERE k = 3 AND c = {c};");
    let deletes: String = (0..1001).map(delete).collect();
    run(&format!("BEGIN UNLOGGED BATCH {deletes} APPLY BATCH"))?;
    let read = run(&format!("SELECT * FROM {keyspace}.t WHERE k = 3"));
    run(&format!("DROP KEYSPACE {keyspace}"))?;

    assert!(batch.is_err(), "a batch of 60 KB");
    assert!(read.is_err(), "a read over 1,001 tombstones");
    let log = nodes.log()?.unwrap_or_default();
    assert!(
        log.contains("tombstones") && log.contains(&keyspace),
        "the log has a warning"
    );
    Ok(())
}

fn named_are_used(nodes: &Nodes) -> Result<(), Failed> {
    let named = nodes.contact_points().join(",");
    let outcome = subject::run(&[("MESSENGER_CASSANDRA_NODES", &named), ("PATH", "")])?;
    assert!(outcome.text.contains("1 passed"), "{}", outcome.text);
    Ok(())
}

/// Starts a shell named cargo as the run. Two processes ask for the node at once and end. The node is
/// still there for a third. Then the run is killed.
fn one_node_for_a_run() -> Result<Completion, Failed> {
    let script = r#""$1" shared & "$1" shared; wait; "$1" shared; echo "$?"; read -r _"#;
    let mut run = subject::as_cargo(|cargo| {
        cargo
            .args(["-c", script, "run", env!("CARGO_BIN_EXE_testkit")])
            .stdin(Stdio::piped());
    })?;
    let lines = lines(&mut run)?;
    run.kill()?;
    run.wait()?;
    nothing_of(run.id())?;
    match &lines[..] {
        [code] if code == "3" => Ok(Completion::ignored_with(
            "no Cassandra (see the other cases)",
        )),
        [a, b, c, _] if a == b && b == c && a.contains("=127.") => Ok(Completion::Completed),
        _ => Err(format!("three times the same node was expected: {lines:?}").into()),
    }
}

/// Reads the lines up to the one that is an exit code.
fn lines(run: &mut Child) -> Result<Vec<String>, Failed> {
    let mut lines = Vec::new();
    for line in BufReader::new(run.stdout.take().ok_or("no output")?).lines() {
        let line = line?;
        let is_code = line.parse::<u8>().is_ok();
        lines.push(line);
        if is_code {
            return Ok(lines);
        }
    }
    Err(format!("the run ended: {lines:?}").into())
}
