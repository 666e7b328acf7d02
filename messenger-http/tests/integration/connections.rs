//! Connections: who gets one, for how long, and how it ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use messenger_core::Messenger;
use messenger_http::{MessengerService, ServiceConfig, serve_operations};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::client::{Client, message};
use crate::faulty::{Fault, Faulty};
use crate::raw::{
    LIVE, LONG, connect, exchange, post, post_head, read_to_end, read_until, statuses,
};
use crate::server::{Server, configs};
use crate::{messenger, run, user};

async fn pause() {
    sleep(Duration::from_millis(100)).await;
}

fn gated() -> (Arc<Semaphore>, Messenger) {
    let gate = Arc::new(Semaphore::new(0));
    let fault = Fault::Gate(Arc::clone(&gate));
    let store = Faulty::new().appends(fault.clone()).reads(fault);
    (gate, Messenger::new(store))
}

fn inbox() -> String {
    format!(
        "GET /api/conversations/user/{} HTTP/1.1\r\nHost: test\r\n\r\n",
        user()
    )
}

/// Sends a whole request and closes the writing side, as `printf … | nc -N` does.
async fn half_closed(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = connect(address).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    stream
}

#[test]
fn a_client_that_has_closed_its_writing_side_is_answered() {
    run(async {
        let (gate, messenger) = gated();
        let (mut service, server) = configs();
        service.request_timeout = LONG;
        let server = Server::with_configs(messenger, (service, server)).await;
        for (request, status) in [
            (post(&message(&user(), &user(), "x")), 201),
            (inbox(), 200),
            (LIVE.to_owned(), 200),
        ] {
            let mut stream = half_closed(server.address, &request).await;
            pause().await;
            gate.add_permits(1);
            assert_eq!(statuses(&read_to_end(&mut stream).await), [status]);
            // The health of the server asks no store.
            let _ = gate.try_acquire().map(|permit| permit.forget());
        }
        // Half a request is none, and is not waited for.
        let body = message(&user(), &user(), "x");
        let request = format!("{}Content-Length: 1000\r\n\r\n{body}", post_head());
        let start = Instant::now();
        let mut stream = half_closed(server.address, &request).await;
        assert_ne!(statuses(&read_to_end(&mut stream).await), [201]);
        assert!(start.elapsed() < Duration::from_millis(250));
    });
}

#[test]
fn a_reset_ends_a_read() {
    run(async {
        let (gate, messenger) = gated();
        let (mut service, server) = configs();
        service.request_timeout = LONG;
        let server = Server::with_configs(messenger, (service, server)).await;
        let mut stream = connect(server.address).await;
        stream.write_all(inbox().as_bytes()).await.unwrap();
        pause().await;
        stream.set_zero_linger().unwrap();
        drop(stream);
        pause().await;
        // Nobody waits at the gate any more.
        gate.add_permits(1);
        pause().await;
        assert_eq!(gate.available_permits(), 1);
    });
}

/// Sends a body of this size in small pieces while reading nothing, then reads.
async fn upload(address: SocketAddr, size: usize) -> (io::Result<()>, String) {
    let mut stream = connect(address).await;
    let head = format!("{}Content-Length: {size}\r\n\r\n", post_head());
    stream.write_all(head.as_bytes()).await.unwrap();
    // Time to be answered and closed.
    pause().await;
    let sent = async {
        let piece = vec![b'x'; 16 * 1024];
        for _ in 0..size / piece.len() {
            stream.write_all(&piece).await?;
        }
        Ok(())
    };
    let sent = timeout(LONG, sent).await.expect("neither read nor closed");
    (sent, read_to_end(&mut stream).await)
}

#[test]
fn a_client_that_sends_too_much_is_told() {
    run(async {
        let server = Server::with_configs(messenger().await, configs()).await;
        let (sent, answer) = upload(server.address, 5 << 20).await;
        sent.unwrap();
        assert_eq!(statuses(&answer), [413]);
        // There is an end to it.
        let start = Instant::now();
        let (sent, _) = upload(server.address, 1 << 30).await;
        sent.unwrap_err();
        assert!(start.elapsed() < LONG);
    });
}

#[test]
fn bodies_that_do_not_come_are_not_waited_for() {
    run(async {
        let (service, mut config) = configs();
        config.max_connections = 20;
        let server = Server::with_configs(messenger().await, (service, config)).await;
        let mut stuck = Vec::new();
        for _ in 0..20 {
            let mut stream = connect(server.address).await;
            let head = format!("{}Content-Length: 100\r\n\r\n", post_head());
            stream.write_all(head.as_bytes()).await.unwrap();
            stuck.push(stream);
        }
        pause().await;
        // All places are taken until the bodies are given up; nobody closes a connection.
        let start = Instant::now();
        assert_eq!(server.client().get("/health/live").await.status, 200);
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
        for mut stream in stuck {
            assert_eq!(statuses(&read_to_end(&mut stream).await), [408]);
        }
    });
}

#[test]
fn idle_connections_shut_nobody_out() {
    run(async {
        let (service, mut config) = configs();
        config.max_connections = 100;
        config.idle_timeout = LONG;
        config.header_timeout = LONG;
        let server = Server::with_configs(messenger().await, (service, config)).await;
        let mut idle = Vec::new();
        for index in 0..100 {
            let mut stream = connect(server.address).await;
            match index % 3 {
                0 => {}
                1 => stream.write_all(b"GET /health").await.unwrap(),
                _ => {
                    stream.write_all(LIVE.as_bytes()).await.unwrap();
                    read_until(&mut stream, "ok").await;
                }
            }
            idle.push(stream);
        }
        let start = Instant::now();
        for _ in 0..100 {
            assert_eq!(server.client().get("/health/live").await.status, 200);
        }
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
    });
}

#[test]
fn a_request_that_is_handled_keeps_its_connection() {
    run(async {
        let (gate, messenger) = gated();
        let (mut service, mut config) = configs();
        service.request_timeout = LONG;
        config.max_connections = 2;
        config.idle_timeout = LONG;
        let server = Server::with_configs(messenger, (service, config)).await;
        let mut handled = connect(server.address).await;
        let request = post(&message(&user(), &user(), "x"));
        handled.write_all(request.as_bytes()).await.unwrap();
        pause().await;
        let mut idle = connect(server.address).await;
        sleep(Duration::from_millis(1500)).await;
        assert_eq!(server.client().get("/health/live").await.status, 200);
        assert_eq!(read_to_end(&mut idle).await, "");
        gate.add_permits(1);
        read_until(&mut handled, "\"content\":\"x\"").await;
        handled.write_all(LIVE.as_bytes()).await.unwrap();
        read_until(&mut handled, "ok").await;
    });
}

#[test]
fn operations_have_connections_of_their_own() {
    run(async {
        let messenger = Messenger::new(Faulty::new().appends(Fault::Never));
        let (mut service, mut config) = configs();
        service.request_timeout = LONG;
        config.max_connections = 1;
        let server = Server::with_configs(messenger.clone(), (service, config)).await;
        let mut busy = connect(server.address).await;
        busy.write_all(post(&message(&user(), &user(), "x")).as_bytes())
            .await
            .unwrap();
        pause().await;
        let shut_out = server.client();
        let shut_out = shut_out.get("/health/live");
        assert!(timeout(Duration::from_secs(2), shut_out).await.is_err());

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = ServiceConfig::default().with_metrics(|| "up 1\n".to_owned());
        let service = MessengerService::with_config(messenger, config);
        let task = tokio::spawn(serve_operations(listener, service));
        let client = Client::new(address);
        assert_eq!(client.get("/health/live").await.status, 200);
        assert_eq!(client.get("/metrics").await.body, b"up 1\n");
        assert_eq!(client.get("/health/ready/").await.status, 200);
        for path in [
            "/",
            "/api/messages/",
            "/api/conversations/user/1",
            "/docs",
            "/openapi.json",
            "/health",
            "/health/live/x",
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let answer = exchange(address, request).await;
            assert_eq!(statuses(&answer), [404], "{path}");
        }
        let mut open = connect(address).await;
        open.write_all(LIVE.as_bytes()).await.unwrap();
        read_until(&mut open, "ok").await;
        task.abort();
        assert_eq!(open.read(&mut [0]).await.unwrap_or(0), 0);
        assert!(TcpStream::connect(address).await.is_err());
    });
}
