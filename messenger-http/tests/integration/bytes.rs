//! The memory of answers is bounded, however slowly clients read.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use messenger_core::{ConversationId, Messenger, NewMessage, UserId};
use messenger_http::{Body, MessengerService, ServiceConfig};
use messenger_memory::MemoryStore;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tower_service::Service as _;

use crate::client::message;
use crate::raw::{read_until, statuses};
use crate::server::{Server, configs};
use crate::{run, user};

/// A conversation whose messages need six bytes of JSON for each byte.
async fn conversation(messages: usize) -> (Messenger, ConversationId) {
    let messenger = Messenger::new(MemoryStore::new());
    let (alice, bob) = (user(), user());
    let content = "\u{1}".repeat(20_000);
    for _ in 0..messages {
        let message = NewMessage::new(alice.clone(), bob.clone(), content.as_str()).unwrap();
        messenger.send(message).await.unwrap();
    }
    (messenger, ConversationId::direct(&alice, &bob))
}

fn service(messenger: Messenger, max_response_bytes: usize) -> MessengerService {
    let mut config = ServiceConfig::default();
    config.max_response_bytes = max_response_bytes;
    MessengerService::with_config(messenger, config)
}

async fn call(service: &MessengerService, request: Request<Full<Bytes>>) -> Response<Body> {
    let Ok(response) = service.clone().call(request).await;
    response
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(path).header("host", "test");
    request.body(Full::default()).unwrap()
}

fn post(sender: &UserId) -> Request<Full<Bytes>> {
    let request = Request::post("/api/messages/").header("host", "test");
    let body = Full::from(message(sender, &user(), "x"));
    request
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

#[test]
fn an_answer_counts_until_its_bytes_are_dropped() {
    run(async {
        let (messenger, id) = conversation(3).await;
        // One page takes 360 kB.
        let service = service(messenger, 500_000);
        let path = format!("/api/messages/conversation/{id}");
        let first = call(&service, get(&path)).await;
        assert_eq!(first.status(), 200);
        let second = call(&service, get(&path)).await;
        assert_eq!(second.status(), 503);
        assert!(second.headers().contains_key("retry-after"));
        // The body has given its bytes away, but the connection still holds them.
        let bytes = first.into_body().collect().await.unwrap().to_bytes();
        assert!(bytes.len() > 360_000);
        assert_eq!(call(&service, get(&path)).await.status(), 503);
        // Problems, health checks and files are free.
        for (path, status) in [
            ("/nowhere", 404),
            ("/health/live", 200),
            ("/openapi.json", 200),
        ] {
            assert_eq!(call(&service, get(path)).await.status(), status);
        }
        drop(bytes);
        assert_eq!(call(&service, get(&path)).await.status(), 200);
        // A body that is never read gives its bytes back, too.
        drop(call(&service, get(&path)).await);
        assert_eq!(call(&service, get(&path)).await.status(), 200);
    });
}

#[test]
fn a_page_larger_than_the_budget_is_answered_alone() {
    run(async {
        let (messenger, id) = conversation(3).await;
        let service = service(messenger, 1_000);
        let path = format!("/api/messages/conversation/{id}");
        let page = call(&service, get(&path)).await;
        assert_eq!(page.status(), 200);
        assert_eq!(call(&service, get(&path)).await.status(), 503);
        drop(page);
        assert_eq!(call(&service, get(&path)).await.status(), 200);
    });
}

#[test]
fn a_send_is_refused_before_it_is_made() {
    run(async {
        let (messenger, id) = conversation(3).await;
        let service = service(messenger.clone(), 400_000);
        let held = call(&service, get(&format!("/api/messages/conversation/{id}"))).await;
        assert_eq!(held.status(), 200);
        let sender = user();
        let shed = async { call(&service, post(&sender)).await.status() };
        // The rest of the budget goes to answers that nobody reads.
        let mut sent = Vec::new();
        loop {
            let response = call(&service, post(&user())).await;
            if response.status() == 503 {
                break;
            }
            assert_eq!(response.status(), 201);
            sent.push(response);
            assert!(sent.len() < 100, "answers of sends do not count");
        }
        assert_eq!(shed.await, 503);
        let inbox = messenger.inbox(&sender, Default::default()).await.unwrap();
        assert!(inbox.items.is_empty(), "it says that nothing was done");
    });
}

/// Connects with a small receive buffer, so that the server keeps what the client does not read.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address).await.unwrap()
}

#[test]
fn slow_clients_share_the_budget() {
    const BUDGET: usize = 20_000_000;
    const CLIENTS: usize = 8;
    run(async {
        let (messenger, id) = conversation(100).await;
        let (mut service, mut config) = configs();
        service.max_response_bytes = BUDGET;
        service.request_timeout = crate::raw::LONG;
        config.write_timeout = crate::raw::LONG;
        let server = Server::with_configs(messenger, (service, config)).await;
        let request =
            format!("GET /api/messages/conversation/{id}?limit=100 HTTP/1.1\r\nHost: test\r\n\r\n");
        let (mut streams, mut held, mut refused) = (Vec::new(), 0, 0);
        for _ in 0..CLIENTS {
            let mut stream = narrow(server.address).await;
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = read_until(&mut stream, "\r\n\r\n").await;
            match statuses(&answer)[0] {
                200 => {
                    let (_, length) = answer.split_once("content-length: ").unwrap();
                    held += length
                        .split("\r\n")
                        .next()
                        .unwrap()
                        .parse::<usize>()
                        .unwrap();
                }
                status => {
                    assert_eq!(status, 503, "{answer}");
                    refused += 1;
                }
            }
            streams.push(stream);
        }
        assert!(held <= BUDGET, "{held} bytes");
        assert!((1..CLIENTS).contains(&refused), "{refused} refused");
        drop(streams);
        let start = std::time::Instant::now();
        let again = format!("/api/messages/conversation/{id}?limit=1");
        while server.client().get(&again).await.status != 200 {
            assert!(
                start.elapsed() < crate::raw::LONG,
                "bytes are not given back"
            );
        }
    });
}
