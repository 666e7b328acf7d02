//! Lists as server-sent events, and the page that uses them.

use std::net::SocketAddr;
use std::time::Duration;

use messenger_core::{Content, NewMessage};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::raw::{connect, read_until};
use crate::server::{Server, configs};
use crate::{messenger, run, user};

/// A stream of events, and everything that was read of it.
struct Events {
    stream: TcpStream,
    text: String,
}

impl Events {
    /// Connects and follows a list.
    async fn follow(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut stream = connect(address).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = read_until(&mut stream, "retry: 1000\n\n").await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(text.contains("text/event-stream"), "{text}");
        Self { stream, text }
    }

    /// Reads until this text has come.
    async fn until(&mut self, text: &str) -> &str {
        if !self.text.contains(text) {
            self.text += &read_until(&mut self.stream, text).await;
        }
        &self.text
    }
}

/// Returns the cursor of the last event in a text.
fn last_id(events: &str) -> &str {
    let (_, rest) = events.rsplit_once("id: ").expect("an event has an id");
    rest.lines().next().unwrap()
}

#[test]
fn a_stream_delivers_what_happens_and_resumes_after_the_last_event() {
    run(async {
        let messenger = messenger().await;
        let server = Server::new(messenger.clone()).await;
        let (alice, bob) = (user(), user());
        let message = |text| NewMessage::new(alice.clone(), bob.clone(), text).unwrap();
        let first = messenger.send(message("first")).await.unwrap();
        let conversation = first.conversation_id();
        let history = format!("/api/messages/conversation/{conversation}/events");
        let inbox = format!("/api/conversations/user/{bob}/events");

        let mut messages = Events::follow(server.address, &history, "").await;
        let ready = messages.until("event: ready\n").await.to_owned();
        let mut entries = Events::follow(server.address, &inbox, "").await;
        entries.until("event: ready\n").await;

        let sent = messenger.send(message("<b>live</b>")).await.unwrap();
        let events = messages.until("<b>live</b>").await;
        assert!(events.contains("event: message\n"), "{events}");
        let events = entries.until("<b>live</b>").await;
        assert!(events.contains("event: conversation\n"), "{events}");
        drop(messages);

        // While nobody follows, a message is sent, and one is edited.
        let edited: Content = "edited".parse().unwrap();
        messenger
            .edit(conversation, sent.id(), &alice, edited)
            .await
            .unwrap();
        messenger.send(message("meanwhile")).await.unwrap();
        let headers = format!("Last-Event-ID: {}\r\n", last_id(&ready));
        let mut messages = Events::follow(server.address, &history, &headers).await;
        let events = messages.until("meanwhile").await;
        assert!(events.contains("\"content\":\"edited\""), "{events}");
    });
}

#[test]
fn a_stream_says_why_it_ends() {
    run(async {
        let (mut service, config) = configs();
        service.max_follow_time = Duration::from_millis(300);
        let server = Server::with_configs(messenger().await, (service, config)).await;
        let path = format!("/api/conversations/user/{}/events", user());
        let mut stream = Events::follow(server.address, &path, "").await;
        let end = "event: end\ndata: {\"code\":\"max_age\"}";
        stream.until(end).await;
    });
}

#[test]
fn streams_have_a_limit_of_their_own() {
    run(async {
        let (mut service, config) = configs();
        service.max_followers = 1;
        service.max_in_flight = 1;
        let server = Server::with_configs(messenger().await, (service, config)).await;
        let path = format!("/api/conversations/user/{}/events", user());
        let first = Events::follow(server.address, &path, "").await;
        let answer = server.client().get(&path).await;
        assert_eq!(answer.status, 503);
        let metrics = String::from_utf8(server.client().get("/metrics").await.body).unwrap();
        let refused = "messenger_http_requests_shed_total{\
                       route=\"/api/conversations/user/{user_id}/events\",limit=\"followers\"} ";
        let refused = metrics.lines().find_map(|line| line.strip_prefix(refused));
        assert_ne!(refused.unwrap(), "0");
        // A stream does not occupy the place of a request.
        let inbox = path.trim_end_matches("/events");
        assert_eq!(server.client().get(inbox).await.status, 200);
        drop(first);
    });
}

#[test]
fn the_place_of_a_client_that_has_left_is_free_at_once() {
    run(async {
        let (mut service, config) = configs();
        service.max_followers = 1;
        let server = Server::with_configs(messenger().await, (service, config)).await;
        let path = format!("/api/conversations/user/{}/events", user());
        for _ in 0..3 {
            let mut stream = Events::follow(server.address, &path, "").await;
            stream.until("event: ready\n").await;
            // Long before the heartbeat, whose write would fail.
            drop(stream);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

#[test]
fn the_script_of_the_chat_page_is_served_unchanged() {
    run(async {
        let server = Server::new(messenger().await).await;
        let script = server.client().get("/chat/chat.js").await;
        assert_eq!(script.status, 200);
        assert_eq!(script.body, include_bytes!("../../assets/chat/chat.js"));
        let page = server.client().get("/chat/").await;
        let page = String::from_utf8(page.body).unwrap();
        assert!(page.contains("src=\"/chat/chat.js\""), "{page}");
    });
}
