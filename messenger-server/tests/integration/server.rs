use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::{begin_post, get, post};
use crate::messenger_server;
use crate::process::{Running, run, until};

/// A server on a port of its own.
pub(crate) struct Server {
    pub(crate) process: Running,
    pub(crate) address: String,
    first_line: String,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_as(
            messenger_server()
                .env("MESSENGER_LISTEN", "127.0.0.1:0")
                .args(flags),
        )
    }

    pub(crate) fn start_as(command: &mut Command) -> Self {
        let mut process = Running::start(command);
        let (address, first_line) = process.address();
        Self {
            process,
            address,
            first_line,
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = get(&self.address, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Returns all items of a list, over its pages.
    #[track_caller]
    fn walk(&self, path: &str) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), path.to_owned());
        loop {
            let mut page = self.get(&next);
            items.append(page["data"].as_array_mut().expect("a page has items"));
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("{path}?cursor={cursor}"),
                None => return items,
            }
        }
    }
}

pub(crate) const MESSAGE: &str = r#"{"sender_id": 1, "receiver_id": 2, "content": "Hello"}"#;

#[test]
fn the_first_line_says_where_it_is() {
    let server = Server::start(&[]);
    let address = &server.address;
    assert_eq!(
        server.first_line,
        format!(
            "messenger listening on http://{address} (docs: http://{address}/docs, store: memory)\n"
        )
    );
    for path in [
        "/docs",
        "/openapi.json",
        "/metrics",
        "/health/live",
        "/health/ready",
    ] {
        assert_eq!(get(address, path).status, 200, "{path}");
    }
}

#[test]
fn a_message_is_sent_and_read() {
    let server = Server::start(&[]);
    let sent = post(&server.address, "/api/messages/", MESSAGE);
    assert_eq!(sent.status, 201, "{}", sent.body);
    let message = sent.json();
    let id = message["conversation_id"].as_str().unwrap();

    let history = server.get(&format!("/api/messages/conversation/{id}"));
    assert_eq!(history["data"], json!([message]));
    for user in [1, 2] {
        let inbox = server.get(&format!("/api/conversations/user/{user}"));
        assert_eq!(inbox["data"][0]["last_message"]["id"], message["id"]);
    }
    let metrics = get(&server.address, "/metrics").body;
    assert!(
        metrics.contains("messenger_http_requests_total"),
        "{metrics}"
    );
}

#[test]
fn the_demo_data_has_a_history_and_an_inbox_of_several_pages() {
    let mut server = Server::start(&["--demo"]);
    let hint = server.process.line();
    assert!(hint.contains("/chat/#user=alice"), "{hint}");

    let inbox = server.walk("/api/conversations/user/alice");
    assert!(inbox.len() >= 25);
    let with_bob = inbox
        .iter()
        .find(|conversation| conversation["participants"] == json!(["alice", "bob"]));
    let id = with_bob.expect("there is one")["id"].as_str().unwrap();
    let history = server.walk(&format!("/api/messages/conversation/{id}"));
    assert!(history.len() > 200);
    let ids = history.iter().map(|message| message["id"].as_str());
    assert!(ids.is_sorted_by(|newer, older| newer > older));

    // It shows what can become of a message.
    assert!(
        history
            .iter()
            .any(|message| message["edited_at"].is_string())
    );
    assert!(history.iter().any(|message| message["content"].is_null()));
    let inbox = server.get("/api/conversations/user/alice?limit=10&unread=true");
    let unread = |entry: &Value| entry["unread"]["count"] != 0;
    let entries = inbox["data"].as_array().unwrap();
    assert!(entries.iter().any(unread) && !entries.iter().all(unread));
}

#[test]
fn what_is_in_flight_is_answered_before_it_ends() {
    let mut server = Server::start(&[]);
    let address = server.address.clone();
    let request = begin_post(&address, "/api/messages/", MESSAGE.len());
    // An idle connection does not hold the server up.
    let _idle = TcpStream::connect(&address).unwrap();

    server.process.signal("TERM");
    until(|| TcpStream::connect(&address).is_err());
    assert!(server.process.is_running());
    let answer = request.finish(MESSAGE);
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(
        answer.headers.contains("connection: close"),
        "{}",
        answer.headers
    );
    assert!(server.process.wait().success(), "{}", server.process.log());
}

#[test]
fn during_the_shutdown_delay_it_serves_but_is_not_ready_and_a_second_signal_ends_it() {
    let mut server = Server::start(&["--shutdown-delay", "60"]);
    let address = server.address.clone();
    assert_eq!(get(&address, "/health/ready").status, 200);
    server.process.signal("TERM");
    until(|| get(&address, "/health/ready").status == 503);
    assert_eq!(post(&address, "/api/messages/", MESSAGE).status, 201);
    // Signals at the same time count as one, so this may take more than one.
    until(|| {
        server.process.signal("INT");
        !server.process.is_running()
    });
    // It had nothing to cut off.
    assert!(server.process.wait().success());
}

#[test]
fn a_second_signal_cuts_off_what_is_in_flight() {
    let mut server = Server::start(&["--shutdown-timeout", "600"]);
    let _request = begin_post(&server.address, "/api/messages/", MESSAGE.len());
    server.process.signal("TERM");
    until(|| {
        server.process.signal("INT");
        !server.process.is_running()
    });
    assert!(!server.process.wait().success());
    let log = server.process.log();
    assert!(log.contains("stopped with 1 requests"), "{log}");
}

#[test]
fn after_the_deadline_it_ends_whatever_is_in_flight() {
    let mut server = Server::start(&["--shutdown-timeout", "0.2"]);
    let _request = begin_post(&server.address, "/api/messages/", MESSAGE.len());
    server.process.signal("INT");
    assert!(!server.process.wait().success());
    let log = server.process.log();
    assert!(
        log.contains("stopped with 1 requests and 0 sends in flight"),
        "{log}"
    );
}

#[test]
fn the_health_check_says_whether_the_server_is_ready() {
    let ask = |listen: &str| {
        let mut command = messenger_server();
        run(command.args(["health-check", "--listen", listen]))
    };
    let mut server = Server::start(&["--shutdown-delay", "60"]);
    let address = server.address.clone();
    assert_eq!(ask(&address).success(), "ready\n");
    // In a container the server listens on all addresses.
    let everywhere = address.replace("127.0.0.1", "0.0.0.0");
    assert_eq!(ask(&everywhere).success(), "ready\n");

    server.process.signal("TERM");
    until(|| get(&address, "/health/ready").status == 503);
    let error = ask(&address).failure();
    assert!(
        error.starts_with("error: not ready: status 503 {"),
        "{error}"
    );
    until(|| {
        server.process.signal("TERM");
        !server.process.is_running()
    });
    let error = ask(&address).failure();
    assert!(
        error.starts_with(&format!("error: no answer from {address}")),
        "{error}"
    );
}

#[test]
fn a_port_in_use_is_explained() {
    let first = Server::start(&[]);
    let error = run(messenger_server().args(["--listen", &first.address])).failure();
    let taken = format!(
        "error: cannot listen on {}: Address already in use",
        first.address
    );
    assert!(error.starts_with(&taken), "{error}");
    assert!(error.contains("--listen"), "{error}");
}
