//! Flags, environment variables and the help.

use crate::messenger_server;
use crate::process::{Running, run};
use crate::server::Server;

fn help(flags: &[&str]) -> String {
    run(messenger_server().args(flags)).success()
}

#[test]
fn the_help_is_in_groups_and_at_most_100_columns_wide() {
    for flags in [
        &["--help"][..],
        &["-h"],
        &["generate", "--help"],
        &["health-check", "--help"],
        #[cfg(feature = "jwt")]
        &["token", "--help"],
    ] {
        let help = help(flags);
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{flags:?}: {help}");
    }
    let help = help(&["--help"]);
    let headings = [
        "Commands",
        "Options",
        "Network",
        "Authentication",
        "Store",
        "Limits",
        "Log",
    ];
    for heading in headings {
        assert!(help.contains(&format!("\n{heading}:\n")), "{heading}");
    }
}

#[test]
fn every_flag_of_the_server_has_a_variable_named_after_it() {
    let help = help(&["--help"]);
    let mut flags = help
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--"))
        .map(|line| line.split([' ', '[']).next().unwrap())
        .filter(|flag| !["help", "version"].contains(flag))
        .peekable();
    assert!(flags.peek().is_some());
    for flag in flags {
        let name = flag.to_uppercase().replace('-', "_");
        let variable = format!("[env: MESSENGER_{name}]");
        assert!(help.contains(&variable), "{variable}: {help}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = format!("messenger-server {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(help(&["--version"]), version);
}

#[test]
fn flags_can_be_set_in_the_environment() {
    let mut command = messenger_server();
    command
        .env("MESSENGER_LISTEN", "127.0.0.1:0")
        .env("MESSENGER_STORE", "memory")
        .env("MESSENGER_DEMO", "1")
        .env("MESSENGER_SHUTDOWN_TIMEOUT", "5")
        .env("MESSENGER_LOG", "error");
    let mut server = Server::start_as(&mut command);
    assert!(!server.get("/api/conversations/user/alice")["data"][0].is_null());
    server.process.signal("TERM");
    assert!(server.process.wait().success());
    assert_eq!(server.process.log(), "");
}

#[test]
fn a_flag_overrides_its_variable() {
    let mut command = messenger_server();
    command
        .env("MESSENGER_LISTEN", "127.0.0.1:1")
        .env("MESSENGER_DEMO", "yes")
        .args(["--listen", "127.0.0.1:0", "--demo=no"]);
    let server = Server::start_as(&mut command);
    assert!(server.get("/api/conversations/user/alice")["data"][0].is_null());
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let help = help(&["--help"]);
    let variables = help
        .split("[env: ")
        .skip(1)
        .map(|rest| rest.split(']').next().unwrap());
    let mut command = messenger_server();
    for variable in variables {
        command.env(variable, "");
    }
    // The default store keeps its data in the current directory.
    let directory = tempfile::tempdir().unwrap();
    command
        .current_dir(&directory)
        .args(["--listen", "127.0.0.1:0"]);
    Server::start_as(&mut command).get("/health/ready");
}

#[test]
fn a_flag_that_would_be_ignored_is_refused() {
    for (flags, complaint) in [
        (
            &["--migrate"][..],
            "'--migrate' has no effect without '--store cassandra'",
        ),
        (
            &["--cassandra-nodes=127.0.0.1:1"],
            "'--cassandra-nodes' has no effect without '--store cassandra'",
        ),
        (
            &["--store=memory", "--cassandra-keyspace=x"],
            "'--cassandra-keyspace' has no effect without '--store cassandra'",
        ),
        (
            &["--store=cassandra", "--cassandra-replication=1"],
            "'--cassandra-replication' has no effect without '--migrate'",
        ),
        (&["--demo", "health-check"], "cannot be used with"),
    ] {
        let error = run(messenger_server().args(flags)).failure();
        assert!(error.contains(complaint), "{flags:?}: {error}");
    }
}

#[test]
fn a_variable_that_is_ignored_is_a_warning() {
    let mut command = messenger_server();
    command
        .env("MESSENGER_CASSANDRA_NODES", "127.0.0.1:1")
        .env("MESSENGER_MIGRATE", "true")
        .arg("--listen=127.0.0.1:0");
    let mut process = Running::start(&mut command);
    let warning = process.log_line();
    assert!(
        warning.contains("MESSENGER_CASSANDRA_NODES is set, but has no effect"),
        "{warning}"
    );
}

#[test]
fn a_wrong_flag_is_explained() {
    for (flags, complaint) in [
        (
            &["--listen=8000"][..],
            "'--listen <HOST:PORT>': it must be a host and a port, such as 127.0.0.1:8000",
        ),
        (&["--store=elsewhere"], "'--store <STORE>'"),
        (
            &["--log=info,x=loud"],
            "'--log <FILTER>': it must be a level",
        ),
        (&["--log-format=xml"], "possible values: text, json"),
        (
            &["--shutdown-timeout=soon"],
            "it must be a number of seconds, such as 30 or 0.5",
        ),
        (
            &["--shutdown-delay", "-1"],
            "it must be a number of seconds, such as 30 or 0.5",
        ),
        (
            &["token", "--expires-in=soon"],
            "it must be a number of seconds, such as 30 or 0.5",
        ),
    ] {
        let error = run(messenger_server().args(flags)).failure();
        assert!(error.contains(complaint), "{flags:?}: {error}");
        assert!(!error.contains("panicked"), "{flags:?}: {error}");
    }
}

#[test]
fn a_wrong_value_from_the_environment_names_its_variable() {
    for (variable, value, complaint) in [
        ("MESSENGER_LISTEN", "here", "'--listen <HOST:PORT>'"),
        ("MESSENGER_DEMO", "perhaps", "'--demo[=<BOOL>]'"),
        ("MESSENGER_STORE", "elsewhere", "'--store <STORE>'"),
        (
            "MESSENGER_MAX_CONNECTIONS",
            "0",
            "'--max-connections <NUMBER>': it must be a whole number, 1 or greater",
        ),
        (
            "MESSENGER_MAX_IN_FLIGHT",
            "many",
            "'--max-in-flight <NUMBER>': it must be a whole number, 1 or greater",
        ),
    ] {
        let error = run(messenger_server().env(variable, value)).failure();
        assert!(error.contains(complaint), "{error}");
        let variable = format!("environment variable {variable}.");
        assert!(error.contains(&variable), "{error}");
    }
}
