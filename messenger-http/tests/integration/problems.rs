//! Every row of the table of problems that a request can make by itself.

use http::Method;
use serde_json::Value;

use crate::client::{Client, conversation_of, message};
use crate::contract::{Answer, DOCUMENT};
use crate::server::Server;
use crate::{messenger, run, user};

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str, detail: &str) {
    answer.assert_problem(status, code);
    let problem = answer.json();
    let text = problem["detail"].as_str().unwrap();
    assert!(text.contains(detail), "{text:?} does not say {detail:?}");
}

async fn with_conversation<T>(test: impl AsyncFnOnce(Client, &str) -> T) -> T {
    let server = Server::new(messenger().await).await;
    let client = server.client();
    let message = client.send(&user(), &user(), "hello").await;
    test(client, conversation_of(&message)).await
}

#[test]
fn a_body_that_is_not_a_message_is_malformed() {
    run(with_conversation(async |client, _| {
        for (body, detail) in [
            ("", "body is empty"),
            ("{", "not JSON"),
            ("nonsense", "not JSON"),
            ("[]", "must be an object"),
            ("\"a very long text\"", "must be an object"),
            ("null", "must be an object"),
            ("{}", "receiver_id is missing"),
            (
                r#"{"receiver_id":"b","content":"x"}"#,
                "sender_id is missing",
            ),
            (r#"{"sender_id":"a"}"#, "receiver_id is missing"),
            (
                r#"{"sender_id":"a","receiver_id":"b"}"#,
                "content is missing",
            ),
            (
                r#"{"sender_id":"a","receiver_id":"b","content":null}"#,
                "content must be a string",
            ),
            (
                r#"{"sender_id":"a","receiver_id":"b","content":7}"#,
                "content must be a string",
            ),
            (
                r#"{"sender_id":7.0,"receiver_id":"b","content":"x"}"#,
                "sender_id must be a string or",
            ),
            (
                r#"{"sender_id":7e2,"receiver_id":"b","content":"x"}"#,
                "sender_id must be",
            ),
            (
                r#"{"sender_id":-1,"receiver_id":"b","content":"x"}"#,
                "sender_id must be",
            ),
            (
                r#"{"sender_id":18446744073709551616,"receiver_id":"b","content":"x"}"#,
                "sender_id must be",
            ),
            (
                r#"{"sender_id":"a","receiver_id":true,"content":"x"}"#,
                "receiver_id must be",
            ),
            (
                r#"{"sender_id":"a","receiver_id":["b"],"content":"x"}"#,
                "receiver_id must be",
            ),
            (
                r#"{"sender_id":"a","sender_id":"b","receiver_id":"b","content":"x"}"#,
                "sender_id appears twice",
            ),
            (
                r#"{"content":"a","content":"b","receiver_id":"b","sender_id":"x"}"#,
                "content appears twice",
            ),
            (
                r#"{"sender_id":"a","receiver_id":"b","content":"x"} {}"#,
                "not JSON",
            ),
            (
                r#"{"sender_id":"a","receiver_id":"b","content":"\ud800"}"#,
                "not JSON",
            ),
            (
                r#"{"sender_id":"a","receiver_id":"b","content":"x",}"#,
                "not JSON",
            ),
        ] {
            assert_problem(&client.post(body, &[]).await, 400, "malformed_body", detail);
        }
        let invalid = b"{\"sender_id\":\"a\",\"receiver_id\":\"b\",\"content\":\"\xff\"}";
        assert_problem(
            &client.post(&invalid[..], &[]).await,
            400,
            "malformed_body",
            "not JSON",
        );
        let deep = format!(r#"{{"more":{}"#, "[".repeat(100_000));
        assert_problem(
            &client.post(deep, &[]).await,
            400,
            "malformed_body",
            "not JSON",
        );
    }));
}

#[test]
fn a_detail_does_not_repeat_the_body() {
    run(with_conversation(async |client, _| {
        for body in [
            r#""SECRET""#,
            r#"{"sender_id":["SECRET"]}"#,
            r#"{"SECRET":1,"SECRET":2}"#,
            "SECRET",
        ] {
            let answer = client.post(body, &[]).await;
            assert!(!String::from_utf8(answer.body).unwrap().contains("SECRET"));
        }
    }));
}

#[test]
fn a_message_against_the_rules_is_not_valid() {
    run(with_conversation(async |client, _| {
        for (body, code, detail) in [
            (
                r#"{"sender_id":"a b","receiver_id":"b","content":"x"}"#,
                "invalid_user_id",
                "sender_id: ",
            ),
            (
                r#"{"sender_id":"a","receiver_id":"..","content":"x"}"#,
                "invalid_user_id",
                "receiver_id: ",
            ),
            (
                r#"{"sender_id":"","receiver_id":"b","content":"x"}"#,
                "invalid_user_id",
                "empty",
            ),
            (
                r#"{"sender_id":"\u00e9","receiver_id":"b","content":"x"}"#,
                "invalid_user_id",
                "letters",
            ),
            (
                r#"{"sender_id":"a","receiver_id":"a","content":"x"}"#,
                "self_message",
                "",
            ),
            (
                r#"{"sender_id":7,"receiver_id":"7","content":"x"}"#,
                "self_message",
                "",
            ),
            (
                r#"{"sender_id":"a","receiver_id":"b","content":""}"#,
                "invalid_content",
                "empty",
            ),
            (
                r#"{"sender_id":"a","receiver_id":"b","content":" \n\u3000"}"#,
                "invalid_content",
                "white space",
            ),
        ] {
            assert_problem(&client.post(body, &[]).await, 422, code, detail);
            let keyed = client.post(body, &[("idempotency-key", "k")]).await;
            assert_problem(&keyed, 422, code, detail);
        }
        let long = message(&user(), &user(), &"x".repeat(20_001));
        assert_problem(
            &client.post(long, &[]).await,
            413,
            "content_too_large",
            "20000",
        );
        let largest = format!(r#"{{"sender_id":"{}","#, user());
        let largest = largest + &" ".repeat(128 * 1024 + 1);
        assert_problem(
            &client.post(largest, &[]).await,
            413,
            "body_too_large",
            "131072",
        );
    }));
}

#[test]
fn a_body_must_be_declared_as_json() {
    run(with_conversation(async |client, _| {
        let body = message(&user(), &user(), "x");
        for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let answer = client
                .post(body.clone(), &[("content-type", media_type)])
                .await;
            assert_problem(&answer, 415, "unsupported_media_type", "application/json");
            assert_eq!(answer.header("accept-encoding"), None);
        }
        // A charset has no effect on JSON (RFC 8259, section 11).
        for media_type in [
            "application/json; charset=utf8",
            "application/json; charset=us-ascii",
            "application/json; charset=",
            "application/json; boundary=\"a;charset=latin1\"",
        ] {
            let answer = client
                .post(body.clone(), &[("content-type", media_type)])
                .await;
            assert_eq!(answer.status, 201, "{media_type}");
        }
        let encoded = [("content-encoding", "gzip")];
        let answer = client.post(body.clone(), &encoded).await;
        assert_problem(&answer, 415, "unsupported_media_type", "Content-Encoding");
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
        let answer = client.post(body, &[("content-encoding", "identity")]).await;
        assert_eq!(answer.status, 201);
    }));
}

#[test]
fn a_bad_key_is_named() {
    run(with_conversation(async |client, _| {
        let body = message(&user(), &user(), "x");
        for key in ["", "a b", "\"open", "\"\"", &"k".repeat(256), "k\u{e9}"] {
            let answer = client.post(body.clone(), &[("idempotency-key", key)]).await;
            assert_problem(&answer, 400, "invalid_idempotency_key", "255 visible ASCII");
        }
        let twice = [("idempotency-key", "a"), ("idempotency-key", "a")];
        let answer = client.post(body.clone(), &twice).await;
        assert_problem(&answer, 400, "invalid_idempotency_key", "more than one");
        let answer = client
            .post(body, &[("idempotency-key", &"k".repeat(255))])
            .await;
        assert_eq!(answer.status, 201);
    }));
}

#[test]
fn a_bad_query_is_named() {
    run(with_conversation(async |client, id| {
        let history = format!("/api/messages/conversation/{id}");
        let someone = user();
        let inbox = format!("/api/conversations/user/{someone}");
        for (path, query, code, detail) in [
            (
                &history,
                "page=2",
                "invalid_query",
                "\"page\" is not a query parameter of this call, which takes limit, cursor and wait",
            ),
            (
                &history,
                "limit=1&limit=2",
                "invalid_query",
                "limit appears twice",
            ),
            (
                &history,
                "before_timestamp=2026-01-01T00:00:00Z",
                "invalid_query",
                "before_timestamp",
            ),
            (&history, "limit=%zz", "invalid_query", "percent-encoded"),
            (&history, "limit=%ff", "invalid_query", "percent-encoded"),
            (&history, "%ff=1", "invalid_query", "percent-encoded"),
            (&history, "Limit=1", "invalid_query", "\"Limit\""),
            (&history, "limit=0", "invalid_limit", "1 to 100"),
            (&history, "limit=101", "invalid_limit", "1 to 100"),
            (&history, "limit=", "invalid_limit", "1 to 100"),
            (&history, "limit", "invalid_limit", "1 to 100"),
            (&history, "limit=-1", "invalid_limit", "1 to 100"),
            (&history, "limit=%2B1", "invalid_limit", "1 to 100"),
            (&history, "limit=1.0", "invalid_limit", "1 to 100"),
            (
                &history,
                "limit=99999999999999999999999",
                "invalid_limit",
                "1 to 100",
            ),
            (&history, "cursor=", "invalid_cursor", "not a cursor"),
            (&history, "cursor=AAAA", "invalid_cursor", "not a cursor"),
            (
                &inbox,
                "page=2",
                "invalid_query",
                "limit, cursor, unread and wait",
            ),
            (&inbox, "limit=0", "invalid_limit", "1 to 100"),
            (&inbox, "cursor=x", "invalid_cursor", "not a cursor"),
        ] {
            let answer = client.get(&format!("{path}?{query}")).await;
            assert_problem(&answer, 400, code, detail);
        }
        for path in [
            "/health/live",
            "/openapi.json",
            &format!("{history}/019e9c3f-a2da-7b6e-9f0d-2f4f3c8a9d11"),
        ] {
            let answer = client.get(&format!("{path}?x=1")).await;
            assert_problem(&answer, 400, "invalid_query", "takes no query parameters");
        }
        // Empty pairs are no parameters.
        assert_eq!(
            client.get(&format!("{history}?&limit=1&")).await.status,
            200
        );
    }));
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    run(with_conversation(async |client, id| {
        let (alice, bob) = (user(), user());
        let other = client.send(&alice, &bob, "x").await;
        let cursor = |page: &Value| page["prev_cursor"].as_str().unwrap().to_owned();
        let history = cursor(&client.ok(&format!("/api/messages/conversation/{id}")).await);
        let inbox = cursor(&client.ok(&format!("/api/conversations/user/{alice}")).await);
        let other = conversation_of(&other);
        for (path, cursor, detail) in [
            (
                format!("/api/messages/conversation/{other}"),
                &history,
                "another conversation",
            ),
            (
                format!("/api/messages/conversation/{other}"),
                &inbox,
                "for an inbox",
            ),
            (
                format!("/api/conversations/user/{bob}"),
                &inbox,
                "another user",
            ),
            (
                format!("/api/conversations/user/{alice}"),
                &history,
                "of a conversation",
            ),
        ] {
            let answer = client.get(&format!("{path}?cursor={cursor}")).await;
            assert_problem(&answer, 400, "foreign_cursor", detail);
        }
    }));
}

#[test]
fn a_bad_time_is_named() {
    run(with_conversation(async |client, id| {
        let path = format!("/api/messages/conversation/{id}/before");
        assert_problem(
            &client.get(&path).await,
            400,
            "invalid_timestamp",
            "is missing",
        );
        for (time, detail) in [
            ("", "RFC 3339"),
            ("yesterday", "RFC 3339"),
            ("2026-11-23", "RFC 3339"),
            ("2026-11-23T09:30:00", "with an offset"),
            ("2026-11-23T09:30:00+01:00", "%2B"),
            ("2026-11-23%2009:30:00Z", "RFC 3339"),
        ] {
            let answer = client.get(&format!("{path}?before_timestamp={time}")).await;
            assert_problem(&answer, 400, "invalid_timestamp", detail);
        }
    }));
}

#[test]
fn a_bad_id_in_the_path_is_named() {
    run(with_conversation(async |client, id| {
        for (path, detail) in [
            (
                "/api/messages/conversation/7".to_owned(),
                "conversation id must be a UUID",
            ),
            (
                "/api/conversations/user".to_owned(),
                "conversation id must be a UUID",
            ),
            (
                format!("/api/messages/conversation/{id}/7"),
                "message id must be a UUIDv7",
            ),
            (
                format!("/api/messages/conversation/{id}/{id}"),
                "message id must be a UUIDv7",
            ),
            (
                "/api/conversations/user/a%20b".to_owned(),
                "letters, digits",
            ),
            (
                "/api/conversations/user/a%2Fb".to_owned(),
                "letters, digits",
            ),
            (
                "/api/conversations/user/%2E%2E".to_owned(),
                "must not be . or ..",
            ),
            (
                "/api/conversations/user/%ff".to_owned(),
                "percent-encoded UTF-8",
            ),
            (
                "/api/conversations/user/%4".to_owned(),
                "percent-encoded UTF-8",
            ),
            (
                format!("/api/conversations/user/{}", "u".repeat(129)),
                "128",
            ),
        ] {
            assert_problem(&client.get(&path).await, 400, "invalid_id", detail);
        }
    }));
}

#[test]
fn what_is_not_there_is_not_found() {
    run(with_conversation(async |client, id| {
        let nobody = "4030e32d-d786-54ef-9e6c-e538bcff2f0f";
        let message = "019e9c3f-a2da-7b6e-9f0d-2f4f3c8a9d11";
        for (path, code) in [
            ("/api".to_owned(), "not_found"),
            ("/api/messages//".to_owned(), "not_found"),
            ("/api/messages/conversation/".to_owned(), "not_found"),
            ("/docs/nothing.js".to_owned(), "not_found"),
            ("/problems/nothing".to_owned(), "not_found"),
            (
                format!("/api/messages/conversation/{nobody}"),
                "conversation_not_found",
            ),
            (
                format!(
                    "/api/messages/conversation/{nobody}/before?before_timestamp=2026-01-01T00:00:00Z"
                ),
                "conversation_not_found",
            ),
            (
                format!("/api/conversations/{nobody}"),
                "conversation_not_found",
            ),
            (
                format!("/api/messages/conversation/{nobody}/{message}"),
                "message_not_found",
            ),
            (
                format!("/api/messages/conversation/{id}/{message}"),
                "message_not_found",
            ),
        ] {
            assert_problem(&client.get(&path).await, 404, code, "");
        }
        // Nothing before the first message is an empty page of a conversation that is there.
        let page = client
            .ok(&format!(
                "/api/messages/conversation/{id}/before?before_timestamp=2020-01-01T00:00:00Z"
            ))
            .await;
        assert_eq!(page["data"], serde_json::json!([]));
    }));
}

#[test]
fn other_methods_get_the_list_of_those_that_work() {
    run(with_conversation(async |client, id| {
        let history = format!("/api/messages/conversation/{id}");
        let brew = Method::from_bytes(b"BREW").unwrap();
        for method in [Method::PUT, Method::DELETE, Method::OPTIONS, brew] {
            for (path, allow) in [("/api/messages/", "POST"), (history.as_str(), "GET, HEAD")] {
                let answer = client.method(method.clone(), path).await;
                assert_problem(&answer, 405, "method_not_allowed", "Allow");
                assert_eq!(answer.header("allow"), Some(allow));
            }
        }
        assert_eq!(
            client.get("/api/messages").await.header("allow"),
            Some("POST")
        );
        assert_eq!(client.method(Method::POST, &history).await.status, 405);
    }));
}

#[test]
fn every_problem_has_its_page() {
    run(with_conversation(async |client, _| {
        let codes = &DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
        for code in codes.as_array().unwrap() {
            let code = code.as_str().unwrap();
            let page = client.get(&format!("/problems/{code}")).await;
            assert_eq!(page.status, 200, "{code}");
            assert!(String::from_utf8(page.body).unwrap().contains(code));
        }
    }));
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    run(async {
        let server = Server::new(messenger().await).await;
        let client = server.client();
        let (alice, bob) = (user(), user());
        for body in [
            message(&alice, &bob, ""),
            message(&alice, &bob, &"x".repeat(20_001)),
            message(&alice, &bob, "x").replace("content", "contents"),
            message(&alice, &bob, "x") + "x",
        ] {
            assert!(client.post(body, &[]).await.status.is_client_error());
        }
        let bad_key = client
            .post(message(&alice, &bob, "x"), &[("idempotency-key", "")])
            .await;
        assert_eq!(bad_key.status, 400);
        for user in [alice, bob] {
            let inbox = client.ok(&format!("/api/conversations/user/{user}")).await;
            assert_eq!(inbox["data"], serde_json::json!([]));
        }
    });
}
