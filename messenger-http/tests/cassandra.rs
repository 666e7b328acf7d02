//! The tests of `tests/integration`, unchanged, on a real Cassandra: the program that cargo has built
//! of them is run once more, and told where the node is.
//!
//! Without a Cassandra this is ignored with the reason, or fails if `MESSENGER_REQUIRE_CASSANDRA=1`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use libtest_mimic::{Arguments, Failed};
use testkit::cassandra::Nodes;

/// A test that no other crate's `integration` has.
const LANDMARK: &str = "document::the_document_is_the_golden_one";

fn main() {
    let name = "the_integration_tests_pass_on_cassandra";
    let trial = testkit::trial::with_shared(name, the_integration_tests_pass);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit()
}

fn the_integration_tests_pass(nodes: &Nodes) -> Result<(), Failed> {
    let nodes = nodes.contact_points().join(",");
    let url = format!("cassandra://{nodes}/messenger_http?replication=1&request_timeout=10s");
    let output = Command::new(integration_tests()?)
        .args(["--test-threads", "4"])
        .env("MESSENGER_HTTP_TEST_CASSANDRA", url)
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
