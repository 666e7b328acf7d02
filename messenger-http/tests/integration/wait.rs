//! Long polling: a request for what is newer waits until there is something.

use std::time::{Duration, Instant};

use messenger_core::UserId;
use serde_json::{Value, json};

use crate::client::{Client, conversation_of};
use crate::raw::LONG;
use crate::server::{Server, configs};
use crate::{messenger, run, user};

fn inbox(user: &UserId) -> String {
    format!("/api/conversations/user/{user}")
}

fn prev(page: &Value) -> &str {
    page["prev_cursor"].as_str().unwrap()
}

/// Polls a list as a client does, until an item has this value at a pointer.
async fn poll_until(client: Client, list: &str, mut page: Value, at: &str, value: Value) {
    let start = Instant::now();
    loop {
        let path = format!("{list}?wait=10&cursor={}", prev(&page));
        page = client.ok(&path).await;
        let items = page["data"].as_array().unwrap();
        if items.iter().any(|item| item.pointer(at) == Some(&value)) {
            return;
        }
        assert!(start.elapsed() < LONG, "nothing came: {page}");
    }
}

#[test]
fn a_request_that_waits_is_answered_when_the_list_changes() {
    run(async {
        let server = Server::new(messenger().await).await;
        let client = server.client();
        let (alice, bob) = (user(), user());
        let message = client.send(&alice, &bob, "first").await;
        let conversation = conversation_of(&message);
        let history = format!("/api/messages/conversation/{conversation}");
        let (messages, entries) = (client.ok(&history).await, client.ok(&inbox(&bob)).await);

        let inbox = inbox(&bob);
        let read = json!({"user_id": bob, "up_to": message["id"]});
        let polls = async {
            tokio::join!(
                poll_until(client, &history, messages, "/content", "second".into()),
                poll_until(
                    client,
                    &inbox,
                    entries,
                    "/last_message/preview",
                    "second".into()
                ),
            )
        };
        let send = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            client.send(&alice, &bob, "second").await;
        };
        let start = Instant::now();
        tokio::join!(polls, send);
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "not when it changed"
        );

        // Read markers change an inbox, too.
        let page = client.ok(&inbox).await;
        let mark = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let path = format!("/api/conversations/{conversation}/read");
            client.json(http::Method::PUT, &path, read).await
        };
        let marked = poll_until(client, &inbox, page, "/read_up_to", message["id"].clone());
        let (answer, ()) = tokio::join!(mark, marked);
        assert_eq!(answer.status, 200);
    });
}

#[test]
fn without_a_change_the_page_is_empty_and_its_cursor_goes_on() {
    run(async {
        let server = Server::new(messenger().await).await;
        let client = server.client();
        let user = user();
        let page = client.ok(&inbox(&user)).await;
        let start = Instant::now();
        let path = format!("{}?wait=1&cursor={}", inbox(&user), prev(&page));
        let page = client.ok(&path).await;
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert_eq!(page["data"], json!([]));
        let path = format!("{}?cursor={}", inbox(&user), prev(&page));
        assert_eq!(client.ok(&path).await["data"], json!([]));
    });
}

#[test]
fn wait_takes_whole_seconds_and_the_prev_cursor_of_a_page() {
    run(async {
        let server = Server::new(messenger().await).await;
        let client = server.client();
        let alice = user();
        for _ in 0..2 {
            client.send(&alice, &user(), "x").await;
        }
        let page = client.ok(&format!("{}?limit=1", inbox(&alice))).await;
        let next = page["next_cursor"].as_str().unwrap();
        for (query, detail) in [
            (format!("wait=0&cursor={}", prev(&page)), "from 1 to 60"),
            (format!("wait=61&cursor={}", prev(&page)), "from 1 to 60"),
            (format!("wait=%2B5&cursor={}", prev(&page)), "from 1 to 60"),
            (format!("wait=1.5&cursor={}", prev(&page)), "from 1 to 60"),
            ("wait=5".to_owned(), "prev_cursor"),
            (format!("wait=5&cursor={next}"), "prev_cursor"),
        ] {
            let answer = client.get(&format!("{}?{query}", inbox(&alice))).await;
            assert_eq!(answer.status, 400, "{query}");
            let problem = answer.json();
            assert_eq!(problem["code"], "invalid_query", "{query}");
            let text = problem["detail"].as_str().unwrap();
            assert!(text.contains(detail), "{query}: {text}");
        }
    });
}

/// Begins to wait for a change that never comes.
fn begin_to_wait(client: Client, seconds: u32) -> tokio::task::JoinHandle<u16> {
    let user = user();
    tokio::spawn(async move {
        let page = client.ok(&inbox(&user)).await;
        let path = format!("{}?wait={seconds}&cursor={}", inbox(&user), prev(&page));
        client.get(&path).await.status.as_u16()
    })
}

#[test]
fn requests_that_wait_count_as_followers_and_not_as_in_flight() {
    run(async {
        let (mut service, server) = configs();
        (service.max_in_flight, service.max_followers) = (1, 1);
        let server = Server::with_configs(messenger().await, (service, server)).await;
        let client = server.client();
        // Longer than a request may take.
        let waits = begin_to_wait(client, 2);
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.ok(&inbox(&user())).await;
        assert_eq!(begin_to_wait(client, 1).await.unwrap(), 503);
        assert_eq!(waits.await.unwrap(), 200);
    });
}

#[test]
fn a_stop_answers_requests_that_wait() {
    run(async {
        let server = Server::new(messenger().await).await;
        let waits = begin_to_wait(server.client(), 60);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let start = Instant::now();
        let stopped = server.stop();
        assert_eq!(waits.await.unwrap(), 200);
        assert!(stopped.await.unwrap().is_complete());
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
    });
}
