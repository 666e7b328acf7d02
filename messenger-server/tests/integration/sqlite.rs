//! The default store: a local directory that keeps its data.

use std::path::Path;
use std::process::Command;

use crate::messenger_server;
use crate::process::run;
use crate::server::Server;

/// Returns a command that runs the program with its default store, in this directory.
fn in_directory(directory: &Path) -> Command {
    let mut command = messenger_server();
    command
        .env_remove("MESSENGER_STORE")
        .env("MESSENGER_LISTEN", "127.0.0.1:0")
        .current_dir(directory);
    command
}

#[test]
fn the_default_keeps_its_data_and_demo_fills_it_once() {
    let directory = tempfile::tempdir().unwrap();
    let inbox = "/api/conversations/user/alice?limit=1";
    let mut server = Server::start_as(in_directory(directory.path()).arg("--demo"));
    let first = server.get(inbox);
    assert!(!first["data"][0].is_null());
    assert!(
        directory
            .path()
            .join("messenger-data/messenger.db")
            .exists()
    );
    server.process.signal("TERM");
    assert!(server.process.wait().success());

    let server = Server::start_as(in_directory(directory.path()).arg("--demo"));
    assert_eq!(server.get(inbox)["data"], first["data"]);
}

#[test]
fn a_killed_server_has_everything_that_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start_as(&mut in_directory(directory.path()));
    let sent = crate::client::post(&server.address, "/api/messages/", crate::server::MESSAGE);
    assert_eq!(sent.status, 201);
    server.process.signal("KILL");
    server.process.wait();

    let server = Server::start_as(&mut in_directory(directory.path()));
    let inbox = server.get("/api/conversations/user/2");
    assert_eq!(inbox["data"][0]["last_message"]["preview"], "Hello");
}

#[test]
fn a_second_server_on_the_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Server::start_as(&mut in_directory(directory.path()));
    let error = run(&mut in_directory(directory.path())).failure();
    assert!(error.contains("another process has"), "{error}");
}

#[test]
fn a_backup_of_a_running_server_can_be_restored() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_as(&mut in_directory(directory.path()));
    assert_eq!(
        crate::client::post(&server.address, "/api/messages/", crate::server::MESSAGE).status,
        201
    );
    let restored = directory.path().join("restored");
    std::fs::create_dir(&restored).unwrap();
    let file = restored.join("messenger.db");
    let backup = || {
        let mut command = in_directory(directory.path());
        command.arg("backup").arg(&file);
        run(&mut command)
    };
    let said = backup().success();
    assert!(said.ends_with(" bytes\n"), "{said}");
    let error = backup().failure();
    assert!(error.contains("cannot create"), "{error}");

    let server = Server::start_as(in_directory(directory.path()).arg("--data").arg(&restored));
    let inbox = server.get("/api/conversations/user/2");
    assert_eq!(inbox["data"][0]["last_message"]["preview"], "Hello");
}

#[test]
fn a_flag_of_another_store_is_refused() {
    let error = run(messenger_server().args(["--store=memory", "--data=x"])).failure();
    assert!(
        error.contains("'--data' has no effect without '--store sqlite'"),
        "{error}"
    );
}
