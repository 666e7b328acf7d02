//! The cases.

use std::process::Command;

use futures_util::TryStreamExt as _;
use messenger_cassandra::{CassandraConfig, CassandraStore};
use messenger_core::{Message, Messenger};
use messenger_memory::MemoryStore;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use messenger_server::generate::{Plan, Sizes, generate, user_id};

use crate::client::{Answer, Request, get, post};
use crate::node::Node;
use crate::process::{Running, run};

/// A case and its name.
pub(crate) type Case = (&'static str, fn(&Node));

/// All of them.
pub(crate) const CASES: &[Case] = &[
    (
        "the_server_keeps_its_messages_over_a_restart",
        the_server_keeps_its_messages_over_a_restart,
    ),
    ("demo_data_is_added_once", demo_data_is_added_once),
    (
        "a_repeated_run_of_generate_adds_nothing",
        a_repeated_run_of_generate_adds_nothing,
    ),
    (
        "everything_moves_from_sqlite_to_cassandra_and_back",
        everything_moves_from_sqlite_to_cassandra_and_back,
    ),
    (
        "a_problem_with_the_cluster_is_one_line",
        a_problem_with_the_cluster_is_one_line,
    ),
];

const NEW: [&str; 3] = ["--migrate", "--cassandra-replication", "1"];

/// A server on a port of its own.
struct Server {
    process: Running,
    address: String,
}

impl Server {
    fn start(node: &Node, keyspace: &str, flags: &[&str]) -> Self {
        let mut command = node.program(keyspace);
        command.args(["--listen=127.0.0.1:0"]).args(flags);
        Self::start_on(command, "cassandra")
    }

    fn start_on(mut command: Command, store: &str) -> Self {
        let mut process = Running::start(&mut command);
        let (address, line) = process.address();
        assert!(line.ends_with(&format!("store: {store})\n")), "{line}");
        Self { process, address }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let answer = get(&self.address, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Stops it, and returns its log.
    #[track_caller]
    fn stop(mut self) -> String {
        self.process.signal("TERM");
        let status = self.process.wait();
        let log = self.process.log();
        assert!(status.success(), "{log}");
        log
    }
}

fn the_server_keeps_its_messages_over_a_restart(node: &Node) {
    let server = Server::start(node, "server_restart", &NEW);
    assert_eq!(server.get("/health/ready")["status"], "ok");
    let body = r#"{"sender_id": "ann", "receiver_id": "ben", "content": "Do you keep this?"}"#;
    let sent = post(&server.address, "/api/messages/", body);
    assert_eq!(sent.status, 201, "{}", sent.body);
    let message = sent.json();
    let metrics = get(&server.address, "/metrics").body;
    assert!(
        metrics.contains("messenger_store_call_duration_seconds_bucket{operation=\"put\""),
        "{metrics}"
    );
    server.stop();

    let server = Server::start(node, "server_restart", &[]);
    let conversation = message["conversation_id"].as_str().unwrap();
    let history = server.get(&format!("/api/messages/conversation/{conversation}"));
    assert_eq!(history["data"][0], message);
    let inbox = server.get("/api/conversations/user/ben");
    assert_eq!(inbox["data"][0]["last_message"]["id"], message["id"]);
    server.stop();
}

fn demo_data_is_added_once(node: &Node) {
    let flags = [&NEW[..], &["--demo"]].concat();
    let server = Server::start(node, "server_demo", &flags);
    let inbox = server.get("/api/conversations/user/alice");
    assert!(!inbox["data"][0].is_null());
    server.stop();

    let server = Server::start(node, "server_demo", &flags);
    assert_eq!(
        server.get("/api/conversations/user/alice")["data"],
        inbox["data"]
    );
    let log = server.stop();
    assert!(log.contains("no test data was added"), "{log}");
}

fn a_repeated_run_of_generate_adds_nothing(node: &Node) {
    let flags = "--users 5 --conversations 6 --messages 90 --seed 7 --until 2026-01-01T00:00:00Z";
    let sizes = Sizes {
        users: 5,
        conversations: 6,
        messages: 90,
        ..Sizes::default()
    };
    let plan = Plan::new(sizes, 7, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    let runtime = Runtime::new().unwrap();
    let planned = runtime.block_on(async {
        let messenger = Messenger::new(MemoryStore::new());
        generate(&messenger, &plan, 1, || ()).await.unwrap();
        messages(&messenger).await
    });
    assert_eq!(planned.len(), 90);

    for _ in 0..2 {
        let mut command = node.generate("server_generate");
        run(command.args(NEW).args(flags.split(' '))).success();
        let stored = runtime.block_on(async {
            let config =
                CassandraConfig::new(node.address().split(',')).with_keyspace("server_generate");
            let store = CassandraStore::connect(&config).await.unwrap();
            messages(&Messenger::new(store)).await
        });
        assert_eq!(stored, planned);
    }
}

/// Returns all messages of the first five users, in the order of their ids.
async fn messages(messenger: &Messenger) -> Vec<Message> {
    let mut messages = Vec::new();
    for user in 1..=5 {
        let inbox = messenger.inbox_stream(user_id(user));
        let inbox: Vec<_> = inbox.try_collect().await.unwrap();
        for conversation in inbox {
            let history = messenger.history_stream(conversation.id());
            messages.append(&mut history.try_collect().await.unwrap());
        }
    }
    messages.sort_by_key(Message::id);
    messages.dedup();
    messages
}

/// Returns the response to a request with JSON.
fn request(address: &str, method: &str, path: &str, body: &str) -> Answer {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Request::begin(address, &head).finish(body)
}

/// Sends edits, unsends and markers to a server, moves what it has to Cassandra, and from there to
/// another directory. The program compares the stores itself; the answers over HTTP are compared here.
fn everything_moves_from_sqlite_to_cassandra_and_back(node: &Node) {
    let directory = tempfile::tempdir().unwrap();
    let data = |name: &str| directory.path().join(name).display().to_string();
    let sqlite = |name: &str| format!("sqlite:{}", data(name));
    let cassandra = format!("cassandra://{}/server_copy?replication=1", node.address());
    let copy = |from: &str, to: &str, flags: &[&str]| {
        let mut command = crate::messenger_server();
        command
            .args(["copy", "--from", from, "--to", to])
            .args(flags);
        let said = run(&mut command).success();
        assert!(said.ends_with("both stores hold the same\n"), "{said}");
    };
    let listed = |name: &str| {
        let mut command = crate::messenger_server();
        command.args(["--data", &data(name), "--demo", "--listen=127.0.0.1:0"]);
        Server::start_on(command, "sqlite")
    };

    let server = listed("one");
    let inbox = server.get("/api/conversations/user/alice");
    let conversation = inbox["data"][0]["id"].as_str().unwrap().to_owned();
    let receiver = inbox["data"][0]["participants"][1].as_str().unwrap();
    let history = format!("/api/messages/conversation/{conversation}");
    let mut sent = Vec::new();
    for text in ["to be edited", "to be read", "to be unsent"] {
        let body = json!({"sender_id": "alice", "receiver_id": receiver, "content": text});
        sent.push(post(&server.address, "/api/messages/", &body.to_string()).json()["id"].clone());
    }
    let message = |n: usize| format!("{history}/{}", sent[n].as_str().unwrap());
    let edit = json!({"sender_id": "alice", "content": "edited"}).to_string();
    let read = json!({"user_id": receiver, "up_to": sent[1]}).to_string();
    let marker = format!("/api/conversations/{conversation}/read");
    for (method, path, body) in [
        ("PATCH", &message(0), &*edit),
        ("DELETE", &format!("{}?sender_id=alice", message(2)), ""),
        ("PUT", &marker, &read),
    ] {
        let answer = request(&server.address, method, path, body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    let views = |server: &Server| {
        let paths = [&*history, "/api/conversations/user/alice"];
        let receiver = format!("/api/conversations/user/{receiver}");
        [paths[0], paths[1], &receiver].map(|path| server.get(path))
    };
    let before = views(&server);
    server.stop();

    copy(&sqlite("one"), &cassandra, &["--migrate"]);
    copy(&cassandra, &sqlite("two"), &[]);
    let server = listed("two");
    // Cursors included: they hold log keys, which are the same.
    assert_eq!(views(&server), before);
    server.stop();
}

fn a_problem_with_the_cluster_is_one_line(node: &Node) {
    for (flags, complaint) in [
        (&["--cassandra-keyspace=nothing_here"][..], "with --migrate"),
        (&["--cassandra-datacenter=nowhere"], "no datacenter nowhere"),
        (
            &["--cassandra-nodes=127.0.0.1:1"],
            "cannot connect to 127.0.0.1:1",
        ),
        (
            &[
                "--cassandra-keyspace=new",
                "--migrate",
                "--cassandra-replication=9",
            ],
            "9 replicas",
        ),
    ] {
        let mut command = crate::messenger_server();
        command
            .env("MESSENGER_STORE", "cassandra")
            .env("MESSENGER_CASSANDRA_NODES", node.address())
            .arg("--listen=127.0.0.1:0")
            .args(flags);
        let error = run(&mut command).failure();
        assert!(
            error.starts_with("error: cannot open the Cassandra store: "),
            "{error}"
        );
        assert!(error.contains(complaint), "{flags:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{flags:?}: {error}");
    }
}
