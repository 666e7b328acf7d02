//! Runs each example as people run it.

#[path = "../../../messenger-server/tests/integration/client.rs"]
#[expect(dead_code, reason = "the tests of the server use the rest")]
mod client;
mod custom_store;
mod embed;
mod http;
#[path = "../../../messenger-server/tests/integration/process.rs"]
#[expect(dead_code, reason = "the tests of the server use the rest")]
mod process;

use std::process::Command;

/// Returns a command that runs an example. `cargo test` builds the examples of its package.
fn example(name: &str) -> Command {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let test = std::env::current_exe().expect("a test knows its path");
    let target = test.ancestors().nth(2).expect("tests are in deps");
    let path = target.join("examples").join(file);
    assert!(
        path.exists(),
        "the example {name} is not built: run `cargo build -p examples --examples`"
    );
    process::program(path)
}
