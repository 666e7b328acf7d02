//! The chat page: a small client without a build step and without anything from other servers.
//!
//! It shows what the API can do, and is the quickest way to try it.

use http::StatusCode;
use http::header::HeaderValue;

use crate::answer::{Answer, Asset, CONTENT_SECURITY_POLICY, Code, ETAG, Problem};
use crate::auth::Access;
use crate::request::{IF_NONE_MATCH, Request};
use crate::route::{Call, Content, Group, Success, Verb};

pub(super) static PAGE: Call = Call {
    id: "chat",
    verb: Verb::Get,
    path: "/chat/",
    group: Group::Documentation,
    summary: "Chat on a page",
    description: "A small client to try the API with. It loads nothing from other servers.",
    query: &[],
    headers: &[&IF_NONE_MATCH],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The page.",
        content: Content::Text(&["text/html"]),
        headers: &[&CONTENT_SECURITY_POLICY, &ETAG],
    },
    problems: &[],
    handler: |request| Box::pin(async move { file("index.html", &request) }),
};

pub(super) static FILE: Call = Call {
    id: "chatFile",
    verb: Verb::Get,
    path: "/chat/{file}",
    group: Group::Documentation,
    summary: "Get a file of the chat page",
    description: "Script or style of the page at /chat/.",
    query: &[],
    headers: &[&IF_NONE_MATCH],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The file.",
        content: Content::Text(&["text/css", "text/javascript"]),
        headers: &[&CONTENT_SECURITY_POLICY, &ETAG],
    },
    problems: &[Code::InvalidId, Code::NotFound],
    handler: |request| {
        Box::pin(async move {
            let name = request.path.text("file")?;
            file(&name, &request)
        })
    },
};

/// Everything from this server, and nothing inline. The icon is a `data:` URL.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Placeholders in the page: the base path, and the credential that the page asks for.
const BASE: &str = "{base}";
const ACCESS: &str = "{access}";

fn file(name: &str, request: &Request<'_>) -> Result<Answer, Problem> {
    let asset = match name {
        "index.html" => {
            let html = include_str!("../../assets/chat/index.html");
            let access = match request.state.config.access {
                Access::Trusted => "user",
                Access::Authenticated(_) => "token",
            };
            let html = html
                .replace(BASE, request.state.base())
                .replace(ACCESS, access);
            Asset::new("text/html; charset=utf-8", html)
        }
        "chat.js" => Asset::new(
            "text/javascript; charset=utf-8",
            include_str!("../../assets/chat/chat.js"),
        ),
        "chat.css" => Asset::new(
            "text/css; charset=utf-8",
            include_str!("../../assets/chat/chat.css"),
        ),
        _ => {
            return Err(Problem::with_detail(
                Code::NotFound,
                "The page at /chat/ has no file with this name.",
            ));
        }
    };
    Ok(asset.with_policy(POLICY).answer(request.headers))
}
