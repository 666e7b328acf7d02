//! The OpenAPI 3.1 document, written from the table of calls and the table of problems.
//!
//! Each answer of the tests is validated against it, so it says what is really sent.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::problem::Code;
use crate::routes::{Call, QueryParam, ROUTES, Route, Verb};

/// The OpenAPI 3.1 document of the service, as JSON: what `/openapi.json` answers.
pub fn openapi_json() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", build()));
    &TEXT
}

/// The document as the body of an answer.
pub(crate) fn document() -> Bytes {
    Bytes::from_static(openapi_json().as_bytes())
}

fn build() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Messenger",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0"},
            "description": DESCRIPTION,
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "messages", "description": "Sending, and reading what was sent"},
            {"name": "conversations", "description": "Who writes with whom"},
            {"name": "operations", "description": "For those who run the server"},
            {"name": "documentation", "description": "What you are reading"},
        ],
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "headers": headers(),
            "parameters": parameters(),
        },
    })
}

const DESCRIPTION: &str = "One-to-one messages, conversations and inboxes.

Every path works with and without a trailing slash, and `HEAD` wherever `GET` does. Unknown query \
parameters are refused; unknown members of a JSON object are ignored. Times are RFC 3339 in UTC, \
with milliseconds.

**Pages** are newest first. `next_cursor` leads to older items and is null when there are none. \
`prev_cursor` leads to newer ones and is always there, so keep it to ask for what is new. The \
`Link` header holds the same as URLs.

**Errors** are problem documents (RFC 9457); `code` says which. 503 means that nothing was done, \
504 that it is not known whether it was: then send the request again with the same \
`Idempotency-Key`, or look for `message_id`. A head of a request that is not HTTP or too large \
gets a bare 400, 414 or 431.

A request may bring an `X-Request-Id` of its own (1 to 128 letters, digits and `-._~:+/=@`); the \
answer, its problem and the server's log hold it.

**There is no authentication.** Whoever can reach the server can read and write in any name.";

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

fn schema(name: &str) -> Value {
    reference("schemas", name)
}

fn paths() -> Map<String, Value> {
    let mut paths = Map::new();
    for route in ROUTES {
        let verb = match route.verb {
            Verb::Get => "get",
            Verb::Post => "post",
        };
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[verb] = operation(route);
    }
    paths
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.id,
        "tags": [route.tag],
        "summary": route.summary,
        "description": route.description,
        "responses": responses(route),
    });
    let parameters = operation_parameters(route);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if route.call == Call::Send {
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": schema("NewMessage")}},
        });
    }
    operation
}

fn operation_parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(reference("parameters", name))
    });
    let in_query = route.query.iter().map(|param| {
        let mut parameter = json!({
            "name": param.name(),
            "in": "query",
            "schema": {"$ref": format!("#/components/schemas/{}", query_schema(*param))},
            "description": query_description(*param),
        });
        if *param == QueryParam::BeforeTimestamp {
            parameter["required"] = true.into();
        }
        parameter
    });
    let mut parameters: Vec<_> = in_path.chain(in_query).collect();
    if route.call == Call::Send {
        parameters.push(reference("parameters", "Idempotency-Key"));
    }
    if has_etag(route) {
        parameters.push(reference("parameters", "If-None-Match"));
    }
    parameters
}

fn query_schema(param: QueryParam) -> &'static str {
    match param {
        QueryParam::Limit => "Limit",
        QueryParam::Cursor => "Cursor",
        QueryParam::BeforeTimestamp => "TimestampInput",
    }
}

fn query_description(param: QueryParam) -> &'static str {
    match param {
        QueryParam::Limit => "How many items a page holds at most.",
        QueryParam::Cursor => {
            "next_cursor or prev_cursor of a page of this list, as it was given. Without one: the \
             first page."
        }
        QueryParam::BeforeTimestamp => {
            "A time with an offset; a + is written as %2B. Digits finer than a millisecond round \
             up."
        }
    }
}

#[cfg(feature = "docs")]
fn has_etag(route: &Route) -> bool {
    matches!(route.call, Call::Docs | Call::DocsFile)
}

#[cfg(not(feature = "docs"))]
fn has_etag(_: &Route) -> bool {
    false
}

fn responses(route: &Route) -> Map<String, Value> {
    let mut responses = Map::new();
    let (status, success) = success(route.call);
    responses.insert(status.to_owned(), with_common_headers(success));
    if has_etag(route) {
        let not_modified = with_etag(json!({"description": "The caller has it already."}));
        responses.insert("304".to_owned(), with_common_headers(not_modified));
    }
    let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
    for code in route.codes() {
        by_status
            .entry(code.info().status.as_u16())
            .or_default()
            .push(code);
    }
    for (status, codes) in by_status {
        responses.insert(
            status.to_string(),
            with_common_headers(problem(status, &codes)),
        );
    }
    responses
}

fn with_common_headers(mut response: Value) -> Value {
    for name in ["Cache-Control", "X-Content-Type-Options", "X-Request-Id"] {
        response["headers"][name] = reference("headers", name);
    }
    response
}

/// The response with this status, and every problem it may be.
fn problem(status: u16, codes: &[Code]) -> Value {
    let infos = || codes.iter().map(|code| code.info());
    let lines: Vec<_> = infos()
        .map(|info| format!("- `{}`: {}", info.name, info.title))
        .collect();
    let names: Vec<_> = infos().map(|info| info.name).collect();
    let examples: Map<_, _> = infos()
        .map(|info| {
            let example = json!({
                "type": format!("/problems/{}", info.name),
                "title": info.title,
                "status": status,
                "code": info.name,
                "detail": info.advice,
                "request_id": EXAMPLE_REQUEST,
            });
            (info.name.to_owned(), json!({"value": example}))
        })
        .collect();
    let mut response = json!({
        "description": lines.join("\n"),
        "content": {"application/problem+json": {
            "schema": {"allOf": [
                schema("Problem"),
                {"properties": {"status": {"const": status}, "code": {"enum": names}}},
            ]},
            "examples": examples,
        }},
    });
    if status == 503 {
        response["headers"]["Retry-After"] = reference("headers", "Retry-After");
    }
    response
}

/// The status and the response when all goes well.
fn success(call: Call) -> (&'static str, Value) {
    let of = |description: &str, name: &str| {
        json!({
            "description": description,
            "content": {"application/json": {"schema": schema(name)}},
        })
    };
    let page = |description: &str, name: &str| {
        let mut response = of(description, name);
        response["headers"] = json!({"Link": reference("headers", "Link")});
        response
    };
    let text = |description: &str, media_types: &[&str]| {
        let content: Map<_, _> = media_types
            .iter()
            .map(|media_type| {
                (
                    (*media_type).to_owned(),
                    json!({"schema": {"type": "string"}}),
                )
            })
            .collect();
        json!({"description": description, "content": content})
    };
    match call {
        Call::Send => {
            let mut response = of(
                "The message, sent by this request or an earlier one.",
                "Message",
            );
            response["headers"] = json!({
                "Location": reference("headers", "Location"),
                "Idempotent-Replayed": reference("headers", "Idempotent-Replayed"),
            });
            ("201", response)
        }
        Call::History | Call::HistoryBefore => ("200", page("A page of messages.", "MessagePage")),
        Call::Message => ("200", of("The message.", "Message")),
        Call::Inbox => ("200", page("A page of conversations.", "ConversationPage")),
        Call::Conversation => ("200", of("The conversation.", "Conversation")),
        Call::Live => ("200", of("It runs.", "Health")),
        Call::Ready => ("200", of("It should get requests.", "Health")),
        Call::Metrics => ("200", text("The measurements.", &["text/plain"])),
        Call::OpenApi => {
            let document = json!({"schema": {"type": "object"}});
            let response = json!({
                "description": "The document.",
                "content": {"application/json": document},
            });
            ("200", response)
        }
        Call::Problem => {
            let mut response = text("What it means and what to do.", &["text/html"]);
            let csp = reference("headers", "Content-Security-Policy");
            response["headers"] = json!({"Content-Security-Policy": csp});
            ("200", response)
        }
        #[cfg(feature = "docs")]
        Call::Docs => ("200", with_etag(text("The page.", &["text/html"]))),
        #[cfg(feature = "docs")]
        Call::DocsFile => {
            let media_types = ["text/css", "text/javascript", "image/png"];
            ("200", with_etag(text("The file.", &media_types)))
        }
    }
}

/// A response of the documentation page.
fn with_etag(mut response: Value) -> Value {
    for name in ["Content-Security-Policy", "ETag"] {
        response["headers"][name] = reference("headers", name);
    }
    response
}

const EXAMPLE_CONVERSATION: &str = "4030e32d-d786-54ef-9e6c-e538bcff2f0f";
const EXAMPLE_MESSAGE: &str = "019e9c3f-a2da-7b6e-9f0d-2f4f3c8a9d11";
const EXAMPLE_REQUEST: &str = "6f1c1c52-5d0e-4a53-a6cf-1d2f6f0b8f7e";
const EXAMPLE_TIME: &str = "2026-06-06T09:24:36.698Z";
const USER_ID: &str = "^[A-Za-z0-9._~@:+=-]+$";

fn schemas() -> Value {
    json!({
        "UserId": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "pattern": USER_ID,
            "not": {"enum": [".", ".."]},
            "examples": ["alice"],
        },
        "UserIdInput": {
            "description": "A user id, or an unsigned 64-bit integer: 7 and \"7\" are the same \
                            user.",
            "anyOf": [
                schema("UserId"),
                {"type": "integer", "minimum": 0, "maximum": u64::MAX},
            ],
        },
        "ConversationId": {
            "description": "That of two users follows from their ids.",
            "type": "string",
            "format": "uuid",
            "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
            "examples": [EXAMPLE_CONVERSATION],
        },
        "MessageId": {
            "description": "A UUIDv7. Messages are ordered by it.",
            "type": "string",
            "format": "uuid",
            "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-7[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$",
            "examples": [EXAMPLE_MESSAGE],
        },
        "Timestamp": {
            "description": "RFC 3339 in UTC, with milliseconds.",
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$",
            "examples": [EXAMPLE_TIME],
        },
        "TimestampInput": {
            "description": "RFC 3339 with an offset.",
            "type": "string",
            "format": "date-time",
            "examples": ["2026-06-06T11:30:00+02:00"],
        },
        "Limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        "Cursor": {
            "description": "Opaque: send it back as it was given.",
            "type": "string",
            "minLength": 1,
            "maxLength": 256,
            "pattern": "^[A-Za-z0-9_-]+$",
        },
        "NewMessage": {
            "type": "object",
            "required": ["sender_id", "receiver_id", "content"],
            "properties": {
                "sender_id": schema("UserIdInput"),
                "receiver_id": {
                    "description": "Another user than the sender.",
                    "allOf": [schema("UserIdInput")],
                },
                "content": {
                    "description": "1 to 20,000 bytes of UTF-8, not only white space.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 20_000,
                },
            },
            "examples": [{"sender_id": "alice", "receiver_id": "bob", "content": "Hello"}],
        },
        "Message": {
            "type": "object",
            "required": [
                "id", "conversation_id", "sender_id", "receiver_id", "content", "created_at",
            ],
            "properties": {
                "id": schema("MessageId"),
                "conversation_id": schema("ConversationId"),
                "sender_id": schema("UserId"),
                "receiver_id": schema("UserId"),
                "content": {"type": "string", "minLength": 1, "maxLength": 20_000},
                "created_at": schema("Timestamp"),
            },
            "examples": [{
                "id": EXAMPLE_MESSAGE,
                "conversation_id": EXAMPLE_CONVERSATION,
                "sender_id": "alice",
                "receiver_id": "bob",
                "content": "Hello",
                "created_at": EXAMPLE_TIME,
            }],
        },
        "LastMessage": {
            "type": "object",
            "required": ["id", "sender_id", "preview", "created_at"],
            "properties": {
                "id": schema("MessageId"),
                "sender_id": schema("UserId"),
                "preview": {
                    "description": "The first 200 bytes of the content at most, cut between \
                                    characters.",
                    "type": "string",
                    "maxLength": 200,
                },
                "created_at": schema("Timestamp"),
            },
        },
        "Conversation": {
            "type": "object",
            "required": ["id", "participants", "last_message"],
            "properties": {
                "id": schema("ConversationId"),
                "participants": {
                    "description": "Sorted by id.",
                    "type": "array",
                    "items": schema("UserId"),
                    "minItems": 2,
                    "uniqueItems": true,
                },
                "last_message": schema("LastMessage"),
            },
            "examples": [{
                "id": EXAMPLE_CONVERSATION,
                "participants": ["alice", "bob"],
                "last_message": {
                    "id": EXAMPLE_MESSAGE,
                    "sender_id": "alice",
                    "preview": "Hello",
                    "created_at": EXAMPLE_TIME,
                },
            }],
        },
        "MessagePage": page_schema("Message"),
        "ConversationPage": page_schema("Conversation"),
        "Health": {
            "type": "object",
            "required": ["status"],
            "properties": {"status": {"const": "ok"}},
        },
        "Problem": {
            "description": "A problem document (RFC 9457).",
            "type": "object",
            "required": ["type", "title", "status", "code", "detail", "request_id"],
            "properties": {
                "type": {
                    "description": "A page of this server about the problem.",
                    "type": "string",
                    "format": "uri-reference",
                },
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "code": {"enum": Code::ALL.map(|code| code.info().name)},
                "detail": {"description": "What to do about it.", "type": "string"},
                "message_id": {
                    "description": "The message to look for, where it is not known whether it \
                                    was sent.",
                    "allOf": [schema("MessageId")],
                },
                "request_id": {
                    "description": "The X-Request-Id, by which the server's log names the \
                                    request.",
                    "type": "string",
                },
            },
        },
    })
}

fn page_schema(item: &str) -> Value {
    json!({
        "type": "object",
        "required": ["data", "next_cursor", "prev_cursor"],
        "properties": {
            "data": {"type": "array", "items": schema(item), "maxItems": 100},
            "next_cursor": {
                "description": "Leads to older items; null when there are none.",
                "anyOf": [schema("Cursor"), {"type": "null"}],
            },
            "prev_cursor": {
                "description": "Leads to newer items, now or later.",
                "allOf": [schema("Cursor")],
            },
        },
    })
}

fn headers() -> Value {
    json!({
        "Cache-Control": {
            "description": "no-store, but for the files of the documentation.",
            "required": true,
            "schema": {"enum": ["no-store", "no-cache"]},
        },
        "X-Content-Type-Options": {"required": true, "schema": {"const": "nosniff"}},
        "X-Request-Id": {
            "description": "Names the request in the server's log.",
            "required": true,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~:+/=@-]{1,128}$"},
        },
        "Link": {
            "description": "The next and the previous page as URLs (RFC 8288), with the limit \
                            and the time of this request.",
            "required": true,
            "schema": {
                "type": "string",
                "pattern": "^(<[^<> ]+>; rel=\"next\", )?<[^<> ]+>; rel=\"prev\"$",
            },
        },
        "Location": {
            "description": "Where the message is.",
            "required": true,
            "schema": {"type": "string", "format": "uri-reference"},
        },
        "Idempotent-Replayed": {
            "description": "There when an earlier request with the same key has sent the message.",
            "schema": {"const": "true"},
        },
        "Retry-After": {
            "description": "Seconds to wait before the request is sent again.",
            "required": true,
            "schema": {"type": "string", "pattern": "^[0-9]+$"},
        },
        "ETag": {"required": true, "schema": {"type": "string", "pattern": "^\"[0-9a-f]+\"$"}},
        "Content-Security-Policy": {"required": true, "schema": {"type": "string"}},
    })
}

fn parameters() -> Value {
    let in_path = |name: &str, schema: Value, example: &str| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": schema,
            "example": example,
        })
    };
    let text = || json!({"type": "string", "minLength": 1});
    let mut parameters = json!({
        "conversation_id": in_path("conversation_id", schema("ConversationId"), EXAMPLE_CONVERSATION),
        "message_id": in_path("message_id", schema("MessageId"), EXAMPLE_MESSAGE),
        "user_id": in_path("user_id", schema("UserId"), "alice"),
        "code": in_path("code", text(), "invalid_cursor"),
        "Idempotency-Key": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Makes it safe to send the request again: all requests of a sender \
                            with one key are one message. 1 to 255 visible ASCII characters, such \
                            as a UUID, bare or in double quotes.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 512},
        },
    });
    if cfg!(feature = "docs") {
        parameters["file"] = in_path("file", text(), "swagger-ui.css");
        parameters["If-None-Match"] = json!({
            "name": "If-None-Match",
            "in": "header",
            "description": "The ETag that the caller has.",
            "schema": {"type": "string"},
        });
    }
    parameters
}
