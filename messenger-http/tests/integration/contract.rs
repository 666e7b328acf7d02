//! Checks answers against the OpenAPI document, with no help from the code that wrote it.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use messenger_core::Messenger;
use messenger_http::{Access, Body, MessengerService, ServiceConfig};
use messenger_memory::MemoryStore;
use serde_json::{Map, Value, json};
use tower_service::Service as _;

use crate::auth::Tokens;

pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(messenger_http::openapi_json()).unwrap());

/// The document of a service with authentication.
pub(crate) static DOCUMENT_WITH_AUTHENTICATION: LazyLock<Value> = LazyLock::new(|| {
    let mut config = ServiceConfig::default();
    config.access = Access::authenticated(Tokens);
    let messenger = Messenger::new(MemoryStore::new());
    let mut service = MessengerService::with_config(messenger, config);
    let request = Request::get("/openapi.json").header("host", "test");
    let answer = service.call(request.body(Body::default()).unwrap());
    // On a thread of its own: the first test that needs the document may be in a runtime or not.
    let body = std::thread::spawn(|| {
        crate::run(async { answer.await.unwrap().collect().await.unwrap().to_bytes() })
    });
    serde_json::from_slice(&body.join().unwrap()).unwrap()
});

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next();
        assert!(values.next().is_none(), "{name} is there twice");
        value.map(|value| value.to_str().unwrap())
    }

    /// Checks that this is a problem document with this status and code.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        let problem = self.json();
        assert_eq!(
            (self.status.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{problem}"
        );
    }
}

/// Headers of HTTP itself, and of the server's connections.
const OF_HTTP: [&str; 6] = [
    "content-length",
    "transfer-encoding",
    "content-type",
    "date",
    "connection",
    // For nginx in front.
    "x-accel-buffering",
];

/// Headers of every answer.
const COMMON: [&str; 3] = ["cache-control", "x-content-type-options", "x-request-id"];

/// Panics unless the document allows this answer to this request.
pub(crate) fn check(document: &Value, method: &Method, path: &str, answer: &Answer) {
    let context = format!("{method} {path}: {answer:?}");
    let verb = match *method {
        Method::HEAD => "get".to_owned(),
        _ => method.as_str().to_ascii_lowercase(),
    };
    let path = path.split('?').next().unwrap();
    check_common_headers(answer, &context);
    if is_about_the_head(answer) {
        return check_undocumented(method, answer, &context);
    }
    let Some(item) = path_item(document, path) else {
        assert_eq!(answer.status, 404, "{context}");
        return check_undocumented(method, answer, &context);
    };
    let Some(operation) = item.get(&verb) else {
        assert_eq!(answer.status, 405, "{context}");
        assert_eq!(answer.header("allow").unwrap(), allow(item), "{context}");
        return check_undocumented(method, answer, &context);
    };
    let response = &operation["responses"][answer.status.as_str()];
    assert!(
        response.is_object(),
        "the status is not documented: {context}"
    );
    check_headers(response, answer, &context);
    check_body(method, response, answer, &context);
}

/// Checks what the description of the document says of every answer.
fn check_common_headers(answer: &Answer, context: &str) {
    let cache_control = answer.header("cache-control").expect(context);
    assert!(
        ["no-store", "no-cache"].contains(&cache_control),
        "{context}"
    );
    let sniffing = answer.header("x-content-type-options");
    assert_eq!(sniffing, Some("nosniff"), "{context}");
    let id = answer.header("x-request-id").expect(context);
    let is_valid = |char: char| char.is_ascii_alphanumeric() || "-._~:+/=@".contains(char);
    assert!(
        (1..=128).contains(&id.len()) && id.chars().all(is_valid),
        "{context}"
    );
}

/// Returns `true` if the answer is a problem of the request's head, which belongs to no operation.
fn is_about_the_head(answer: &Answer) -> bool {
    match answer.status.as_u16() {
        421 | 501 => true,
        // The answer to HEAD does not say which.
        400 => answer.body.is_empty() || answer.json()["code"] == "malformed_request",
        _ => false,
    }
}

/// A 404 or 405 belongs to no operation. It is a problem all the same.
fn check_undocumented(method: &Method, answer: &Answer, context: &str) {
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    let response = json!({"content": {"application/problem+json": {"schema": schema}}});
    check_body(method, &response, answer, context);
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{context}"
    );
}

/// The methods of a path, as `Allow` has them.
pub(crate) fn allow(item: &Value) -> String {
    let names = [
        ("get", "GET, HEAD"),
        ("post", "POST"),
        ("put", "PUT"),
        ("patch", "PATCH"),
        ("delete", "DELETE"),
    ];
    let names = names.iter().filter(|(verb, _)| item.get(verb).is_some());
    names.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

/// The path item whose template fits, constant segments first, as OpenAPI says.
fn path_item<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let segments = |path: &'_ str| -> Vec<String> {
        let path = path.strip_suffix('/').unwrap_or(path);
        path.split('/').map(str::to_owned).collect()
    };
    let wanted = segments(path);
    let paths = document["paths"].as_object().unwrap();
    let mut fitting: Vec<_> = paths
        .iter()
        .filter_map(|(template, item)| {
            let template = segments(template);
            let fits = template.len() == wanted.len()
                && template.iter().zip(&wanted).all(|(template, segment)| {
                    template == segment || template.starts_with('{') && !segment.is_empty()
                });
            let variables = template
                .iter()
                .filter(|segment| segment.starts_with('{'))
                .count();
            fits.then_some((variables, item))
        })
        .collect();
    fitting.sort_by_key(|(variables, _)| *variables);
    fitting.first().map(|(_, item)| *item)
}

fn check_headers(response: &Value, answer: &Answer, context: &str) {
    let none = Map::new();
    let documented = response["headers"].as_object().unwrap_or(&none);
    for (name, header) in documented {
        match answer.header(name) {
            Some(value) => validate(&header["schema"], &value.into(), context),
            None => assert_ne!(header["required"], true, "{name} is missing: {context}"),
        }
    }
    for name in answer.headers.keys().map(|name| name.as_str()) {
        assert!(
            OF_HTTP.contains(&name)
                || COMMON.contains(&name)
                || documented
                    .keys()
                    .any(|known| known.eq_ignore_ascii_case(name)),
            "{name} is not documented: {context}"
        );
    }
}

fn check_body(method: &Method, response: &Value, answer: &Answer, context: &str) {
    let Some(content) = response.get("content") else {
        assert!(answer.body.is_empty(), "{context}");
        return;
    };
    let full_type = answer.header("content-type").expect(context);
    let media_type = full_type.split(';').next().unwrap();
    let schema = &content[media_type]["schema"];
    assert!(
        schema.is_object(),
        "{media_type} is not documented: {context}"
    );
    if media_type == "text/event-stream" {
        assert_eq!(answer.header("content-length"), None, "{context}");
        return;
    }
    let length: usize = answer
        .header("content-length")
        .expect(context)
        .parse()
        .unwrap();
    if method == Method::HEAD {
        assert!(answer.body.is_empty(), "{context}");
        return;
    }
    assert_eq!(length, answer.body.len(), "{context}");
    if !media_type.ends_with("json") {
        // The document says no more of other types.
        return;
    }
    let body: Value = serde_json::from_slice(&answer.body).expect(context);
    validate(schema, &body, context);
    if media_type == "application/problem+json" {
        assert_eq!(body["status"], answer.status.as_u16(), "{context}");
        let path = format!("/problems/{}", body["code"].as_str().unwrap());
        assert_eq!(body["type"], path, "{context}");
        assert_eq!(
            body["request_id"].as_str(),
            answer.header("x-request-id"),
            "{context}"
        );
    }
}

/// Validates against a schema of the document, in which no object may have other members than
/// those that it names.
fn validate(schema: &Value, value: &Value, context: &str) {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static jsonschema::Validator>>> =
        LazyLock::new(Mutex::default);
    let key = schema.to_string();
    let known = VALIDATORS.lock().unwrap().get(&key).copied();
    let validator = known.unwrap_or_else(|| {
        let new: &'static _ = Box::leak(Box::new(validator(schema)));
        VALIDATORS.lock().unwrap().insert(key, new);
        new
    });
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}\n{context}");
}

fn validator(schema: &Value) -> jsonschema::Validator {
    let mut schemas = DOCUMENT["components"]["schemas"].clone();
    for schema in schemas.as_object_mut().unwrap().values_mut() {
        if schema["properties"].is_object() {
            schema["additionalProperties"] = false.into();
        }
    }
    // Formats alone do not say this.
    for (name, pattern) in [
        (
            "ConversationId",
            "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        ),
        (
            "MessageId",
            "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        ),
        (
            "Revision",
            "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        ),
        (
            "Timestamp",
            "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$",
        ),
    ] {
        assert!(schemas[name].is_object(), "{name}");
        schemas[name]["pattern"] = pattern.into();
    }
    let root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": {"schemas": schemas},
        "allOf": [schema],
    });
    jsonschema::options()
        .should_validate_formats(true)
        .build(&root)
        .unwrap()
}
