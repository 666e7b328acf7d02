//! The document, the routes and the answers agree.

use http::Method;

use crate::contract::{DOCUMENT, allow};
use crate::server::Server;
use crate::{messenger, run};

/// Run with `UPDATE_GOLDEN=1` to accept a change, and look at the difference.
#[test]
fn the_document_is_the_golden_one() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/integration/openapi.json"
    );
    let now = messenger_http::openapi_json();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, now).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        now == golden,
        "the document has changed; run with UPDATE_GOLDEN=1 and look at the difference"
    );
}

/// The table of calls in the crate's documentation. Run with `UPDATE_GOLDEN=1` to accept a change.
#[test]
fn the_table_of_the_crate_is_that_of_the_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/calls/table.md");
    let mut now = "| call | summary |\n| --- | --- |\n".to_owned();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            let (verb, summary) = (verb.to_uppercase(), operation["summary"].as_str().unwrap());
            now += &format!("| `{verb} {path}` | {summary} |\n");
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), now);
}

#[test]
fn the_document_is_what_is_served() {
    run(async {
        let server = Server::new(messenger().await).await;
        assert_eq!(server.client().ok("/openapi.json").await, *DOCUMENT);
    });
}

/// The client holds every answer against the document: here every path is asked for with every
/// method, so a route without its place in the document fails, and so does the other way round.
#[test]
fn every_path_of_the_document_answers_its_methods_and_no_others() {
    run(async {
        let server = Server::new(messenger().await).await;
        for (template, item) in DOCUMENT["paths"].as_object().unwrap() {
            let path = template
                .replace("{conversation_id}", "4030e32d-d786-54ef-9e6c-e538bcff2f0f")
                .replace("{message_id}", "019e9c3f-a2da-7b6e-9f0d-2f4f3c8a9d11")
                .replace("{user_id}", "alice")
                .replace("{code}", "internal")
                .replace("{file}", "start.js");
            assert!(!path.contains('{'), "{path}");
            for method in [
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
                Method::OPTIONS,
            ] {
                let allowed = allow(item).split(", ").any(|name| name == method.as_str());
                let path = path.trim_end_matches('/');
                for path in [path.to_owned(), format!("{path}/")] {
                    if path.is_empty() {
                        continue;
                    }
                    let answer = server.client().method(method.clone(), &path).await;
                    assert_eq!(answer.status != 405, allowed, "{method} {path}");
                }
            }
        }
    });
}

#[test]
fn the_document_is_well_formed() {
    let references = references(&DOCUMENT);
    for reference in &references {
        assert!(DOCUMENT.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for (kind, parts) in DOCUMENT["components"].as_object().unwrap() {
        for name in parts.as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(
                references.contains(&reference),
                "{reference} is used nowhere"
            );
        }
    }
    let mut ids = Vec::new();
    for item in DOCUMENT["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            ids.push(operation["operationId"].as_str().unwrap());
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operationId is there twice");
}

fn references(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(reference) if name == "$ref" => vec![reference.to_owned()],
                _ => references(value),
            })
            .collect(),
        serde_json::Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
