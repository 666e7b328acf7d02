//! The answers to a client when the store fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use messenger_core::{ConversationId, ErrorKind, Outcome};
use tokio::sync::Semaphore;

use crate::client::{conversation_of, message};
use crate::contract::Answer;
use crate::faulty::{Fault, Faulty, SECRET};
use crate::raw::LONG;
use crate::server::{Server, configs};
use crate::{run, user};

async fn server(store: Faulty) -> Server {
    Server::with_configs(store.messenger(), configs()).await
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    assert!(!text.contains("10.0.0.7"), "{text}");
    let problem = answer.json();
    assert_eq!(
        (answer.status.as_u16(), problem["code"].as_str()),
        (status, Some(code)),
        "{problem}"
    );
    assert_eq!(
        answer.header("retry-after").is_some(),
        status == 503,
        "{problem}"
    );
}

/// One path for each call that reads.
fn reads() -> [String; 5] {
    let (alice, bob) = (user(), user());
    let id = ConversationId::direct(&alice, &bob);
    [
        format!("/api/messages/conversation/{id}"),
        format!("/api/messages/conversation/{id}/before?before_timestamp=2026-01-01T00:00:00Z"),
        format!("/api/messages/conversation/{id}/019e9c3f-a2da-7b6e-9f0d-2f4f3c8a9d11"),
        format!("/api/conversations/user/{alice}"),
        format!("/api/conversations/{id}"),
    ]
}

#[test]
fn a_failing_read_has_its_status() {
    run(async {
        for (kind, status, code) in [
            (ErrorKind::Overloaded, 503, "overloaded"),
            (ErrorKind::Unavailable, 503, "unavailable"),
            (ErrorKind::Timeout, 503, "timeout"),
            (ErrorKind::Corrupt, 500, "internal"),
            (ErrorKind::Internal, 500, "internal"),
            // Errors that blame an input that the client never gave.
            (ErrorKind::Malformed, 500, "internal"),
            (ErrorKind::NotFound, 500, "internal"),
        ] {
            let server = server(Faulty::new().reads(Fault::Fail(kind, None))).await;
            for path in reads() {
                assert_problem(&server.client().get(&path).await, status, code);
            }
            assert_problem(
                &server.client().get("/health/ready").await,
                503,
                "not_ready",
            );
            assert_eq!(server.client().get("/health/live").await.status, 200);
        }
    });
}

#[test]
fn stored_data_that_is_not_valid_is_not_the_fault_of_the_client() {
    run(async {
        let server = server(Faulty::new().reads(Fault::BadRow)).await;
        for path in reads() {
            assert_problem(&server.client().get(&path).await, 500, "internal");
        }
    });
}

#[test]
fn an_empty_newer_page_costs_no_look_up() {
    run(async {
        let store = Faulty::new();
        let lookups = Arc::clone(&store.lookups);
        let server = server(store).await;
        let client = server.client();
        let message = client.send(&user(), &user(), "x").await;
        let history = format!("/api/messages/conversation/{}", conversation_of(&message));
        let page = client.ok(&history).await;
        let newer = format!("{history}?cursor={}", page["prev_cursor"].as_str().unwrap());
        let before = lookups.load(Ordering::Relaxed);
        assert_eq!(client.ok(&newer).await["data"], serde_json::json!([]));
        assert_eq!(lookups.load(Ordering::Relaxed), before);
    });
}

#[test]
fn the_time_to_retry_fits_the_cause() {
    run(async {
        let retry_after = async |kind| {
            let server = server(Faulty::new().reads(Fault::Fail(kind, None))).await;
            let answer = server.client().get(&reads()[0]).await;
            answer
                .header("retry-after")
                .unwrap()
                .parse::<u32>()
                .unwrap()
        };
        let overload = retry_after(ErrorKind::Overloaded).await;
        for outage in [ErrorKind::Unavailable, ErrorKind::Timeout] {
            assert!(retry_after(outage).await > overload);
        }
    });
}

#[test]
fn a_failing_send_tells_its_outcome() {
    run(async {
        for kind in [
            ErrorKind::Overloaded,
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
        ] {
            for (outcome, status) in [
                (Some(Outcome::NotApplied), 503),
                (Some(Outcome::Unknown), 504),
                (None, 504),
            ] {
                let server = server(Faulty::new().writes(Fault::Fail(kind, outcome))).await;
                // Under a key an earlier request may have sent the message.
                let keyed = (504, &[("idempotency-key", "k")][..]);
                for (status, headers) in [(status, &[][..]), keyed] {
                    let code = match (status, kind) {
                        (504, _) => "outcome_unknown",
                        (_, kind) => kind.as_str(),
                    };
                    let body = message(&user(), &user(), "x");
                    let answer = server.client().post(body, headers).await;
                    assert_problem(&answer, status, code);
                    let problem = answer.json();
                    assert_eq!(
                        problem["message_id"].is_string(),
                        status == 504,
                        "{problem}"
                    );
                    assert_eq!(
                        problem["message_path"].is_string(),
                        status == 504,
                        "{problem}"
                    );
                }
            }
        }
        for kind in [ErrorKind::Corrupt, ErrorKind::Internal, ErrorKind::Invalid] {
            let server = server(Faulty::new().writes(Fault::Fail(kind, None))).await;
            let answer = server
                .client()
                .post(message(&user(), &user(), "x"), &[])
                .await;
            assert_problem(&answer, 500, "internal");
        }
    });
}

#[test]
fn a_failing_reservation_may_hide_an_earlier_send() {
    run(async {
        for kind in [ErrorKind::Unavailable, ErrorKind::Timeout] {
            let server =
                server(Faulty::new().reserves(Fault::Fail(kind, Some(Outcome::Unknown)))).await;
            let body = message(&user(), &user(), "x");
            let answer = server
                .client()
                .post(body, &[("idempotency-key", "k")])
                .await;
            assert_problem(&answer, 504, "outcome_unknown");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("same key"), "{detail}");
        }
    });
}

#[test]
fn a_panic_of_the_store_is_one_answer() {
    run(async {
        let store = Faulty::new().reads(Fault::Panic).writes(Fault::Panic);
        let server = server(store).await;
        for path in reads() {
            assert_problem(&server.client().get(&path).await, 500, "internal");
        }
        let answer = server
            .client()
            .post(message(&user(), &user(), "x"), &[])
            .await;
        assert_problem(&answer, 500, "internal");
        assert!(
            answer.json()["message_id"].is_string(),
            "the message may be there"
        );
        assert_eq!(server.client().get("/health/live").await.status, 200);
    });
}

#[test]
fn a_store_that_never_answers_is_not_waited_for() {
    run(async {
        let store = Faulty::new().reads(Fault::Never).writes(Fault::Never);
        let server = server(store).await;
        for path in reads() {
            assert_problem(&server.client().get(&path).await, 503, "timeout");
        }
        assert_problem(
            &server.client().get("/health/ready").await,
            503,
            "not_ready",
        );
        let body = message(&user(), &user(), "x");
        let plain = server.client().post(body.clone(), &[]).await;
        assert_problem(&plain, 504, "outcome_unknown");
        assert!(
            plain.json()["message_id"].is_string(),
            "a message to look for"
        );
        let keyed = server
            .client()
            .post(body, &[("idempotency-key", "k")])
            .await;
        assert_problem(&keyed, 504, "outcome_unknown");
        assert!(
            keyed.json()["detail"]
                .as_str()
                .unwrap()
                .contains("same key")
        );
    });
}

#[test]
fn a_send_that_takes_too_long_can_be_looked_for() {
    run(async {
        let gate = Arc::new(Semaphore::new(0));
        let server = server(Faulty::new().writes(Fault::Gate(Arc::clone(&gate)))).await;
        let client = server.client();
        let (alice, bob) = (user(), user());
        let problem = client.post(message(&alice, &bob, "late"), &[]).await.json();
        let conversation = ConversationId::direct(&alice, &bob);
        let id = problem["message_id"].as_str().unwrap();
        let path = format!("/api/messages/conversation/{conversation}/{id}");
        assert_eq!(problem["message_path"], path);
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("30 seconds") && detail.contains("Idempotency-Key"),
            "{detail}"
        );
        assert_eq!(client.get(&path).await.status, 404);
        gate.add_permits(1);
        let start = Instant::now();
        while client.get(&path).await.status != 200 {
            assert!(start.elapsed() < LONG, "the send did not go on");
        }
    });
}
