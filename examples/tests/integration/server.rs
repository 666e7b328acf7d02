use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::{Request, get, head_of_post, post};
use crate::process::{Running, example, run, until};

/// A server on a port of its own, and where it listens.
struct Server {
    process: Running,
    address: String,
    first_line: String,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        Self::start_as(
            example("server")
                .args(["--listen", "127.0.0.1:0"])
                .args(flags),
        )
    }

    fn start_as(command: &mut Command) -> Self {
        let mut process = Running::start(command);
        let first_line = process.line();
        let address = first_line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_once(' '))
            .map(|(address, _)| address.to_owned())
            .expect("the line holds a URL");
        Self {
            process,
            address,
            first_line,
        }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let answer = get(&self.address, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }
}

const MESSAGE: &str = r#"{"sender_id": 1, "receiver_id": 2, "content": "Hello"}"#;

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
fn with_demo_user_1_has_conversations_to_walk() {
    let mut server = Server::start(&["--demo"]);
    let hint = server.process.line();
    assert!(hint.contains("/api/conversations/user/1"), "{hint}");

    let inbox = server.get("/api/conversations/user/1");
    let conversation = inbox["data"][0]["id"].as_str().expect("there are some");
    let path = format!("/api/messages/conversation/{conversation}?limit=7");
    let (mut ids, mut next) = (Vec::new(), path.clone());
    loop {
        let page = server.get(&next);
        let items = page["data"].as_array().unwrap();
        ids.extend(items.iter().map(|message| message["id"].to_string()));
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => break,
        }
    }
    assert!(ids.len() > 10);
    assert!(ids.is_sorted_by(|newer, older| newer > older));
}

#[test]
fn flags_come_from_the_environment_too() {
    let mut command = example("server");
    command
        .env("MESSENGER_LISTEN", "127.0.0.1:0")
        .env("MESSENGER_STORE", "memory")
        .env("MESSENGER_DEMO", "1")
        .env("MESSENGER_SHUTDOWN_TIMEOUT", "5")
        .env("MESSENGER_LOG", "error");
    let mut server = Server::start_as(&mut command);
    assert!(!server.get("/api/conversations/user/1")["data"][0].is_null());
    server.process.signal("TERM");
    assert!(server.process.wait().success());
    assert_eq!(server.process.log(), "");
}

#[test]
fn a_flag_goes_before_its_variable() {
    let mut command = example("server");
    command
        .env("MESSENGER_LISTEN", "127.0.0.1:1")
        .args(["--listen", "127.0.0.1:0"]);
    Server::start_as(&mut command).get("/health/live");
}

#[test]
fn the_log_can_be_json() {
    let mut process =
        Running::start(example("server").args(["--listen=127.0.0.1:0", "--log-format=json"]));
    let line: Value = serde_json::from_str(&process.log_line()).expect("JSON");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["fields"]["message"], "listening");
    let url = line["fields"]["url"].as_str().unwrap();
    assert_eq!(line["fields"]["docs"], format!("{url}/docs"));
    assert_eq!(
        get(url.trim_start_matches("http://"), "/health/live").status,
        200
    );
}

/// How many requests the server has under way, by its metrics. (This one does not count.)
fn in_flight(address: &str) -> u32 {
    let metrics = get(address, "/metrics").body;
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix("messenger_http_requests_in_flight "));
    value.map_or(0, |value| value.parse().expect("a number"))
}

#[test]
fn what_is_in_flight_is_answered_before_it_ends() {
    let mut server = Server::start(&[]);
    let address = server.address.clone();
    let head = head_of_post(&address, "/api/messages/", MESSAGE.len());
    let (half, rest) = MESSAGE.split_at(20);
    let request = Request::begin(&address, &format!("{head}{half}"));
    // An idle connection does not hold the server up.
    let _idle = TcpStream::connect(&address).unwrap();
    until(|| in_flight(&address) == 1);

    server.process.signal("TERM");
    until(|| TcpStream::connect(&address).is_err());
    assert!(server.process.is_running());
    let answer = request.finish(rest);
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(
        answer.headers.contains("connection: close"),
        "{}",
        answer.headers
    );
    assert!(server.process.wait().success(), "{}", server.process.log());
}

#[test]
fn it_says_that_it_stops_for_as_long_as_it_is_told() {
    let mut server = Server::start(&["--shutdown-delay", "60"]);
    let address = server.address.clone();
    assert_eq!(get(&address, "/health/ready").status, 200);
    server.process.signal("TERM");
    until(|| get(&address, "/health/ready").status == 503);
    assert_eq!(post(&address, "/api/messages/", MESSAGE).status, 201);
    // The same signal twice at once, to the process and its group, is one.
    server.process.signal("TERM");
    assert_eq!(get(&address, "/health/live").status, 200);
    // Who does not want to wait says it again.
    until(|| {
        server.process.signal("INT");
        !server.process.is_running()
    });
    // Nothing was lost.
    assert!(server.process.wait().success());
}

#[test]
fn after_the_deadline_it_ends_whatever_is_in_flight() {
    let mut server = Server::start(&["--shutdown-timeout", "0.2"]);
    let head = head_of_post(&server.address, "/api/messages/", MESSAGE.len());
    let _request = Request::begin(&server.address, &head);
    until(|| in_flight(&server.address) == 1);
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
        let mut command = example("server");
        run(command.args(["--health-check", "--listen", listen]))
    };
    let mut server = Server::start(&["--shutdown-delay", "60"]);
    let address = server.address.clone();
    assert_eq!(ask(&address).success(), "ready\n");
    // As a container asks, in which the server listens on all addresses.
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
fn a_port_that_is_taken_is_told() {
    let first = Server::start(&[]);
    let error = run(example("server").args(["--listen", &first.address])).failure();
    let taken = format!(
        "error: cannot listen on {}: Address already in use",
        first.address
    );
    assert!(error.starts_with(&taken), "{error}");
    assert!(error.contains("--listen"), "{error}");
}

#[test]
fn what_is_wrong_with_a_flag_is_told() {
    for (flag, complaint) in [
        (
            "--listen=8000",
            "'--listen <HOST:PORT>': it must be a host and a port, such as 127.0.0.1:8000",
        ),
        ("--store=elsewhere", "'--store <STORE>'"),
        ("--log=info,x=loud", "'--log <FILTER>': it must be a level"),
        ("--log-format=xml", "possible values: text, json"),
        (
            "--shutdown-timeout=soon",
            "it must be a number of seconds, such as 30 or 0.5",
        ),
        (
            "--shutdown-delay=-1",
            "it must be a number of seconds, such as 30 or 0.5",
        ),
    ] {
        let error = run(example("server").arg(flag)).failure();
        assert!(error.contains(complaint), "{flag}: {error}");
    }
}

#[test]
fn a_wrong_value_out_of_the_environment_names_its_variable() {
    for (variable, value, complaint) in [
        ("MESSENGER_LISTEN", "here", "'--listen <HOST:PORT>'"),
        (
            "MESSENGER_DEMO",
            "perhaps",
            "'--demo': it must be true or false",
        ),
        ("MESSENGER_STORE", "elsewhere", "'--store <STORE>'"),
        (
            "MESSENGER_MAX_CONNECTIONS",
            "0",
            "'--max-connections <NUMBER>': it must be a whole number, 1 or more",
        ),
        (
            "MESSENGER_MAX_IN_FLIGHT",
            "many",
            "'--max-in-flight <NUMBER>': it must be a whole number, 1 or more",
        ),
    ] {
        let error = run(example("server").env(variable, value)).failure();
        assert!(error.contains(complaint), "{error}");
        let variable = format!("environment variable {variable}.");
        assert!(error.contains(&variable), "{error}");
    }
}
