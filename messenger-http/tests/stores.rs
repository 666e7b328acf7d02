//! The tests of `tests/integration`, unchanged, on SQLite and on a real Cassandra: the program that
//! cargo has built of them is run once more for each, and told where the store is.
//!
//! Without a Cassandra its run is ignored with the reason, or fails if `MESSENGER_REQUIRE_CASSANDRA=1`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use libtest_mimic::{Arguments, Failed, Trial};
use testkit::cassandra::Nodes;

/// A test that no other crate's `integration` has.
const LANDMARK: &str = "document::the_document_is_the_golden_one";

fn main() {
    let trials = vec![
        Trial::test("the_integration_tests_pass_on_sqlite", pass_on_sqlite),
        testkit::trial::with_shared("the_integration_tests_pass_on_cassandra", pass_on_cassandra),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

fn pass_on_sqlite() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().to_str().ok_or("the path is not UTF-8")?;
    pass_on(&format!("sqlite:{path}"))
}

fn pass_on_cassandra(nodes: &Nodes) -> Result<(), Failed> {
    let nodes = nodes.contact_points().join(",");
    pass_on(&format!(
        "cassandra://{nodes}/messenger_http?replication=1&request_timeout=10s"
    ))
}

/// Runs the program of the integration tests on a store.
fn pass_on(store: &str) -> Result<(), Failed> {
    let output = Command::new(integration_tests()?)
        .args(["--test-threads", "4"])
        .env("MESSENGER_HTTP_TEST_STORE", store)
        .output()?;
    let (told, failed) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    // Each case by its name, as those on the store in memory.
    println!("{told}");
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}\n{told}\n{failed}", output.status).into())
}

/// The newest program of `tests/integration` beside this one.
fn integration_tests() -> Result<PathBuf, Failed> {
    let here = std::env::current_exe()?;
    let folder = here.parent().ok_or("this program is in no folder")?;
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_one = name.is_some_and(|name| name.starts_with("integration-"))
            && path.extension().is_none_or(|extension| extension == "exe");
        if is_one && has_landmark(&path) {
            found.push((path.metadata()?.modified()?, path));
        }
    }
    let newest = found.into_iter().max();
    let (_, path) = newest.ok_or("run `cargo test -p messenger-http --test integration` first")?;
    Ok(path)
}

fn has_landmark(program: &Path) -> bool {
    let listed = Command::new(program).arg("--list").output();
    listed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(LANDMARK))
}
