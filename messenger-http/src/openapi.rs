//! The OpenAPI 3.1 document, derived from the list of calls.
//!
//! Every answer of the tests is validated against it, so it describes what is really sent.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::answer::{Code, EXAMPLE_REQUEST, HeaderDoc, PROBLEM, problem_type};
use crate::calls::CALLS;
use crate::request::{HeaderParam, Param, Required, document_path};
use crate::route::{Call, Content, Group};
use crate::schema::Components;

/// Returns the OpenAPI 3.1 document of a service without authentication that is mounted at the root,
/// as JSON. This is the answer of its `/openapi.json`.
pub fn openapi_json() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| document("", false));
    &TEXT
}

/// Writes the document of a service that is mounted under a path.
pub(crate) fn document(base: &str, is_authenticated: bool) -> String {
    let mut components = Components::new(is_authenticated);
    let paths = paths(base, &mut components);
    let access = match is_authenticated {
        true => AUTHENTICATED,
        false => TRUSTED,
    };
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Messenger",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": LICENSE, "identifier": LICENSE},
            "description": format!("{DESCRIPTION}\n\n{access}"),
        },
        "servers": [{"url": if base.is_empty() { "/" } else { base }}],
        "security": [],
        "tags": Group::ALL.map(|group| {
            json!({"name": group.name(), "description": group.description()})
        }),
        "paths": paths,
        "components": components.into_value(),
    });
    if is_authenticated {
        document["components"]["securitySchemes"] = json!({"token": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of the user who calls.",
        }});
    }
    format!("{document:#}\n")
}

const LICENSE: &str = "MIT OR Apache-2.0";

const DESCRIPTION: &str = "One-to-one messages, conversations and inboxes.

Every path works with and without a trailing slash, and `HEAD` works wherever `GET` does. Unknown \
query parameters are refused; unknown members of a JSON object are ignored. Times are RFC 3339 in \
UTC, with milliseconds.

**Pages** are newest first. `next_cursor` leads to older items and is null if there are none. \
`prev_cursor` leads to newer items and is always present, so keep it to ask for what is new. The \
`Link` header holds the same as URLs.

**Errors** are problem documents (RFC 9457), and `code` says which. 503 means that nothing was done; \
send the request again after the time in `Retry-After`. 504 means that it is not known whether the \
change was made. Send the request again with the same `Idempotency-Key`, which is kept for 24 hours: \
one key makes one message. Without a key, wait 30 seconds and then get `message_path`.

Some problems belong to no call: 404 `not_found` and 405 for a path or method that does not exist; \
400 `malformed_request` for a missing, repeated or invalid `Host`; 421 for a host that the server \
does not answer for; 501 for a transfer coding other than chunked. A request head that is not HTTP or \
is too large gets 400, 414 or 431 without a document.

**Every answer** has the headers `Cache-Control` (`no-store`, or `no-cache` for files), \
`X-Content-Type-Options: nosniff` and `X-Request-Id`. A request may bring an `X-Request-Id` of its \
own (1 to 128 letters, digits and `-._~:+/=@`); the answer, its problem document and the server's log \
hold it.";

const TRUSTED: &str = "**There is no authentication.** Anyone who can reach the server can read every \
conversation and send as any user.";

const AUTHENTICATED: &str = "**Authentication.** Every call of the API needs a token, in the header \
`Authorization: Bearer`. Its user is the caller, who acts only as themself: `sender_id` and `user_id` \
may be left out, and otherwise must be the caller (403 `not_yours`). A conversation in which the \
caller takes no part does not exist for them: all calls answer as for an id that nothing has.";

fn paths(base: &str, components: &mut Components) -> Map<String, Value> {
    let mut paths = Map::new();
    for call in CALLS {
        let method = call.verb.names()[0].to_ascii_lowercase();
        let path = paths.entry(call.path).or_insert_with(|| json!({}));
        path[&method] = operation(call, base, components);
    }
    paths
}

fn operation(call: &Call, base: &str, components: &mut Components) -> Value {
    let mut operation = json!({
        "operationId": call.id,
        "tags": [call.group.name()],
        "summary": call.summary,
        "description": call.description,
    });
    if components.is_authenticated() && call.is_api() {
        operation["security"] = json!([{"token": []}]);
    }
    let parameters = parameters(call, components);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = &call.body {
        let content = Content::Json(body.schema).document(components);
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation["responses"] = responses(call, base, components).into();
    operation
}

fn parameters(call: &Call, components: &mut Components) -> Vec<Value> {
    let segments = call.path.split('/');
    let in_path = segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<_> = in_path
        .map(|name| document_path(name, components))
        .collect();
    parameters.extend(
        call.query
            .iter()
            .map(|param| query_parameter(param, components)),
    );
    parameters.extend(call.headers.iter().map(|param| header_parameter(param)));
    parameters
}

fn query_parameter(param: &Param, components: &mut Components) -> Value {
    let mut parameter = json!({
        "name": param.name,
        "in": "query",
        "description": param.description,
        "required": match param.required {
            Required::Always => true,
            Required::WithoutAuthentication => !components.is_authenticated(),
            Required::Never => false,
        },
        "schema": components.refer(param.schema),
    });
    if let Some(example) = param.example {
        parameter["example"] = example();
    }
    parameter
}

fn header_parameter(param: &HeaderParam) -> Value {
    json!({
        "name": param.name,
        "in": "header",
        "description": (param.description)(),
        "schema": (param.schema)(),
    })
}

fn responses(call: &Call, base: &str, components: &mut Components) -> Map<String, Value> {
    let mut responses = Map::new();
    let success = &call.success;
    let mut response = json!({"description": success.description});
    add_headers(&mut response, success.headers);
    if let Some(content) = success.content.document(components) {
        response["content"] = content;
    }
    responses.insert(success.status.as_str().to_owned(), response);
    if call
        .headers
        .iter()
        .any(|header| header.name == "If-None-Match")
    {
        let mut response = json!({"description": "The client has the file already."});
        add_headers(&mut response, success.headers);
        responses.insert("304".to_owned(), response);
    }
    let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
    for code in call.codes(components.is_authenticated()) {
        let status = code.info().status.as_u16();
        by_status.entry(status).or_default().push(code);
    }
    for (status, codes) in by_status {
        let problem = problem(status, &codes, base, components);
        responses.insert(status.to_string(), problem);
    }
    responses
}

fn add_headers(response: &mut Value, headers: &[&HeaderDoc]) {
    for header in headers {
        response["headers"][header.name] = json!({
            "description": header.description,
            "required": header.required,
            "schema": (header.schema)(),
        });
    }
}

/// Describes the response with this status, and every problem that it may be.
fn problem(status: u16, codes: &[Code], base: &str, components: &mut Components) -> Value {
    let infos = || codes.iter().map(|code| code.info());
    let lines: Vec<_> = infos()
        .map(|info| format!("- `{}`: {}", info.name, info.title))
        .collect();
    let names: Vec<_> = infos().map(|info| info.name).collect();
    let examples: Map<_, _> = infos()
        .map(|info| {
            let example = json!({
                "type": problem_type(base, info.name),
                "title": info.title,
                "status": info.status.as_u16(),
                "code": info.name,
                "detail": info.advice,
                "request_id": EXAMPLE_REQUEST,
            });
            let example = components.refer_to_example(info.name, example);
            (info.name.to_owned(), example)
        })
        .collect();
    let mut response = json!({"description": lines.join("\n")});
    let retries = |code: &Code| code.retry_after().is_some() || *code == Code::TooManyRequests;
    if codes.iter().any(retries) {
        add_headers(&mut response, &[&RETRY_AFTER]);
    }
    if codes.contains(&Code::Unauthenticated) {
        add_headers(&mut response, &[&WWW_AUTHENTICATE]);
    }
    if codes.contains(&Code::UnsupportedMediaType) {
        add_headers(&mut response, &[&ACCEPT_ENCODING]);
    }
    response["content"] = json!({"application/problem+json": {
        "schema": {"allOf": [
            components.refer(&PROBLEM),
            // Lists of one value instead of `const`, which code generators cannot merge.
            {"properties": {
                "status": {"type": "integer", "enum": [status]},
                "code": {"type": "string", "enum": names},
            }},
        ]},
        "examples": examples,
    }});
    response
}

static RETRY_AFTER: HeaderDoc = HeaderDoc {
    name: "Retry-After",
    description: "The seconds after which to send the request again.",
    required: true,
    schema: || json!({"type": "string", "pattern": "^[0-9]+$"}),
};

static WWW_AUTHENTICATE: HeaderDoc = HeaderDoc {
    name: "WWW-Authenticate",
    description: "How to authenticate (RFC 6750, section 3).",
    required: true,
    schema: || json!({"type": "string"}),
};

static ACCEPT_ENCODING: HeaderDoc = HeaderDoc {
    name: "Accept-Encoding",
    description: "Present if the Content-Encoding of the request is the reason.",
    required: false,
    schema: || json!({"type": "string", "enum": ["identity"]}),
};
