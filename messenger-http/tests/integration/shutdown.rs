//! A stop loses nothing that was taken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use messenger_core::{ConversationId, HistoryQuery, Messenger};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::client::message;
use crate::faulty::{Fault, Faulty};
use crate::raw::{LIVE, LONG, connect, post, read_to_end, read_until, statuses};
use crate::server::{Server, configs};
use crate::{messenger, run, user};

fn gated() -> (Arc<Semaphore>, Messenger) {
    let gate = Arc::new(Semaphore::new(0));
    let store = Faulty::new().appends(Fault::Gate(Arc::clone(&gate)));
    (gate, Messenger::new(store))
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[test]
fn what_is_in_flight_is_answered_and_nothing_is_taken_after() {
    run(async {
        let (gate, messenger) = gated();
        let (mut service, mut config) = configs();
        service.request_timeout = LONG;
        config.shutdown_delay = Duration::from_millis(300);
        let server = Server::with_configs(messenger, (service, config)).await;
        let address = server.address;
        let client = server.client();

        let mut streams = Vec::new();
        for _ in 0..5 {
            let mut stream = connect(address).await;
            stream
                .write_all(post(&message(&user(), &user(), "x")).as_bytes())
                .await
                .unwrap();
            streams.push(stream);
        }
        let mut idle = connect(address).await;
        idle.write_all(LIVE.as_bytes()).await.unwrap();
        read_until(&mut idle, "ok").await;
        pause().await;
        assert_eq!(client.get("/health/ready").await.status, 200);

        let stopped = server.stop();
        pause().await;
        // The delay: not ready any more, and still taking what comes.
        let ready = client.get("/health/ready").await;
        assert_eq!(
            (ready.status.as_u16(), ready.json()["code"].as_str()),
            (503, Some("not_ready"))
        );
        assert_eq!(client.get("/health/live").await.status, 200);

        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(
            TcpStream::connect(address).await.is_err(),
            "the listener is still open"
        );
        assert_eq!(
            read_to_end(&mut idle).await,
            "",
            "an idle connection is closed"
        );
        assert!(!stopped.is_finished());

        gate.add_permits(5);
        for mut stream in streams {
            let answer = read_to_end(&mut stream).await;
            assert_eq!(statuses(&answer), [201]);
            assert!(answer.contains("connection: close\r\n"), "{answer}");
        }
        assert!(stopped.await.unwrap().is_complete());
    });
}

#[test]
fn a_stop_waits_for_sends_without_a_client() {
    run(async {
        let (gate, messenger) = gated();
        let server = Server::with_configs(messenger.clone(), configs()).await;
        let (alice, bob) = (user(), user());
        let mut stream = connect(server.address).await;
        stream
            .write_all(post(&message(&alice, &bob, "x")).as_bytes())
            .await
            .unwrap();
        pause().await;
        drop(stream);
        pause().await;
        let stopped = server.stop();
        pause().await;
        assert!(!stopped.is_finished());
        gate.add_permits(1);
        assert!(stopped.await.unwrap().is_complete());
        let id = ConversationId::direct(&alice, &bob);
        let page = messenger.history(id, HistoryQuery::new()).await.unwrap();
        assert_eq!(page.items.len(), 1);
    });
}

#[test]
fn a_stop_has_a_deadline() {
    run(async {
        let (_gate, messenger) = gated();
        let (mut service, mut config) = configs();
        service.request_timeout = LONG;
        config.shutdown_timeout = Duration::from_millis(200);
        let server = Server::with_configs(messenger, (service, config)).await;
        let mut stream = connect(server.address).await;
        stream
            .write_all(post(&message(&user(), &user(), "x")).as_bytes())
            .await
            .unwrap();
        pause().await;
        let start = Instant::now();
        let drained = server.stop().await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!((drained.connections_cut, drained.sends_left), (1, 1));
        assert_eq!(read_to_end(&mut stream).await, "");
    });
}

#[test]
fn a_dropped_server_closes_its_connections() {
    run(async {
        let server = Server::with_configs(messenger().await, configs()).await;
        let mut stream = connect(server.address).await;
        stream.write_all(LIVE.as_bytes()).await.unwrap();
        read_until(&mut stream, "ok").await;
        let task = server.stop();
        task.abort();
        let _ = task.await;
        assert_eq!(read_to_end(&mut stream).await, "");
    });
}

#[test]
fn answers_say_that_the_connection_closes_from_the_first_signal_on() {
    run(async {
        let (service, mut config) = configs();
        config.idle_timeout = LONG;
        config.shutdown_delay = Duration::from_secs(1);
        let server = Server::with_configs(messenger().await, (service, config)).await;
        let address = server.address;
        let mut used = connect(address).await;
        used.write_all(LIVE.as_bytes()).await.unwrap();
        let answer = read_until(&mut used, "ok").await;
        assert!(!answer.contains("connection: close"), "{answer}");

        let stopped = server.stop();
        pause().await;
        for mut stream in [used, connect(address).await] {
            stream.write_all(LIVE.as_bytes()).await.unwrap();
            let answer = read_to_end(&mut stream).await;
            assert_eq!(statuses(&answer), [200]);
            assert!(answer.contains("connection: close\r\n"), "{answer}");
        }
        assert!(!stopped.is_finished());
        assert!(stopped.await.unwrap().is_complete());
    });
}

/// Sends messages on one connection after another, each as long as the server keeps it open, until
/// no more connections are accepted. Returns how many were answered.
async fn send_until_refused(address: SocketAddr) -> usize {
    let request = post(&message(&user(), &user(), "x"));
    let mut sent = 0;
    while let Ok(mut stream) = TcpStream::connect(address).await {
        loop {
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = read_until(&mut stream, "}").await;
            assert_eq!(statuses(&answer), [201]);
            sent += 1;
            if answer.contains("connection: close\r\n") {
                break;
            }
        }
    }
    sent
}

#[test]
fn clients_that_keep_connections_open_lose_no_request() {
    run(async {
        for delay in [Duration::ZERO, Duration::from_millis(300)] {
            let (service, mut config) = configs();
            config.shutdown_delay = delay;
            let server = Server::with_configs(messenger().await, (service, config)).await;
            let clients: Vec<_> = (0..16)
                .map(|_| tokio::spawn(send_until_refused(server.address)))
                .collect();
            pause().await;
            let stopped = server.stop();
            for client in clients {
                assert!(client.await.unwrap() > 0);
            }
            assert!(stopped.await.unwrap().is_complete());
        }
    });
}

#[test]
fn a_second_signal_ends_the_shutdown() {
    run(async {
        for (delay, timeout) in [(LONG, Duration::ZERO), (Duration::ZERO, LONG)] {
            let (_gate, messenger) = gated();
            let (mut service, mut config) = configs();
            service.request_timeout = LONG;
            config.shutdown_delay = delay;
            config.shutdown_timeout = timeout;
            let server = Server::with_configs(messenger, (service, config)).await;
            let _idle = connect(server.address).await;
            let mut stream = connect(server.address).await;
            stream
                .write_all(post(&message(&user(), &user(), "x")).as_bytes())
                .await
                .unwrap();
            pause().await;
            let again = server.stop_again();
            let stopped = server.stop();
            pause().await;
            assert!(!stopped.is_finished());
            again.notify_one();
            let start = Instant::now();
            let drained = stopped.await.unwrap();
            assert!(start.elapsed() < Duration::from_secs(2));
            assert_eq!((drained.connections_cut, drained.sends_left), (1, 1));
            assert_eq!(read_to_end(&mut stream).await, "");
        }
    });
}
