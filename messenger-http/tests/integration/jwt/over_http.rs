//! Tokens over HTTP.

use std::time::Duration;

use messenger_core::{Timestamp, UserId};
use messenger_http::{Access, ServerConfig};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::{EDDSA, authentication, claims_with, now};
use crate::client::{Client, conversation_of};
use crate::raw::{connect, read_until};
use crate::server::{Server, configs};
use crate::{messenger, run, user};

async fn server() -> Server {
    let (mut service, _) = configs();
    service.access = Access::authenticated(authentication());
    Server::with_configs(messenger().await, (service, ServerConfig::default())).await
}

fn token_of(user: &UserId) -> String {
    EDDSA.token(&claims_with("sub", json!(user)))
}

#[test]
fn a_token_expires_in_the_middle_of_a_walk_through_pages() {
    run(async {
        let server = server().await;
        let [alice, bob] = [user(), user()];
        let client = Client::authenticated(server.address, Some(&token_of(&alice)));
        let mut conversation = String::new();
        for n in 0..3 {
            let sent = client.send(&alice, &bob, &n.to_string()).await;
            conversation = conversation_of(&sent).to_owned();
        }
        let mut short = claims_with("sub", json!(alice));
        short["exp"] = json!(now() - 57);
        let ends = Timestamp::from_millis((now() + 3) * 1000).unwrap();
        let client = Client::authenticated(server.address, Some(&EDDSA.token(&short)));
        let path = format!("/api/messages/conversation/{conversation}?limit=1");
        let first = client.ok(&path).await;
        let next = format!("{path}&cursor={}", first["next_cursor"].as_str().unwrap());
        let second = client.ok(&next).await;
        let last = format!("{path}&cursor={}", second["next_cursor"].as_str().unwrap());
        let left = ends.saturating_duration_since(Timestamp::now());
        tokio::time::sleep(left + Duration::from_millis(5)).await;
        let answer = client.get(&last).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["detail"], "The token has expired.");
        // With a new token, the walk goes on where it was.
        let client = Client::authenticated(server.address, Some(&token_of(&alice)));
        assert_eq!(client.ok(&last).await["data"][0]["content"], "0");
    });
}

#[test]
fn tokens_elsewhere_twice_or_too_long_are_refused_over_http() {
    run(async {
        let server = server().await;
        let alice = user();
        let token = token_of(&alice);
        let path = format!("/api/conversations/user/{alice}");
        let with = |headers: String| format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let long = "x".repeat(9 * 1024);
        let long = EDDSA.token(&claims_with("more", json!(long)));
        for (request, status) in [
            (with(bearer.clone()), 200),
            (with(bearer.clone() + &bearer), 401),
            (with(format!("Cookie: access_token={token}\r\n")), 401),
            (with(format!("Authorization: {token}\r\n")), 401),
            (with(format!("Authorization: Bearer {long}\r\n")), 401),
            (
                format!("GET {path}?access_token={token} HTTP/1.1\r\nHost: test\r\n\r\n"),
                401,
            ),
        ] {
            let mut stream = connect(server.address).await;
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = read_until(&mut stream, "\r\n\r\n").await;
            let expected = format!("HTTP/1.1 {status}");
            assert!(answer.starts_with(&expected), "{request}: {answer}");
        }
    });
}
