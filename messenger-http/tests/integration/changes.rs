//! Editing, unsending and marking as read.

use http::Method;
use messenger_core::UserId;
use serde_json::{Value, json};

use crate::client::{Client, conversation_of, message};
use crate::contract::Answer;
use crate::server::Server;
use crate::{messenger, run, user};

/// Two users, and a message from the first to the second one.
struct Chat {
    _server: Server,
    client: Client,
    alice: UserId,
    bob: UserId,
    message: Value,
}

impl Chat {
    async fn new(content: &str) -> Self {
        let server = Server::new(messenger().await).await;
        let (client, alice, bob) = (server.client(), user(), user());
        let message = client.send(&alice, &bob, content).await;
        Self {
            _server: server,
            client,
            alice,
            bob,
            message,
        }
    }

    fn conversation(&self) -> &str {
        conversation_of(&self.message)
    }

    fn history(&self) -> String {
        format!("/api/messages/conversation/{}", self.conversation())
    }

    /// The path of the message.
    fn path(&self) -> String {
        format!(
            "{}/{}",
            self.history(),
            self.message["id"].as_str().unwrap()
        )
    }

    async fn edit(&self, user: &UserId, content: &str) -> Answer {
        let body = json!({"sender_id": user, "content": content});
        self.client.json(Method::PATCH, &self.path(), body).await
    }

    async fn unsend(&self, user: &UserId) -> Answer {
        let path = format!("{}?sender_id={user}", self.path());
        self.client.method(Method::DELETE, &path).await
    }

    async fn mark(&self, user: &UserId, up_to: &Value) -> Answer {
        let path = format!("/api/conversations/{}/read", self.conversation());
        let body = json!({"user_id": user, "up_to": up_to});
        self.client.json(Method::PUT, &path, body).await
    }

    async fn entry(&self, user: &UserId) -> Value {
        let path = format!("/api/conversations/{}?user_id={user}", self.conversation());
        self.client.ok(&path).await
    }
}

#[test]
fn an_edited_message_shows_its_new_content() {
    run(async {
        let chat = Chat::new("It wroks!").await;
        let page = chat.client.ok(&chat.history()).await;
        let edited = chat.edit(&chat.alice, "It works!").await;
        assert_eq!(edited.status, 200);
        let edited = edited.json();
        assert_eq!(edited["content"], "It works!");
        assert_eq!(edited["id"], chat.message["id"]);
        assert_ne!(edited["revision"], chat.message["revision"]);
        assert!(edited["edited_at"].is_string());
        assert_eq!(chat.client.ok(&chat.path()).await, edited);
        assert_eq!(
            chat.entry(&chat.bob).await["last_message"]["preview"],
            "It works!"
        );
        // Whoever has the page of before finds the edit.
        let newer = page["prev_cursor"].as_str().unwrap();
        let newer = chat
            .client
            .ok(&format!("{}?cursor={newer}", chat.history()))
            .await;
        assert_eq!(newer["data"][0], edited);
        // Repeating it changes nothing.
        let again = chat.edit(&chat.alice, "It works!").await.json();
        assert_eq!(again["revision"], edited["revision"]);
    });
}

#[test]
fn an_unsent_message_has_no_content_anywhere() {
    run(async {
        let chat = Chat::new("canary").await;
        let unsent = chat.unsend(&chat.alice).await;
        assert_eq!(unsent.status, 200);
        let unsent = unsent.json();
        assert_eq!(unsent["content"], Value::Null);
        assert!(unsent["unsent_at"].is_string());
        assert!(unsent.get("edited_at").is_none());
        assert_eq!(chat.client.ok(&chat.path()).await, unsent);
        let history = chat.client.ok(&chat.history()).await;
        assert_eq!(history["data"], json!([unsent]));
        assert_eq!(
            chat.entry(&chat.bob).await["last_message"]["preview"],
            Value::Null
        );
        chat.edit(&chat.alice, "again")
            .await
            .assert_problem(409, "message_unsent");
        assert_eq!(chat.unsend(&chat.alice).await.status, 200);
    });
}

#[test]
fn a_replayed_send_returns_the_message_as_it_is_now() {
    run(async {
        let mut chat = Chat::new("first").await;
        let body = message(&chat.alice, &chat.bob, "canary");
        let key = [("idempotency-key", "k")];
        chat.message = chat.client.post(body.clone(), &key).await.json();
        assert_eq!(chat.unsend(&chat.alice).await.status, 200);
        let replayed = chat.client.post(body, &key).await;
        assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
        assert_eq!(replayed.json()["id"], chat.message["id"]);
        assert_eq!(replayed.json()["content"], Value::Null);
    });
}

#[test]
fn only_the_sender_changes_a_message() {
    run(async {
        let chat = Chat::new("mine").await;
        for (user, status, code) in [
            (&chat.bob, 403, "not_sender"),
            // For a user who takes no part it does not exist.
            (&user(), 404, "message_not_found"),
        ] {
            chat.edit(user, "yours").await.assert_problem(status, code);
            chat.unsend(user).await.assert_problem(status, code);
        }
        assert_eq!(chat.client.ok(&chat.path()).await, chat.message);
    });
}

#[test]
fn a_read_marker_moves_forward_and_is_seen() {
    run(async {
        let chat = Chat::new("one").await;
        let two = chat.client.send(&chat.alice, &chat.bob, "two").await;
        let inbox = async |user: &UserId| {
            let path = format!("/api/conversations/user/{user}?unread=true");
            let page = chat.client.get(&path).await;
            let link = page.header("link").unwrap();
            assert!(link.contains("&unread=true"), "{link}");
            page.json()["data"][0].clone()
        };
        let unread = |count: u32| json!({"count": count, "capped": false});
        assert_eq!(inbox(&chat.bob).await["unread"], unread(2));
        assert_eq!(inbox(&chat.alice).await["unread"], unread(0));

        let marked = chat.mark(&chat.bob, &chat.message["id"]).await;
        assert_eq!(marked.status, 200);
        assert_eq!(marked.json()["read_up_to"], chat.message["id"]);
        assert_eq!(inbox(&chat.bob).await["unread"], unread(1));
        assert_eq!(
            chat.entry(&chat.alice).await["seen_up_to"],
            chat.message["id"]
        );

        assert_eq!(chat.mark(&chat.bob, &two["id"]).await.status, 200);
        // It never moves back.
        let back = chat.mark(&chat.bob, &chat.message["id"]).await;
        assert_eq!(back.json()["read_up_to"], two["id"]);
        assert_eq!(inbox(&chat.bob).await["unread"], unread(0));
        assert!(chat.entry(&chat.bob).await.get("unread").is_none());
    });
}

#[test]
fn bad_changes_are_refused() {
    run(async {
        let chat = Chat::new("text").await;
        let client = &chat.client;
        let other = client.send(&user(), &user(), "other").await;
        let nobody = "4030e32d-d786-54ef-9e6c-e538bcff2f0f";
        let future = "ffffffff-ffff-7fff-bfff-ffffffffffff";
        let missing = format!("{}/{}", chat.history(), other["id"].as_str().unwrap());

        for (answer, status, code) in [
            (chat.edit(&chat.alice, " ").await, 422, "invalid_content"),
            (
                chat.edit(&chat.alice, &"x".repeat(20_001)).await,
                413,
                "content_too_large",
            ),
            (
                client
                    .json(
                        Method::PATCH,
                        &chat.path(),
                        json!({"sender_id": "a b", "content": "x"}),
                    )
                    .await,
                422,
                "invalid_user_id",
            ),
            (
                client
                    .json(
                        Method::PATCH,
                        &chat.path(),
                        json!({"sender_id": chat.alice}),
                    )
                    .await,
                400,
                "malformed_body",
            ),
            (
                client
                    .json(
                        Method::PATCH,
                        &missing,
                        json!({"sender_id": chat.alice, "content": "x"}),
                    )
                    .await,
                404,
                "message_not_found",
            ),
            (
                client
                    .method(
                        Method::DELETE,
                        &format!("{missing}?sender_id={}", chat.alice),
                    )
                    .await,
                404,
                "message_not_found",
            ),
            (
                client.method(Method::DELETE, &chat.path()).await,
                400,
                "invalid_query",
            ),
            (
                client
                    .method(Method::DELETE, &format!("{}?sender_id=a%20b", chat.path()))
                    .await,
                422,
                "invalid_user_id",
            ),
            (
                chat.mark(&chat.bob, &json!("7")).await,
                422,
                "invalid_read_marker",
            ),
            (chat.mark(&chat.bob, &json!(7)).await, 400, "malformed_body"),
            (
                chat.mark(&chat.bob, &json!(future)).await,
                422,
                "invalid_read_marker",
            ),
            (
                chat.mark(&user(), &chat.message["id"]).await,
                404,
                "conversation_not_found",
            ),
            (
                client
                    .json(
                        Method::PUT,
                        &format!("/api/conversations/{nobody}/read"),
                        json!({"user_id": chat.bob, "up_to": chat.message["id"]}),
                    )
                    .await,
                404,
                "conversation_not_found",
            ),
            (
                client
                    .get(&format!(
                        "/api/conversations/{}?user_id={}",
                        chat.conversation(),
                        user()
                    ))
                    .await,
                404,
                "conversation_not_found",
            ),
            (
                client
                    .get(&format!("/api/conversations/user/{}?unread=1", chat.bob))
                    .await,
                400,
                "invalid_query",
            ),
        ] {
            answer.assert_problem(status, code);
        }
        // Nothing was written.
        assert_eq!(client.ok(&chat.path()).await, chat.message);
        assert_eq!(chat.entry(&chat.alice).await["seen_up_to"], Value::Null);
    });
}

#[test]
fn a_newer_cursor_goes_with_no_time() {
    run(async {
        let chat = Chat::new("text").await;
        let before = format!(
            "{}/before?before_timestamp=2100-01-01T00:00:00Z",
            chat.history()
        );
        let page = chat.client.ok(&before).await;
        let prev = page["prev_cursor"].as_str().unwrap();
        let answer = chat.client.get(&format!("{before}&cursor={prev}")).await;
        answer.assert_problem(400, "foreign_cursor");
        assert!(answer.json()["detail"].as_str().unwrap().contains("time"));
    });
}
