//! The answers of the calls when all goes well.

use http::Method;
use messenger_core::{Messenger, UserId};
use serde_json::{Value, json};

use crate::client::{Client, conversation_of, message};
use crate::contract::Answer;
use crate::raw::{exchange, statuses};
use crate::server::Server;
use crate::{messenger, run, user};

/// Sends this many messages from one user to another, and gives them newest first.
async fn sent(client: Client, count: usize) -> (UserId, UserId, Vec<Value>) {
    let (alice, bob) = (user(), user());
    let mut messages = Vec::new();
    for number in 0..count {
        messages.insert(
            0,
            client
                .send(&alice, &bob, &format!("message {number}"))
                .await,
        );
    }
    (alice, bob, messages)
}

fn ids(items: &Value) -> Vec<&str> {
    let items = items.as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect()
}

/// The URL of this relation in a `Link` header.
fn link<'a>(header: &'a str, rel: &str) -> Option<&'a str> {
    header.split(", ").find_map(|link| {
        let (url, params) = link.strip_prefix('<')?.split_once('>')?;
        (params == format!("; rel=\"{rel}\"")).then_some(url)
    })
}

async fn client(messenger: Messenger) -> (Server, Client) {
    let server = Server::new(messenger).await;
    let client = server.client();
    (server, client)
}

#[test]
fn a_message_is_found_wherever_it_should_be() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let (alice, bob) = (user(), user());
        let answer = client
            .post(message(&alice, &bob, "Hello \u{1f44b}\n\"x\""), &[])
            .await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("idempotent-replayed"), None);
        let message = answer.json();
        assert_eq!(message["sender_id"], alice.as_str());
        assert_eq!(message["content"], "Hello \u{1f44b}\n\"x\"");

        assert_eq!(client.ok(answer.header("location").unwrap()).await, message);
        let id = conversation_of(&message);
        let page = client.ok(&format!("/api/messages/conversation/{id}")).await;
        assert_eq!(page["data"], json!([message]));
        assert_eq!(page["next_cursor"], Value::Null);

        let conversation = client.ok(&format!("/api/conversations/{id}")).await;
        let mut participants = [alice.as_str(), bob.as_str()];
        participants.sort_unstable();
        assert_eq!(
            conversation,
            json!({"id": id, "kind": "direct", "participants": participants})
        );
        for user in [&alice, &bob] {
            let entry = client
                .ok(&format!("/api/conversations/{id}?user_id={user}"))
                .await;
            assert_eq!(entry["last_message"]["id"], message["id"]);
            assert_eq!(entry["last_message"]["created_at"], message["created_at"]);
            assert_eq!(entry["participants"], conversation["participants"]);
            let inbox = client.ok(&format!("/api/conversations/user/{user}")).await;
            assert_eq!(inbox["data"], json!([entry]));
        }
    });
}

/// Returns the parts of a page in which two requests for it agree. What is settled grows with time on a store that several
/// servers write, and `prev_cursor` with it.
fn without_prev(mut answer: Value) -> Value {
    if let Some(members) = answer.as_object_mut() {
        members.remove("prev_cursor");
    }
    answer
}

#[test]
fn a_trailing_slash_changes_nothing() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let (alice, _, messages) = sent(client, 1).await;
        let id = conversation_of(&messages[0]);
        for path in [
            format!("/api/messages/conversation/{id}"),
            format!(
                "/api/messages/conversation/{id}/{}",
                messages[0]["id"].as_str().unwrap()
            ),
            format!("/api/conversations/{id}"),
            format!("/api/conversations/user/{alice}"),
            "/health/live".to_owned(),
            "/health/ready".to_owned(),
            "/openapi.json".to_owned(),
        ] {
            assert_eq!(
                without_prev(client.ok(&path).await),
                without_prev(client.ok(&format!("{path}/")).await),
                "{path}"
            );
        }
        let before = format!(
            "/api/messages/conversation/{id}/before/?before_timestamp=9999-01-01T00:00:00Z"
        );
        assert_eq!(
            ids(&client.ok(&before).await["data"]),
            ids(&json!(messages))
        );
    });
}

#[test]
fn links_walk_a_history_there_and_back() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let (alice, bob, messages) = sent(client, 5).await;
        let id = conversation_of(&messages[0]);

        let mut path = format!("/api/messages/conversation/{id}?limit=2");
        let (mut walked, mut first) = (Vec::new(), None);
        loop {
            let answer = client.get(&path).await;
            let header = answer.header("link").unwrap();
            first.get_or_insert_with(|| link(header, "prev").unwrap().to_owned());
            let page = answer.json();
            walked.extend(page["data"].as_array().unwrap().iter().cloned());
            match link(header, "next") {
                Some(next) => {
                    assert!(next.contains("limit=2"), "{next}");
                    assert!(
                        next.contains(page["next_cursor"].as_str().unwrap()),
                        "{next}"
                    );
                    path = next.to_owned();
                }
                None => break,
            }
        }
        assert_eq!(walked, messages);

        let newer = first.unwrap();
        let new = client.send(&bob, &alice, "new").await;
        let page = client.ok(&newer).await;
        assert!(
            ids(&page["data"]).contains(&new["id"].as_str().unwrap()),
            "{page}"
        );
    });
}

#[test]
fn links_walk_an_inbox() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let alice = UserId::new(format!("a@b+c=d:~{}", user())).unwrap();
        let mut expected = Vec::new();
        for _ in 0..3 {
            let message = client.send(&user(), &alice, "hi").await;
            expected.insert(0, conversation_of(&message).to_owned());
        }
        let escaped: String = alice
            .as_str()
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        for id in [alice.as_str(), &escaped] {
            let mut path = Some(format!("/api/conversations/user/{id}?limit=1"));
            let mut walked = Vec::new();
            while let Some(this) = path {
                let answer = client.get(&this).await;
                walked.extend(ids(&answer.json()["data"]).into_iter().map(str::to_owned));
                path = link(answer.header("link").unwrap(), "next").map(str::to_owned);
            }
            assert_eq!(walked, expected, "{id}");
        }
    });
}

#[test]
fn a_history_ends_before_a_time() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let (.., messages) = sent(client, 1).await;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        let sender: UserId = serde_json::from_value(messages[0]["sender_id"].clone()).unwrap();
        let receiver: UserId = serde_json::from_value(messages[0]["receiver_id"].clone()).unwrap();
        let later = client.send(&sender, &receiver, "later").await;
        let base = format!(
            "/api/messages/conversation/{}/before",
            conversation_of(&later)
        );

        let time = later["created_at"].as_str().unwrap();
        let answer = client
            .get(&format!("{base}?limit=1&before_timestamp={time}"))
            .await;
        assert_eq!(answer.json()["data"], json!(messages));
        // `prev` leads to the history itself: nothing new can be before the time.
        let prev = link(answer.header("link").unwrap(), "prev").unwrap();
        assert!(!prev.contains("before"), "{prev}");
        let newer = client.ok(prev).await;
        assert!(ids(&newer["data"]).contains(&later["id"].as_str().unwrap()));

        let utc = time.strip_suffix('Z').unwrap();
        for same in [
            format!("{utc}%2B00:00"),
            format!("{utc}-00%3A00"),
            format!("{utc}0001Z"),
        ] {
            let page = client.ok(&format!("{base}?before_timestamp={same}")).await;
            let finer = same.ends_with("0001Z");
            assert_eq!(
                page["data"].as_array().unwrap().len(),
                1 + usize::from(finer),
                "{same}"
            );
        }
    });
}

#[test]
fn the_root_leads_to_the_documentation() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let answer = client.get("/").await;
        assert_eq!(answer.status, 303);
        let location = answer.header("location").unwrap();
        assert_eq!(client.get(location).await.status, 200);
        let nowhere = client.get("/nowhere").await.json();
        let detail = nowhere["detail"].as_str().unwrap();
        assert!(detail.contains("/docs"), "{detail}");
    });
}

#[test]
fn an_encoded_path_is_the_same_path() {
    run(async {
        let (server, client) = client(messenger().await).await;
        let (alice, ..) = sent(client, 1).await;
        for path in [
            "/%68ealth/liv%65".to_owned(),
            format!("/api/conversations/%75ser/{alice}"),
        ] {
            let get = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
            let answer = exchange(server.address, get).await;
            assert_eq!(statuses(&answer), [200], "{path}: {answer}");
        }
    });
}

#[test]
fn head_gives_the_headers_of_get() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let (.., messages) = sent(client, 1).await;
        let id = conversation_of(&messages[0]);
        for path in [
            format!("/api/messages/conversation/{id}"),
            format!("/api/conversations/{id}"),
            "/health/live".to_owned(),
            "/docs".to_owned(),
            "/docs/swagger-ui.css".to_owned(),
            "/api/conversations/4030e32d-d786-54ef-9e6c-e538bcff2f0f".to_owned(),
        ] {
            let get = client.get(&path).await;
            let head = client.method(Method::HEAD, &path).await;
            assert_eq!(head.status, get.status, "{path}");
            for name in [
                "content-length",
                "content-type",
                "link",
                "etag",
                "cache-control",
            ] {
                // The cursor of `prev` grows with time, as in `without_prev`.
                let lasting = |answer: &Answer| {
                    let value = answer.header(name)?;
                    Some(match value.split_once("cursor=") {
                        Some((before, cursor)) => (before.to_owned(), cursor.len()),
                        None => (value.to_owned(), 0),
                    })
                };
                assert_eq!(lasting(&head), lasting(&get), "{path}: {name}");
            }
        }
    });
}

#[test]
fn user_ids_are_strings_or_numbers() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let receiver = user();
        let number = rand::random::<u64>() | 1 << 63;
        let body = format!(
            r#"{{"sender_id": {number}, "receiver_id": "{receiver}", "content": "\ud83d\udc4b", "more": [{{}}]}}"#
        );
        let message = client
            .post(body, &[("content-type", "application/json; charset=UTF-8")])
            .await;
        assert_eq!(message.status, 201);
        assert_eq!(message.json()["sender_id"], number.to_string());
        assert_eq!(message.json()["content"], "\u{1f44b}");
        let inbox = client
            .ok(&format!("/api/conversations/user/{number}"))
            .await;
        assert_eq!(inbox["data"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn the_longest_content_fits_in_any_encoding() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let escaped = "\\u0041".repeat(20_000);
        let body = format!(
            r#"{{"sender_id":"{}","receiver_id":"{}","content":"{escaped}"}}"#,
            user(),
            user()
        );
        let answer = client.post(body, &[]).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.json()["content"], "A".repeat(20_000));
        let id = conversation_of(&answer.json()).to_owned();
        let sender = answer.json()["sender_id"].as_str().unwrap().to_owned();
        let entry = client
            .ok(&format!("/api/conversations/{id}?user_id={sender}"))
            .await;
        assert_eq!(entry["last_message"]["preview"], "A".repeat(200));
    });
}

#[test]
fn who_never_wrote_has_an_empty_inbox_to_catch_up_from() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let alice = user();
        let answer = client
            .get(&format!("/api/conversations/user/{alice}"))
            .await;
        let page = answer.json();
        assert_eq!(page["data"], json!([]));
        assert_eq!(page["next_cursor"], Value::Null);
        let message = client.send(&user(), &alice, "first").await;
        let newer = link(answer.header("link").unwrap(), "prev").unwrap();
        assert_eq!(
            ids(&client.ok(newer).await["data"]),
            [conversation_of(&message)]
        );
    });
}

#[test]
fn a_key_makes_one_message() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let (alice, bob) = (user(), user());
        let body = message(&alice, &bob, "once");
        let first = client
            .post(body.clone(), &[("idempotency-key", "k-1")])
            .await;
        assert_eq!(
            (first.status.as_u16(), first.header("idempotent-replayed")),
            (201, None)
        );
        // The quoted form of the draft, and a body that is written in another way.
        let again = body.replace(':', " : ");
        let second = client.post(again, &[("idempotency-key", "\"k-1\"")]).await;
        assert_eq!(
            (second.status.as_u16(), second.header("idempotent-replayed")),
            (201, Some("true"))
        );
        assert_eq!(second.body, first.body);
        assert_eq!(second.header("location"), first.header("location"));

        let other = client
            .post(message(&alice, &bob, "two"), &[("idempotency-key", "k-1")])
            .await;
        assert_eq!(
            (other.status.as_u16(), &other.json()["code"]),
            (422, &json!("idempotency_key_reused"))
        );
        // Another sender's key is another key.
        let other = client
            .post(message(&bob, &alice, "two"), &[("idempotency-key", "k-1")])
            .await;
        assert_eq!(
            (other.status.as_u16(), other.header("idempotent-replayed")),
            (201, None)
        );

        let id = conversation_of(&first.json()).to_owned();
        let page = client.ok(&format!("/api/messages/conversation/{id}")).await;
        assert_eq!(page["data"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn two_sends_with_one_key_at_once_get_the_same_message() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let body = message(&user(), &user(), "once");
        let sends = (0..8).map(|_| client.post(body.clone(), &[("idempotency-key", "k")]));
        let answers = futures_util::future::join_all(sends.collect::<Vec<_>>()).await;
        for answer in &answers {
            assert_eq!(answer.status, 201);
            assert_eq!(answer.body, answers[0].body);
        }
        let fresh = answers
            .iter()
            .filter(|answer| answer.header("idempotent-replayed").is_none());
        assert_eq!(fresh.count(), 1);
    });
}

#[test]
fn a_request_id_goes_through() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let request = |id: &str| {
            let request = http::Request::get("/nowhere").header("x-request-id", id);
            request.body(http_body_util::Full::default()).unwrap()
        };
        let answer = client.request(request("trace-1/a")).await;
        assert_eq!(answer.header("x-request-id"), Some("trace-1/a"));
        assert_eq!(answer.json()["request_id"], "trace-1/a");
        let answer = client.request(request("\"quoted\"")).await;
        assert_ne!(answer.header("x-request-id"), Some("\"quoted\""));
        let one = client.get("/health/live").await;
        let other = client.get("/health/live").await;
        assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    });
}

#[test]
fn metrics_count_by_route() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let alice = user();
        client.ok(&format!("/api/conversations/user/{alice}")).await;
        let text = String::from_utf8(client.get("/metrics").await.body).unwrap();
        let counted = |line: &&str| {
            line.starts_with("messenger_http_requests_total{")
                && line.contains("route=\"/api/conversations/user/{user_id}\"")
                && line.contains("method=\"GET\"")
                && line.contains("status=\"200\"")
        };
        assert!(text.lines().any(|line| counted(&line)), "{text}");
        assert!(
            text.contains("messenger_http_request_duration_seconds_bucket{"),
            "{text}"
        );
        assert!(
            text.contains("messenger_http_requests_in_flight "),
            "{text}"
        );
        assert!(text.contains("messenger_http_connections "), "{text}");
        // Counters exist before their first event, which `increase()` would miss otherwise. No other
        // test, with which this one shares the recorder, raises these.
        for counter in [
            "messenger_http_accept_errors_total 0",
            "messenger_http_requests_shed_total{route=\"/problems/{code}\",limit=\"response_bytes\"} 0",
            "messenger_http_requests_aborted_total{route=\"/openapi.json\",method=\"GET\"} 0",
        ] {
            assert!(
                text.lines().any(|line| line == counter),
                "{counter}: {text}"
            );
        }
        let of_this_crate = |line: &&str| line.starts_with("# TYPE messenger_http_");
        for line in text.lines().filter(of_this_crate) {
            let name = line.split(' ').nth(2).unwrap();
            assert!(
                text.contains(&format!("# HELP {name} ")),
                "{name} has no help"
            );
        }
        assert!(!text.contains(alice.as_str()), "{text}");
    });
}

#[test]
fn the_documentation_is_served_from_here() {
    run(async {
        let (_server, client) = client(messenger().await).await;
        let page = client.get("/docs").await;
        assert_eq!(page.status, 200);
        let html = String::from_utf8(page.body).unwrap();
        assert!(!html.contains("//"), "an address outside: {html}");
        let files: Vec<_> = html
            .split('"')
            .filter(|part| part.starts_with("/docs/"))
            .collect();
        assert_eq!(files.len(), 4, "{files:?}");
        for path in files {
            let file = client.get(path).await;
            assert_eq!(file.status, 200, "{path}");
            let etag = file.header("etag").unwrap();
            for (known, status) in [
                (etag.to_owned(), 304),
                (format!("W/{etag}"), 304),
                (format!("\"other, tag\" , {etag}"), 304),
                ("*".to_owned(), 304),
                ("\"other\"".to_owned(), 200),
                (etag.replace('"', ""), 200),
            ] {
                let request = http::Request::get(path).header("if-none-match", &known);
                let request = request.body(http_body_util::Full::default()).unwrap();
                assert_eq!(
                    client.request(request).await.status,
                    status,
                    "{path}: {known}"
                );
            }
        }
    });
}
