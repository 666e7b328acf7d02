//! Answers that do not need the request's body: the connection can be used again, or says that it is
//! closed (RFC 9112, sections 9.3 and 9.6).

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;

use crate::client::message;
use crate::raw::{connect, exchange, post_head, read_to_end, read_until, statuses};
use crate::server::{Server, configs};
use crate::{messenger, run, user};

const LIVE_AND_CLOSE: &str = "GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

/// Heads of requests that are answered without their body, each with the status.
fn heads() -> Vec<(u16, String)> {
    let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: test\r\n");
    let post = |more: &str| format!("{}{more}", post_head());
    vec![
        (405, head("PUT /api/messages/")),
        (404, head("POST /nowhere")),
        (400, head("POST /api/messages/?x=1")),
        (
            415,
            head("POST /api/messages/") + "Content-Type: text/plain\r\n",
        ),
        (415, post("Content-Encoding: gzip\r\n")),
        (200, head("GET /health/live")),
        (
            421,
            head("GET /api/conversations/user/1").replace("test", "other"),
        ),
    ]
}

fn is_closing(answer: &str) -> bool {
    let head = answer.split("\r\n\r\n").next().unwrap();
    head.to_ascii_lowercase().contains("connection: close")
}

async fn server() -> Server {
    let (mut service, server) = configs();
    service.allowed_hosts = Some(vec!["test".to_owned()]);
    Server::with_configs(messenger().await, (service, server)).await
}

#[test]
fn a_connection_can_be_used_after_an_error() {
    run(async {
        let server = server().await;
        let bad_key = format!("{}Idempotency-Key: a b\r\n", post_head());
        for (status, head) in heads().into_iter().chain([(400, bad_key)]) {
            for (length, body) in [
                ("Content-Length: 7", "{\"a\":1}"),
                (
                    "Transfer-Encoding: chunked",
                    "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
                ),
            ] {
                let mut stream = connect(server.address).await;
                let request = format!("{head}{length}\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.write_all(body.as_bytes()).await.unwrap();
                let end = if status == 200 { "ok\"}" } else { "request_id" };
                let answer = read_until(&mut stream, end).await;
                assert_eq!(statuses(&answer), [status], "{request}");
                assert!(!is_closing(&answer), "{answer}");
                stream.write_all(LIVE_AND_CLOSE.as_bytes()).await.unwrap();
                let next = read_to_end(&mut stream).await;
                assert!(next.contains("HTTP/1.1 200 OK"), "{request}: {next:?}");
            }
        }
    });
}

#[test]
fn a_shed_request_leaves_its_connection_usable() {
    run(async {
        let (mut service, config) = configs();
        service.max_in_flight = 0;
        let server = Server::with_configs(messenger().await, (service, config)).await;
        let body = message(&user(), &user(), "x");
        let head = format!("{}Content-Length: {}\r\n\r\n", post_head(), body.len());
        let mut stream = connect(server.address).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(body.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "request_id").await;
        assert_eq!(statuses(&answer), [503]);
        assert!(!is_closing(&answer), "{answer}");
        stream.write_all(LIVE_AND_CLOSE.as_bytes()).await.unwrap();
        let next = read_to_end(&mut stream).await;
        assert!(next.contains("HTTP/1.1 200 OK"), "{next:?}");
    });
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    run(async {
        let server = server().await;
        for (status, head) in heads() {
            let start = Instant::now();
            let answer = exchange(server.address, head + "Content-Length: 7\r\n\r\n").await;
            assert_eq!(statuses(&answer), [status]);
            assert!(is_closing(&answer), "{answer}");
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "{:?}",
                start.elapsed()
            );
        }
    });
}

#[test]
fn a_large_or_withheld_body_is_not_asked_for() {
    run(async {
        let server = server().await;
        for (status, head) in heads() {
            for more in [
                "Content-Length: 1000000000",
                "Content-Length: 7\r\nExpect: 100-continue",
            ] {
                let answer = exchange(server.address, format!("{head}{more}\r\n\r\n")).await;
                assert_eq!(statuses(&answer), [status], "{answer}");
                assert!(is_closing(&answer), "{answer}");
            }
            // More than is announced.
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).repeat(4);
            let request = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}");
            let answer = exchange(server.address, request).await;
            assert!(answer.is_empty() || is_closing(&answer), "{answer}");
        }
    });
}

#[test]
fn other_transfer_codings_are_refused() {
    run(async {
        let server = server().await;
        let body = message(&user(), &user(), "x");
        let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        for (codings, status) in [
            ("gzip, chunked", 501),
            ("identity, chunked", 501),
            ("chunked, chunked", 400),
            ("chunked\r\nTransfer-Encoding: chunked", 400),
            ("Chunked", 201),
            (", chunked", 201),
        ] {
            let head = format!("{}Transfer-Encoding: {codings}\r\n", post_head());
            let close = if status == 201 {
                "Connection: close\r\n"
            } else {
                ""
            };
            let answer = exchange(server.address, format!("{head}{close}\r\n{chunked}")).await;
            assert_eq!(statuses(&answer), [status], "{codings}: {answer}");
            assert!(is_closing(&answer), "{answer}");
        }
    });
}

#[test]
fn clients_that_send_no_body_take_no_place() {
    run(async {
        let (mut service, config) = configs();
        service.max_in_flight = 2;
        service.body_timeout = Duration::from_secs(10);
        let server = Server::with_configs(messenger().await, (service, config)).await;
        let mut slow = Vec::new();
        for _ in 0..8 {
            let mut stream = connect(server.address).await;
            let head = format!("{}Content-Length: 100\r\n\r\n{{", post_head());
            stream.write_all(head.as_bytes()).await.unwrap();
            slow.push(stream);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..4 {
            let inbox = format!("/api/conversations/user/{}", user());
            assert_eq!(server.client().get(&inbox).await.status, 200);
        }
    });
}
