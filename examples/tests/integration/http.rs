use serde_json::json;

use crate::client::{get, post};
use crate::example;
use crate::process::Running;

const MESSAGE: &str = r#"{"sender_id": "alice", "receiver_id": "bob", "content": "Hello"}"#;

/// Starts an example on a free port, and returns it with its address.
fn start(name: &str) -> (Running, String) {
    let mut process = Running::start(example(name).arg("127.0.0.1:0"));
    let line = process.line();
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .unwrap_or_else(|| panic!("{line}"));
    (process, address.to_owned())
}

#[test]
fn server_sends_and_reads_a_message_and_stops_with_ctrl_c() {
    let (mut process, address) = start("server");
    let sent = post(&address, "/api/messages/", MESSAGE);
    assert_eq!(sent.status, 201, "{}", sent.body);
    let inbox = get(&address, "/api/conversations/user/bob").json();
    assert_eq!(inbox["data"][0]["last_message"]["preview"], "Hello");

    process.signal("INT");
    assert!(process.wait().success());
}

#[test]
fn axum_serves_its_own_routes_and_the_messenger_under_one_middleware() {
    let (mut process, address) = start("axum");
    let ordered = post(&address, "/orders/alice", "");
    assert_eq!(ordered.status, 201, "{}", ordered.body);
    let invalid = post(&address, "/orders/a%20b", "");
    assert_eq!(invalid.status, 400, "{}", invalid.body);

    let inbox = get(&address, "/chat/api/conversations/user/alice");
    assert!(
        inbox.headers.contains("x-application: shop"),
        "{}",
        inbox.headers
    );
    let inbox = inbox.json();
    assert_eq!(inbox["data"][0]["participants"], json!(["alice", "shop"]));
    let sent = post(&address, "/chat/api/messages/", MESSAGE);
    assert!(
        sent.headers.contains("location: /chat/api/messages/"),
        "{}",
        sent.headers
    );
    assert_eq!(get(&address, "/chat/docs").status, 200);

    process.signal("INT");
    assert!(process.wait().success());
}
