//! No input makes a handler panic, or the server blame itself.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use messenger_core::Messenger;
use messenger_http::MessengerService;
use messenger_memory::MemoryStore;
use proptest::prelude::*;
use tower_service::Service as _;

use crate::contract::{Answer, DOCUMENT, check};
use crate::run;

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("api"),
        Just("messages"),
        Just("conversation"),
        Just("conversations"),
        Just("user"),
        Just("before"),
        Just("docs"),
        Just("problems"),
        Just("health"),
        Just("live"),
        Just(""),
        Just("4030e32d-d786-54ef-9e6c-e538bcff2f0f"),
        Just("019e9c3f-a2da-7b6e-9f0d-2f4f3c8a9d11"),
    ]
    .prop_map(str::to_owned)
    .boxed()
    .prop_union("[!$-.0-;=@-Z_a-z~%]{0,12}".boxed())
    .or("(%[0-9a-fA-F]{2}){1,6}".boxed())
}

/// A path that looks like one of the table, with anything in its places.
fn path() -> impl Strategy<Value = String> {
    let any = prop::collection::vec(segment(), 0..6)
        .prop_map(|segments| format!("/{}", segments.join("/")));
    let id = || segment();
    prop_oneof![
        any,
        id().prop_map(|id| format!("/api/messages/conversation/{id}")),
        id().prop_map(|id| format!("/api/messages/conversation/{id}/before")),
        (id(), id()).prop_map(|(a, b)| format!("/api/messages/conversation/{a}/{b}")),
        id().prop_map(|id| format!("/api/conversations/user/{id}")),
        Just("/api/messages/".to_owned()),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("limit".to_owned()),
        Just("cursor".to_owned()),
        Just("before_timestamp".to_owned()),
        "[a-z%+]{0,8}",
    ];
    let value = prop_oneof![
        "[0-9]{0,4}",
        "[A-Za-z0-9_-]{0,70}",
        "[0-9TZ:.+%-]{0,30}",
        "(%[0-9a-f]{2}){0,4}"
    ];
    prop::collection::vec((name, value), 0..3).prop_map(|pairs| {
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&")
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just("null".to_owned()),
        "\"[a-z .@\\\\u0-9]{0,20}\"",
        "-?[0-9]{1,22}(\\.[0-9])?",
        Just("[{}]".to_owned()),
    ];
    let name = prop_oneof![
        Just("sender_id".to_owned()),
        Just("receiver_id".to_owned()),
        Just("content".to_owned()),
        "[a-z]{1,3}",
    ];
    let object = prop::collection::vec((name, value), 0..6).prop_map(|members| {
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    prop_oneof![object, prop::collection::vec(any::<u8>(), 0..64)]
}

fn header_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"application/json".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
        "\"?[a-z\\\\\" ]{0,9}\"?".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn anything_gets_a_documented_answer(
        method in prop_oneof![3 => Just("GET"), 3 => Just("POST"), 1 => Just("HEAD"), 1 => Just("PUT"), 1 => Just("OPTIONS")],
        path in path(),
        query in query(),
        body in body(),
        headers in prop::collection::vec(
            (
                prop_oneof![
                    4 => Just("content-type"), 1 => Just("idempotency-key"), 1 => Just("x-request-id"),
                    1 => Just("if-none-match"), 1 => Just("host"), 1 => Just("origin"),
                    1 => Just("transfer-encoding"), 1 => Just("content-encoding"),
                ],
                header_value(),
            ),
            0..4,
        ),
    ) {
        let uri = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
        let mut request = Request::builder().method(method).uri(uri).header("host", "test");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        // Not every draw is HTTP; hyper does not let those through.
        let Ok(request) = request.body(Full::new(Bytes::from(body))) else { return Ok(()) };
        let asked = request.method().clone();
        let answer = run(async {
            let mut service = MessengerService::new(Messenger::new(MemoryStore::new()));
            let (head, body) = service.call(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes().to_vec();
            Answer { status: head.status, headers: head.headers, body }
        });
        prop_assert!(answer.status.as_u16() != 500, "{answer:?}");
        check(&DOCUMENT, &asked, &path, &answer);
    }
}
