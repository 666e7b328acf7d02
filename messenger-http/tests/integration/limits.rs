//! Over a raw socket: odd and broken HTTP, slow clients, too many of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use messenger_core::{ConversationId, HistoryQuery, Messenger, UserId};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use crate::client::message;
use crate::faulty::{Fault, Faulty};
use crate::raw::{LONG, connect, exchange, post, post_head, read_to_end, read_until, statuses};
use crate::server::{Server, configs};
use crate::{messenger, run, user};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n";
const LIVE_AND_CLOSE: &str = "GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

async fn server() -> Server {
    Server::with_configs(messenger().await, configs()).await
}

/// The messages between two users, once there are this many.
async fn contents(
    messenger: &Messenger,
    alice: &UserId,
    bob: &UserId,
    count: usize,
) -> Vec<String> {
    let id = ConversationId::direct(alice, bob);
    let start = Instant::now();
    loop {
        let page = messenger.history(id, HistoryQuery::new()).await.unwrap();
        if page.items.len() >= count || start.elapsed() > LONG {
            return page
                .items
                .iter()
                .map(|message| message.content().unwrap().to_string())
                .collect();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    run(async {
        let server = server().await;
        let send = post(&message(&user(), &user(), "x"));
        let requests =
            format!("{LIVE}{send}GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n{LIVE_AND_CLOSE}");
        assert_eq!(
            statuses(&exchange(server.address, requests).await),
            [200, 201, 404, 200]
        );
    });
}

#[test]
fn a_chunked_body_is_a_body() {
    run(async {
        let server = server().await;
        let body = message(&user(), &user(), "chunked");
        let (one, two) = body.split_at(body.len() / 2);
        let request = format!(
            "{}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x};ext=1\r\n{two}\r\n0\r\nTrailer: x\r\n\r\n",
            post_head(),
            one.len(),
            two.len()
        );
        assert_eq!(statuses(&exchange(server.address, request).await), [201]);
        let broken = format!("{}Transfer-Encoding: chunked\r\n\r\nzz\r\n", post_head());
        assert_eq!(statuses(&exchange(server.address, broken).await), [400]);
        // No declared length, and more than is taken.
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let endless = format!(
            "{}Transfer-Encoding: chunked\r\n\r\n{}",
            post_head(),
            chunk.repeat(3)
        );
        assert_eq!(statuses(&exchange(server.address, endless).await), [413]);
    });
}

#[test]
fn expect_100_continue_is_answered_before_the_body_comes() {
    run(async {
        let server = server().await;
        let body = message(&user(), &user(), "x");
        let head = |length: usize| {
            format!(
                "{}Connection: close\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n",
                post_head()
            )
        };
        let mut stream = connect(server.address).await;
        stream.write_all(head(body.len()).as_bytes()).await.unwrap();
        read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
        stream.write_all(body.as_bytes()).await.unwrap();
        assert_eq!(statuses(&read_to_end(&mut stream).await), [201]);
        // What is refused anyway is not asked for.
        let refused = exchange(server.address, head(1 << 30)).await;
        assert_eq!(statuses(&refused), [413]);
    });
}

#[test]
fn a_slow_head_is_cut_off_in_time() {
    run(async {
        let server = server().await;
        let start = Instant::now();
        let mut stream = connect(server.address).await;
        let (mut reading, mut writing) = stream.split();
        let drip = async {
            for byte in LIVE.bytes().cycle().filter(|byte| *byte != b'\n') {
                tokio::time::sleep(Duration::from_millis(20)).await;
                if writing.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
        };
        let closed = async {
            use tokio::io::AsyncReadExt as _;
            let mut rest = Vec::new();
            let _ = reading.read_to_end(&mut rest).await;
        };
        let ended = async {
            tokio::select! { () = drip => {}, () = closed => {} }
        };
        tokio::time::timeout(LONG, ended)
            .await
            .expect("a slow head is waited for");
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
        // A connection that says nothing at all ends too, before and after a request.
        assert_eq!(exchange(server.address, "").await, "");
        assert_eq!(statuses(&exchange(server.address, LIVE).await), [200]);
    });
}

#[test]
fn a_slow_body_is_cut_off_in_time() {
    run(async {
        let server = server().await;
        let start = Instant::now();
        let request = format!("{}Content-Length: 100\r\n\r\n{{", post_head());
        let answer = exchange(server.address, request).await;
        assert_eq!(statuses(&answer), [408]);
        assert!(answer.contains("body_timeout"), "{answer}");
        assert!(
            answer.to_ascii_lowercase().contains("connection: close"),
            "{answer}"
        );
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
    });
}

#[test]
fn large_heads_are_refused() {
    run(async {
        let server = server().await;
        let large = format!(
            "GET /health/live HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n",
            "x".repeat(20_000)
        );
        assert_eq!(statuses(&exchange(server.address, large).await), [431]);
        let many = format!(
            "GET /health/live HTTP/1.1\r\nHost: test\r\n{}\r\n",
            "X: x\r\n".repeat(200)
        );
        assert_eq!(statuses(&exchange(server.address, many).await), [431]);
        let path = format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "x".repeat(70_000));
        let status = statuses(&exchange(server.address, path).await);
        assert!([vec![414], vec![431]].contains(&status), "{status:?}");
        assert_eq!(
            statuses(&exchange(server.address, LIVE_AND_CLOSE).await),
            [200]
        );
    });
}

#[test]
fn large_bodies_are_refused_unread() {
    run(async {
        let server = server().await;
        let request = format!("{}Content-Length: 200000\r\n\r\n", post_head());
        let answer = exchange(server.address, request).await;
        assert_eq!(statuses(&answer), [413]);
        assert!(answer.contains("body_too_large"), "{answer}");
    });
}

#[test]
fn what_is_not_http_is_refused() {
    run(async {
        let server = server().await;
        for bytes in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"nonsense\r\n\r\n",
            b"GET /health/live HTTP/3.7\r\n\r\n",
            b"GET /health/\xff HTTP/1.1\r\nHost: test\r\n\xff\r\n\r\n",
            b"GET /health/live HTTP/1.1\r\nNo colon\r\n\r\n",
            b"POST /api/messages/ HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            b"POST /api/messages/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            let answer = exchange(server.address, bytes).await;
            let statuses = statuses(&answer);
            assert!(
                statuses.is_empty() || statuses == [400],
                "{bytes:?}: {answer}"
            );
        }
        assert_eq!(
            statuses(&exchange(server.address, LIVE_AND_CLOSE).await),
            [200]
        );
    });
}

#[test]
fn a_wrong_content_length_sends_nothing() {
    run(async {
        let messenger = messenger().await;
        let server = Server::with_configs(messenger.clone(), configs()).await;
        let (alice, bob) = (user(), user());
        let body = message(&alice, &bob, "x");
        // Too short: the message is cut, and the rest is no request.
        let short = format!(
            "{}Content-Length: {}\r\n\r\n{body}",
            post_head(),
            body.len() - 2
        );
        assert_eq!(statuses(&exchange(server.address, short).await)[0], 400);
        // Too long, and the client has gone: half a body.
        let mut stream = connect(server.address).await;
        let long = format!(
            "{}Content-Length: {}\r\n\r\n{body}",
            post_head(),
            body.len() + 2
        );
        stream.write_all(long.as_bytes()).await.unwrap();
        drop(stream);
        // Too long, and the client waits.
        assert_eq!(statuses(&exchange(server.address, long).await), [408]);
        assert!(contents(&messenger, &alice, &bob, 0).await.is_empty());
    });
}

#[test]
fn http_1_0_is_spoken() {
    run(async {
        let server = server().await;
        let answer = exchange(server.address, "GET /health/live HTTP/1.0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
        assert!(answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
        let body = message(&user(), &user(), "x");
        let request = post(&body).replace("HTTP/1.1", "HTTP/1.0");
        assert_eq!(statuses(&exchange(server.address, request).await), [201]);
    });
}

#[test]
fn head_sends_no_body() {
    run(async {
        let server = server().await;
        let head = LIVE_AND_CLOSE.replace("GET", "HEAD");
        let answer = exchange(server.address, head).await;
        assert!(answer.contains("content-length: 15\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    });
}

#[test]
fn a_send_is_completed_when_its_client_leaves() {
    run(async {
        let gate = Arc::new(Semaphore::new(0));
        let messenger = Faulty::new()
            .writes(Fault::Gate(Arc::clone(&gate)))
            .messenger();
        let server = Server::with_configs(messenger.clone(), configs()).await;
        let (alice, bob) = (user(), user());
        let mut stream = connect(server.address).await;
        stream
            .write_all(post(&message(&alice, &bob, "gone")).as_bytes())
            .await
            .unwrap();
        // Until the send stands at the gate.
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(stream);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(contents(&messenger, &alice, &bob, 0).await.is_empty());
        gate.add_permits(1);
        assert_eq!(contents(&messenger, &alice, &bob, 1).await, ["gone"]);
    });
}

#[test]
fn requests_beyond_the_limit_are_shed() {
    run(async {
        let gate = Arc::new(Semaphore::new(0));
        let store = Faulty::new().writes(Fault::Gate(Arc::clone(&gate)));
        let (mut service, server) = configs();
        service.max_in_flight = 2;
        service.request_timeout = LONG;
        let server = Server::with_configs(store.messenger(), (service, server)).await;
        let client = server.client();
        // A send that comes while the other one and a read below are in flight is shed itself.
        let until_taken = || async move {
            loop {
                let answer = client.post(message(&user(), &user(), "x"), &[]).await;
                if answer.status != 503 {
                    break answer;
                }
            }
        };
        let sends: Vec<_> = (0..2).map(|_| tokio::spawn(until_taken())).collect();
        let inbox = format!("/api/conversations/user/{}", user());
        let start = Instant::now();
        let shed = loop {
            let answer = client.get(&inbox).await;
            if answer.status != 200 || start.elapsed() > LONG {
                break answer;
            }
        };
        assert_eq!(shed.status, 503);
        assert_eq!(shed.json()["code"], "overloaded");
        assert_eq!(shed.header("retry-after"), Some("1"));
        for path in ["/health/live", "/health/ready", "/metrics"] {
            assert_eq!(client.get(path).await.status, 200, "{path}");
        }
        gate.add_permits(2);
        for send in sends {
            assert_eq!(send.await.unwrap().status, 201);
        }
        assert_eq!(client.get(&inbox).await.status, 200);
    });
}

#[test]
fn a_send_without_its_client_still_counts() {
    run(async {
        let gate = Arc::new(Semaphore::new(0));
        let store = Faulty::new().writes(Fault::Gate(Arc::clone(&gate)));
        let (mut service, server) = configs();
        service.max_in_flight = 1;
        let server = Server::with_configs(store.messenger(), (service, server)).await;
        let mut stream = connect(server.address).await;
        stream
            .write_all(post(&message(&user(), &user(), "x")).as_bytes())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(stream);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let inbox = format!("/api/conversations/user/{}", user());
        assert_eq!(server.client().get(&inbox).await.status, 503);
        gate.add_permits(1);
        let start = Instant::now();
        while server.client().get(&inbox).await.status != 200 {
            assert!(start.elapsed() < LONG, "the place is never given back");
        }
    });
}

#[test]
fn a_client_that_never_reads_is_cut_off() {
    run(async {
        let messenger = messenger().await;
        let (mut service, mut config) = configs();
        service.request_timeout = LONG;
        config.max_connections = 1;
        let server = Server::with_configs(messenger.clone(), (service, config)).await;
        let (alice, bob) = (user(), user());
        let text = "x".repeat(20_000);
        for _ in 0..100 {
            let message =
                messenger_core::NewMessage::new(alice.clone(), bob.clone(), text.as_str());
            messenger.send(message.unwrap()).await.unwrap();
        }
        let id = ConversationId::direct(&alice, &bob);
        let page =
            format!("GET /api/messages/conversation/{id}?limit=100 HTTP/1.1\r\nHost: test\r\n\r\n");
        let mut stuck = connect(server.address).await;
        // 60 MB: more than the system keeps for a socket.
        stuck.write_all(page.repeat(60).as_bytes()).await.unwrap();
        // There is one place for a connection, so this one is served when the other is gone.
        let start = Instant::now();
        assert_eq!(
            statuses(&exchange(server.address, LIVE_AND_CLOSE).await),
            [200]
        );
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
        drop(stuck);
    });
}

#[test]
fn a_client_that_reads_slowly_gets_everything() {
    run(async {
        use tokio::io::AsyncReadExt as _;
        let messenger = messenger().await;
        let server = Server::with_configs(messenger.clone(), configs()).await;
        let (alice, bob) = (user(), user());
        let text = "x".repeat(20_000);
        for _ in 0..100 {
            let message =
                messenger_core::NewMessage::new(alice.clone(), bob.clone(), text.as_str());
            messenger.send(message.unwrap()).await.unwrap();
        }
        let id = ConversationId::direct(&alice, &bob);
        let page =
            format!("GET /api/messages/conversation/{id}?limit=100 HTTP/1.1\r\nHost: test\r\n");
        let requests = format!("{page}\r\n").repeat(19) + &page + "Connection: close\r\n\r\n";
        let mut stream = connect(server.address).await;
        stream.write_all(requests.as_bytes()).await.unwrap();
        let (mut len, mut buffer) = (0, vec![0; 1024 * 1024]);
        let start = Instant::now();
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            if read == 0 {
                break;
            }
            len += read;
            // Slower than one write_timeout for all of it.
            tokio::time::sleep(Duration::from_millis(read as u64 / 16_384)).await;
        }
        assert!(
            start.elapsed() > Duration::from_millis(900),
            "{:?}",
            start.elapsed()
        );
        assert!(len > 20_000_000, "{len}");
    });
}
