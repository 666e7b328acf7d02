//! The flags of the network: hosts, origins, paths and the second listener.

use crate::client::{Answer, Request, get, post};
use crate::server::{MESSAGE, Server};

/// Returns the response to a GET with this header in place of the right `Host`.
fn get_with(server: &Server, path: &str, header: &str) -> Answer {
    let head = format!("GET {path} HTTP/1.1\r\n{header}\r\nConnection: close\r\n\r\n");
    Request::begin(&server.address, &head).finish("")
}

const INBOX: &str = "/api/conversations/user/alice";

#[test]
fn on_loopback_only_local_names_are_answered() {
    let server = Server::start(&[]);
    for host in ["localhost", "127.0.0.1:8000", "[::1]:8000"] {
        let answer = get_with(&server, INBOX, &format!("Host: {host}"));
        assert_eq!(answer.status, 200, "{host}: {}", answer.body);
    }
    let answer = get_with(&server, INBOX, "Host: attacker.example");
    assert_eq!(answer.status, 421, "{}", answer.body);
}

#[test]
fn more_hosts_can_be_allowed() {
    let server = Server::start(&["--allowed-hosts=chat.example,other.example"]);
    for (host, status) in [
        ("chat.example", 200),
        ("other.example:443", 200),
        ("localhost", 200),
        ("attacker.example", 421),
    ] {
        let answer = get_with(&server, INBOX, &format!("Host: {host}"));
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
    }
}

#[test]
fn on_other_addresses_any_host_is_answered_unless_some_are_named() {
    let everywhere = ["--listen=0.0.0.0:0", "--auth=none"];
    let server = Server::start(&everywhere);
    let answer = get_with(&server, INBOX, "Host: chat.example");
    assert_eq!(answer.status, 200, "{}", answer.body);

    let named = [&everywhere[..], &["--allowed-hosts=chat.example"]].concat();
    let server = Server::start(&named);
    let answer = get_with(&server, INBOX, "Host: chat.example");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = get_with(&server, INBOX, "Host: localhost");
    assert_eq!(answer.status, 421, "{}", answer.body);
}

#[test]
fn web_pages_of_the_named_origins_may_call() {
    let server = Server::start(&["--cors-origins=https://chat.example"]);
    let host = format!("Host: {}\r\n", server.address);
    for (origin, is_allowed) in [
        ("https://chat.example", true),
        ("https://other.example", false),
    ] {
        let answer = get_with(&server, INBOX, &format!("{host}Origin: {origin}"));
        let allowed = format!("access-control-allow-origin: {origin}");
        assert_eq!(
            answer.headers.contains(&allowed),
            is_allowed,
            "{}",
            answer.headers
        );
    }
}

#[test]
fn links_begin_with_the_base_path() {
    let server = Server::start(&["--base-path=/chat"]);
    let sent = post(&server.address, "/api/messages/", MESSAGE);
    assert!(
        sent.headers.contains("location: /chat/api/messages/"),
        "{}",
        sent.headers
    );
}

#[test]
fn the_second_listener_answers_health_checks_and_metrics_only() {
    let mut server = Server::start(&["--operations-listen=127.0.0.1:0"]);
    let line = server.process.log_line();
    let address = line
        .split_once("address=")
        .map(|(_, address)| address.trim_end())
        .unwrap_or_else(|| panic!("{line}"));
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(get(address, path).status, 200, "{path}");
    }
    assert_eq!(get(address, INBOX).status, 404);
}
