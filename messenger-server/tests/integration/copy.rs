//! Moving from one store to another.

use std::path::Path;

use crate::messenger_server;
use crate::process::{Ended, Running, run, until};

const DATA: &str = "--store sqlite --until 2026-01-01T00:00:00Z --messages 20000 --data";

fn copy(from: &str, to: &str) -> std::process::Command {
    let mut command = messenger_server();
    command.args(["copy", "--from", from, "--to", to]);
    command
}

fn place(directory: &Path, name: &str) -> String {
    format!("sqlite:{}", directory.join(name).display())
}

fn generate(directory: &Path, name: &str) -> Ended {
    let mut command = messenger_server();
    command.arg("generate").args(DATA.split(' '));
    run(command.arg(directory.join(name)))
}

#[test]
fn a_copy_that_was_killed_goes_on_and_ends_with_the_same() {
    let directory = tempfile::tempdir().unwrap();
    generate(directory.path(), "one").success();
    let (one, two) = (
        place(directory.path(), "one"),
        place(directory.path(), "two"),
    );
    let mut killed = Running::start(copy(&one, &two).arg("--concurrency=4"));
    let size = |name: &str| {
        let log = directory.path().join(name).join("messenger.db-wal");
        std::fs::metadata(log).map_or(0, |file| file.len())
    };
    until(|| size("two") > 100_000);
    killed.signal("KILL");
    assert!(!killed.wait().success());

    for to in ["two", "two", "three"] {
        let said = run(&mut copy(&one, &place(directory.path(), to))).success();
        assert_eq!(
            said,
            "20000 messages and changes in 75 conversations of 32 users: both stores hold the same\n"
        );
    }
}

#[test]
fn what_cannot_be_copied_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    generate(directory.path(), "one").success();
    let mut other = messenger_server();
    other.args([
        "generate",
        "--store=sqlite",
        "--users=40",
        "--conversations=500",
        "--data",
    ]);
    run(other.arg(directory.path().join("other"))).success();

    let (one, new) = (
        place(directory.path(), "one"),
        place(directory.path(), "new"),
    );
    for (from, to, complaint) in [
        (
            "one",
            &*new,
            "--from: it must be sqlite:DIR or cassandra://",
        ),
        (
            "sqlite:",
            &new,
            "--from: sqlite: needs a directory after it",
        ),
        (
            &place(directory.path(), "none"),
            &new,
            "--from: there is no ",
        ),
        (&one, &one, "--from and --to are the same store"),
        (
            &one,
            &place(directory.path(), "other"),
            "whom the source does not know",
        ),
        (&one, "cassandra://me:secret@", "--to: "),
    ] {
        let error = run(&mut copy(from, to)).failure();
        assert!(error.contains(complaint), "{from} {to}: {error}");
        assert!(!error.contains("secret"), "{error}");
        assert!(!directory.path().join("none").exists());
    }
    let error = run(copy(&one, &new).arg("--migrate")).failure();
    assert!(error.contains("--migrate has no effect"), "{error}");
}

#[test]
fn a_store_that_a_server_uses_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = messenger_server();
    server.args(["--store=sqlite", "--listen=127.0.0.1:0", "--data"]);
    let mut server = Running::start(server.arg(directory.path().join("one")));
    server.line();
    let (one, two) = (
        place(directory.path(), "one"),
        place(directory.path(), "two"),
    );
    let error = run(&mut copy(&one, &two)).failure();
    assert!(error.contains("another process has"), "{error}");
}
