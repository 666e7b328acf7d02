use serde_json::json;

use crate::client::{get, get_with, post, post_with};
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

/// Signs a user in, and returns the header line of the session.
fn sign_in(address: &str, user: &str) -> String {
    let answer = post(address, &format!("/sign-in/{user}"), "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let (_, rest) = answer.headers.split_once("set-cookie: ").expect("a cookie");
    let (cookie, _) = rest.split_once(';').expect("a cookie has attributes");
    format!("Cookie: {cookie}\r\n")
}

#[test]
fn axum_authenticates_by_its_own_sessions_and_asks_its_block_list() {
    let (mut process, address) = start("axum");
    let (alice, bob) = (sign_in(&address, "alice"), sign_in(&address, "bob"));
    let hello = r#"{"receiver_id": "bob", "content": "Hello"}"#;

    let unknown = post(&address, "/chat/api/messages/", hello);
    assert_eq!(unknown.status, 401, "{}", unknown.body);
    let sent = post_with(&address, "/chat/api/messages/", &alice, hello);
    assert_eq!(sent.status, 201, "{}", sent.body);
    assert!(
        sent.headers.contains("location: /chat/api/messages/"),
        "{}",
        sent.headers
    );
    let path = "/chat/api/conversations/user/bob";
    let inbox = get_with(&address, path, &bob).json();
    assert_eq!(inbox["data"][0]["participants"], json!(["alice", "bob"]));
    let foreign = get_with(&address, path, &alice);
    assert_eq!(foreign.status, 403, "{}", foreign.body);

    let blocked = post_with(&address, "/block/alice", &bob, "");
    assert_eq!(blocked.status, 204, "{}", blocked.body);
    let refused = post_with(&address, "/chat/api/messages/", &alice, hello);
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(refused.json()["code"], "not_allowed");
    assert_eq!(get(&address, "/chat/docs").status, 200);

    process.signal("INT");
    assert!(process.wait().success());
}
