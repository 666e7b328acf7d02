//! The permissions of each user, with authentication.

use std::num::NonZero;
use std::time::Duration;

use async_trait::async_trait;
use http::request::Parts;
use http::{Method, Request};
use http_body_util::Full;
use messenger_core::conformance::Failure;
use messenger_core::conformance::access::{self, Binding, Call};
use messenger_core::{Action, Decision, Messenger, MessengerOptions, Policy, Timestamp, UserId};
use messenger_http::{
    Access, Authenticate, AuthenticationError, Identity, ServerConfig, ServiceConfig, bearer_token,
};
use messenger_memory::MemoryStore;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::client::{Client, conversation_of};
use crate::contract::DOCUMENT_WITH_AUTHENTICATION;
use crate::raw::{LONG, connect, post_head, read_until};
use crate::server::{Server, configs};
use crate::{messenger, run, user};

/// Tokens for tests: `for-` and the id of the user, with `soon-` in front if it expires in half a
/// second.
#[derive(Debug)]
pub(crate) struct Tokens;

#[async_trait]
impl Authenticate for Tokens {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        match bearer_token(&request.headers)? {
            "broken" => Err(AuthenticationError::Unavailable("no keys".into())),
            "slow" => std::future::pending().await,
            token => {
                let (token, is_short) = match token.strip_prefix("soon-") {
                    Some(token) => (token, true),
                    None => (token, false),
                };
                let user = token
                    .strip_prefix("for-")
                    .and_then(|id| UserId::new(id).ok());
                let reason = || AuthenticationError::Invalid("The token is not valid".into());
                let identity = Identity::new(user.ok_or_else(reason)?);
                let soon = Timestamp::now().saturating_add(Duration::from_millis(500));
                Ok(match is_short {
                    true => identity.with_expiry(soon),
                    false => identity,
                })
            }
        }
    }
}

async fn server_with(config: impl FnOnce(&mut ServiceConfig)) -> Server {
    let (mut service, _) = configs();
    service.access = Access::authenticated(Tokens);
    config(&mut service);
    Server::with_configs(messenger().await, (service, ServerConfig::default())).await
}

async fn server() -> Server {
    server_with(|_| {}).await
}

impl Server {
    /// A client that authenticates as this user.
    fn client_of(&self, user: &UserId) -> Client {
        self.client_with(&format!("for-{user}"))
    }

    fn client_with(&self, token: &str) -> Client {
        Client::authenticated(self.address, Some(token))
    }

    fn client_of_nobody(&self) -> Client {
        Client::authenticated(self.address, None)
    }
}

/// Sends a message, naming only the receiver.
async fn send(client: Client, receiver: &UserId) -> Value {
    let body = json!({"receiver_id": receiver, "content": "Hello"});
    let answer = client.json(Method::POST, "/api/messages/", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// The access suite of core, over HTTP.
struct OverHttp(Server);

#[async_trait]
impl Binding for OverHttp {
    async fn call(&self, user: &UserId, call: &Call) -> Result<access::Answer, Failure> {
        let list = |conversation| format!("/api/messages/conversation/{conversation}");
        let with = |path: String, cursor: &Option<_>| match cursor {
            Some(cursor) => format!("{path}?cursor={cursor}"),
            None => path,
        };
        let (method, path, body) = match call {
            Call::Message { conversation, id } => {
                (Method::GET, format!("{}/{id}", list(conversation)), None)
            }
            Call::History {
                conversation,
                cursor,
            } => (Method::GET, with(list(conversation), cursor), None),
            Call::Inbox => (Method::GET, format!("/api/conversations/user/{user}"), None),
            Call::Entry { conversation } => (
                Method::GET,
                format!("/api/conversations/{conversation}"),
                None,
            ),
            Call::Edit {
                conversation,
                id,
                content,
            } => {
                let body = json!({"content": content.as_str()});
                (
                    Method::PATCH,
                    format!("{}/{id}", list(conversation)),
                    Some(body),
                )
            }
            Call::Unsend { conversation, id } => {
                (Method::DELETE, format!("{}/{id}", list(conversation)), None)
            }
            Call::MarkRead {
                conversation,
                up_to,
            } => {
                let path = format!("/api/conversations/{conversation}/read");
                (Method::PUT, path, Some(json!({"up_to": up_to})))
            }
            Call::Follow {
                conversation,
                cursor,
            } => {
                let path = format!("{}/events", list(conversation));
                (Method::GET, with(path, cursor), None)
            }
            other => return Err(Failure::new(format!("no call for {other:?}"))),
        };
        // One request id for all: everything else that a caller sees must be the same.
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("x-request-id", "the-same");
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = request.body(Full::from(body)).unwrap();
        let answer = self.0.client_of(user).request(request).await;
        let mut headers: Vec<_> = answer.headers.iter().collect();
        headers.retain(|(name, _)| *name != "date");
        let body = String::from_utf8_lossy(&answer.body);
        Ok(access::Answer {
            granted: answer.status.is_success(),
            text: format!("{} {headers:?} {body}", answer.status),
        })
    }
}

#[test]
fn the_access_suite_passes_over_http() {
    run(async {
        let messenger = messenger().await;
        let mut config = ServiceConfig::default();
        config.access = Access::authenticated(Tokens);
        let configs = (config, ServerConfig::default());
        let server = Server::with_configs(messenger.clone(), configs).await;
        access::check(&messenger, &OverHttp(server)).await.unwrap();
    });
}

/// The status for nobody, for a user who takes no part, for the receiver and for the sender.
type Row = [u16; 4];

/// A row for each call. One that is missing here fails the test.
fn expected(call: &str) -> Option<Row> {
    Some(match call {
        "post /api/messages/" => [401, 201, 201, 201],
        "get /api/messages/conversation/{conversation_id}"
        | "get /api/messages/conversation/{conversation_id}/before"
        | "get /api/messages/conversation/{conversation_id}/{message_id}"
        | "get /api/messages/conversation/{conversation_id}/events"
        | "get /api/conversations/{conversation_id}"
        | "put /api/conversations/{conversation_id}/read" => [401, 404, 200, 200],
        "patch /api/messages/conversation/{conversation_id}/{message_id}"
        | "delete /api/messages/conversation/{conversation_id}/{message_id}" => {
            [401, 404, 403, 200]
        }
        // The inbox of the sender.
        "get /api/conversations/user/{user_id}"
        | "get /api/conversations/user/{user_id}/events" => [401, 403, 403, 200],
        "get /health/live"
        | "get /health/ready"
        | "get /metrics"
        | "get /openapi.json"
        | "get /problems/{code}"
        | "get /docs"
        | "get /docs/{file}"
        | "get /chat/"
        | "get /chat/{file}" => [200; 4],
        "get /" => [303; 4],
        _ => return None,
    })
}

#[test]
fn every_call_answers_each_caller_as_the_table_says() {
    run(async {
        let server = server().await;
        for (path, item) in DOCUMENT_WITH_AUTHENTICATION["paths"].as_object().unwrap() {
            for verb in item.as_object().unwrap().keys() {
                let call = format!("{verb} {path}");
                let expected = expected(&call);
                let expected = expected.unwrap_or_else(|| panic!("{call} has no row"));
                assert_eq!(statuses(&server, verb, path).await, expected, "{call}");
            }
        }
    });
}

/// Makes a call as each of the four.
async fn statuses(server: &Server, verb: &str, template: &str) -> Row {
    let [sender, receiver, stranger] = [user(), user(), user()];
    let message = send(server.client_of(&sender), &receiver).await;
    let (conversation, id) = (conversation_of(&message), message["id"].as_str().unwrap());
    let file = match template.starts_with("/chat") {
        true => "chat.js",
        false => "start.js",
    };
    let mut path = template
        .replace("{conversation_id}", conversation)
        .replace("{message_id}", id)
        .replace("{user_id}", sender.as_str())
        .replace("{code}", "internal")
        .replace("{file}", file);
    if path.ends_with("/before") {
        path += "?before_timestamp=2100-01-01T00:00:00Z";
    }
    let body = match verb {
        "post" => Some(json!({"receiver_id": user(), "content": "x"})),
        "patch" => Some(json!({"content": "x"})),
        "put" => Some(json!({"up_to": id})),
        _ => None,
    };
    let method: Method = verb.to_uppercase().parse().unwrap();
    let mut row = [0; 4];
    let clients = [
        server.client_of_nobody(),
        server.client_of(&stranger),
        server.client_of(&receiver),
        server.client_of(&sender),
    ];
    for (status, client) in row.iter_mut().zip(clients) {
        let answer = match &body {
            Some(body) => client.json(method.clone(), &path, body.clone()).await,
            None => client.method(method.clone(), &path).await,
        };
        *status = answer.status.as_u16();
    }
    row
}

#[test]
fn a_caller_names_nobody_else() {
    run(async {
        let server = server().await;
        let [alice, bob] = [user(), user()];
        let message = send(server.client_of(&bob), &alice).await;
        let conversation = conversation_of(&message);
        let id = message["id"].as_str().unwrap();
        let of_message = format!("/api/messages/conversation/{conversation}/{id}");
        let of_conversation = format!("/api/conversations/{conversation}");
        let client = server.client_of(&alice);
        for (method, path, body) in [
            (
                Method::POST,
                "/api/messages/".to_owned(),
                json!({"sender_id": bob, "receiver_id": alice, "content": "x"}),
            ),
            (
                Method::PATCH,
                of_message.clone(),
                json!({"sender_id": bob, "content": "x"}),
            ),
            (
                Method::PUT,
                format!("{of_conversation}/read"),
                json!({"user_id": bob, "up_to": id}),
            ),
        ] {
            let answer = client.json(method, &path, body).await;
            answer.assert_problem(403, "not_yours");
        }
        for (method, path) in [
            (Method::DELETE, format!("{of_message}?sender_id={bob}")),
            (Method::GET, format!("{of_conversation}?user_id={bob}")),
            (Method::GET, format!("/api/conversations/user/{bob}")),
            (Method::GET, format!("/api/conversations/user/{bob}/events")),
        ] {
            client
                .method(method, &path)
                .await
                .assert_problem(403, "not_yours");
        }
        // Naming oneself is allowed.
        let path = format!("{of_conversation}?user_id={alice}");
        assert_eq!(
            client.ok(&path).await["participants"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        let body = json!({"sender_id": alice, "receiver_id": bob, "content": "x"});
        let answer = client.json(Method::POST, "/api/messages/", body).await;
        assert_eq!(answer.status, 201);
    });
}

#[test]
fn a_request_without_a_valid_credential_is_refused_before_its_body() {
    run(async {
        let server = server().await;
        let path = "/api/conversations/user/alice";
        for (client, challenge) in [
            (server.client_of_nobody(), "Bearer"),
            (
                server.client_with("nonsense"),
                "Bearer error=\"invalid_token\"",
            ),
            (server.client_with(""), "Bearer error=\"invalid_token\""),
        ] {
            // Also before the query is read.
            for path in [path.to_owned(), format!("{path}?nonsense=1")] {
                let answer = client.get(&path).await;
                answer.assert_problem(401, "unauthenticated");
                assert_eq!(answer.header("www-authenticate"), Some(challenge));
            }
        }
        // A token in the query is none.
        let path = format!("{path}?access_token=for-alice");
        let answer = server.client_of_nobody().get(&path).await;
        answer.assert_problem(401, "unauthenticated");

        let mut stream = connect(server.address).await;
        let head = format!("{}Content-Length: 100000\r\n\r\n", post_head());
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    });
}

#[test]
fn two_authorization_headers_and_other_schemes_are_refused() {
    run(async {
        let server = server().await;
        for header in [
            "Authorization: Bearer for-alice\r\nAuthorization: Bearer for-alice\r\n",
            "Authorization: Basic YWxpY2U6\r\n",
            "Authorization: for-alice\r\n",
            "Authorization: \r\n",
        ] {
            let mut stream = connect(server.address).await;
            let head =
                format!("GET /api/conversations/user/alice HTTP/1.1\r\nHost: test\r\n{header}\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let answer = read_until(&mut stream, "}").await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{header}: {answer}");
        }
    });
}

#[test]
fn a_credential_that_cannot_be_checked_is_503() {
    run(async {
        let server = server().await;
        for token in ["broken", "slow"] {
            let answer = server
                .client_with(token)
                .get("/api/conversations/user/alice")
                .await;
            answer.assert_problem(503, "authentication_unavailable");
            assert_eq!(answer.header("retry-after"), Some("5"));
        }
    });
}

#[test]
fn a_stream_ends_when_the_credential_expires() {
    run(async {
        let server = server().await;
        let mut stream = connect(server.address).await;
        let head = "GET /api/conversations/user/alice/events HTTP/1.1\r\nHost: test\r\n\
                    Authorization: Bearer soon-for-alice\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let end = read_until(&mut stream, r#"{"code":"unauthenticated"}"#);
        let answer = tokio::time::timeout(LONG, end).await.expect("it ends");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("event: end\n"), "{answer}");
    });
}

#[test]
fn each_user_has_limits_of_their_own() {
    run(async {
        let server = server_with(|config| {
            config.max_user_requests_per_second = NonZero::new(5);
            config.max_user_writes_per_second = NonZero::new(2);
        })
        .await;
        let [alice, bob] = [user(), user()];
        let client = server.client_of(&alice);
        let post = async || {
            let body = json!({"receiver_id": bob, "content": "x"});
            client.json(Method::POST, "/api/messages/", body).await
        };
        let sent: Vec<_> = [post().await, post().await, post().await]
            .iter()
            .map(|answer| answer.status.as_u16())
            .collect();
        assert_eq!(sent, [201, 201, 429]);
        let path = format!("/api/conversations/user/{alice}");
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(client.get(&path).await);
        }
        let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
        refused.assert_problem(429, "too_many_requests");
        assert_eq!(refused.header("retry-after"), Some("1"));
        // Others are not affected, and after a while nobody is.
        assert_eq!(
            server
                .client_of(&bob)
                .get(&format!("/api/conversations/user/{bob}"))
                .await
                .status,
            200
        );
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(post().await.status, 201);
    });
}

/// A policy that allows nothing.
#[derive(Debug)]
pub(crate) struct Nothing;

#[async_trait]
impl Policy for Nothing {
    async fn decide(
        &self,
        _: &UserId,
        action: Action<'_>,
    ) -> Result<Decision, Box<dyn std::error::Error + Send + Sync>> {
        match action {
            Action::Send { content, .. } if content.as_str() == "fail" => Err("gone".into()),
            _ => Ok(Decision::Deny),
        }
    }
}

#[test]
fn a_policy_is_asked_with_and_without_authentication() {
    run(async {
        let options = MessengerOptions::new().with_policy(Nothing);
        let messenger = Messenger::with_options(MemoryStore::new(), options);
        let [alice, bob] = [user(), user()];
        let (mut service, _) = configs();
        let trusted = (service.clone(), ServerConfig::default());
        let trusted = Server::with_configs(messenger.clone(), trusted).await;
        service.access = Access::authenticated(Tokens);
        let server = Server::with_configs(messenger, (service, ServerConfig::default())).await;
        for client in [trusted.client(), server.client_of(&alice)] {
            let body =
                |content| json!({"sender_id": alice, "receiver_id": bob, "content": content});
            let answer = client.json(Method::POST, "/api/messages/", body("x")).await;
            answer.assert_problem(403, "not_allowed");
            let answer = client
                .json(Method::POST, "/api/messages/", body("fail"))
                .await;
            answer.assert_problem(503, "unavailable");
        }
    });
}

#[test]
fn the_document_has_the_security_scheme_and_needs_no_user_id() {
    let document = &*DOCUMENT_WITH_AUTHENTICATION;
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
    let send = &document["paths"]["/api/messages/"]["post"];
    assert_eq!(send["security"], json!([{"token": []}]));
    let new_message = &document["components"]["schemas"]["NewMessage"];
    assert_eq!(new_message["required"], json!(["receiver_id", "content"]));
    let live = &document["paths"]["/health/live"]["get"];
    assert!(live.get("security").is_none());
}
