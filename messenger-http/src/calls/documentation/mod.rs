//! The calls that document the others.

#[cfg(feature = "docs")]
pub(super) mod swagger;

use http::header::{self, HeaderMap};
use http::{Response, StatusCode};
use serde_json::json;

use crate::answer::{
    Answer, Asset, CONTENT_SECURITY_POLICY, Code, ETAG, HeaderDoc, Info, POLICY_OF_TEXT, Payload,
    Problem, header_value,
};
use crate::request::{IF_NONE_MATCH, Request};
use crate::route::{Call, Content, Group, Success, Verb};
use crate::schema::Schema;

/// The path that `/` leads to.
const FIRST: &str = if cfg!(feature = "docs") {
    "/docs"
} else {
    "/openapi.json"
};

pub(super) static START: Call = Call {
    id: "start",
    verb: Verb::Get,
    path: "/",
    group: Group::Documentation,
    summary: "Go to the documentation",
    description: "For people who open the server in a browser.",
    query: &[],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::SEE_OTHER,
        description: "The documentation is elsewhere.",
        content: Content::None,
        headers: &[&LOCATION],
    },
    problems: &[],
    handler: |request| Box::pin(async move { start(&request) }),
};

fn start(request: &Request<'_>) -> Result<Answer, Problem> {
    let mut answer = Response::new(Payload::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let location = header_value(format!("{}{FIRST}", request.state.base()))?;
    answer.headers_mut().insert(header::LOCATION, location);
    Ok(answer)
}

static LOCATION: HeaderDoc = HeaderDoc {
    name: "Location",
    description: "The path of the documentation.",
    required: true,
    schema: || json!({"type": "string", "format": "uri-reference"}),
};

pub(super) static OPENAPI: Call = Call {
    id: "openapi",
    verb: Verb::Get,
    path: "/openapi.json",
    group: Group::Documentation,
    summary: "Get this document",
    description: "OpenAPI 3.1.",
    query: &[],
    headers: &[&IF_NONE_MATCH],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The document.",
        content: Content::Json(&DOCUMENT),
        headers: &[&ETAG],
    },
    problems: &[],
    handler: |request| {
        Box::pin(async move { Ok(request.state.document.asset().answer(request.headers)) })
    },
};

static DOCUMENT: Schema = Schema {
    name: "Document",
    build: |_| json!({"description": "An OpenAPI document.", "type": "object"}),
};

pub(super) static PROBLEM: Call = Call {
    id: "problem",
    verb: Verb::Get,
    path: "/problems/{code}",
    group: Group::Documentation,
    summary: "Explain a problem",
    description: "The type of every problem document leads here.",
    query: &[],
    headers: &[&IF_NONE_MATCH],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The meaning and the remedy.",
        content: Content::Text(&["text/html"]),
        headers: &[&CONTENT_SECURITY_POLICY, &ETAG],
    },
    problems: &[Code::InvalidId, Code::NotFound],
    handler: |request| {
        Box::pin(async move { problem(&request.path.text("code")?, request.headers) })
    },
};

fn problem(name: &str, headers: &HeaderMap) -> Result<Answer, Problem> {
    let code = Code::named(name).ok_or_else(|| {
        Problem::with_detail(
            Code::NotFound,
            "No problem has this name. The OpenAPI document lists them.",
        )
    })?;
    let Info {
        name,
        status,
        title,
        advice,
    } = code.info();
    let status = status.as_u16();
    // Nothing in it comes from the request, and the texts of the table hold no markup.
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <h1>{title}</h1>\n<p>Status {status}, code <code>{name}</code></p>\n<p>{advice}</p>\n\
         </html>\n"
    );
    let page = Asset::new("text/html; charset=utf-8", html).with_policy(POLICY_OF_TEXT);
    Ok(page.answer(headers))
}
