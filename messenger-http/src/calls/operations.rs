//! The calls for those who run the server. They are answered under any load and for any host.

use bytes::Bytes;
use http::StatusCode;
use messenger_core::{Error, ErrorKind};
use serde_json::json;

use crate::answer::{self, Answer, Code, Payload, Problem};
use crate::request::Request;
use crate::route::{Call, Content, Group, Success, Verb};
use crate::schema::Schema;

pub(super) static LIVE: Call = Call {
    id: "live",
    verb: Verb::Get,
    path: "/health/live",
    group: Group::Operations,
    summary: "Check that the server runs",
    description: "Asks nobody else.",
    query: &[],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The server runs.",
        content: Content::Json(&HEALTH),
        headers: &[],
    },
    problems: &[],
    handler: |_| Box::pin(async { Ok(healthy()) }),
};

fn healthy() -> Answer {
    let body = Bytes::from_static(b"{\"status\":\"ok\"}");
    answer::with_type("application/json", Payload::Free(body))
}

pub(super) static READY: Call = Call {
    id: "ready",
    verb: Verb::Get,
    path: "/health/ready",
    group: Group::Operations,
    summary: "Check that the server should receive requests",
    description: "Asks the store. Fails from the moment the server begins to stop.",
    query: &[],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The server should receive requests.",
        content: Content::Json(&HEALTH),
        headers: &[],
    },
    problems: &[Code::NotReady],
    handler: |request| Box::pin(ready(request)),
};

async fn ready(request: Request<'_>) -> Result<Answer, Problem> {
    if request.state.is_stopping() {
        return Err(Problem::with_detail(
            Code::NotReady,
            "The server is stopping. Send requests to another server.",
        ));
    }
    let health = request.state.messenger.health();
    tokio::time::timeout(request.state.config.request_timeout, health)
        .await
        .unwrap_or_else(|_| {
            let message = "the store did not report its health in time";
            Err(Error::new(ErrorKind::Timeout, message))
        })
        .map_err(Problem::not_ready)?;
    Ok(healthy())
}

static HEALTH: Schema = Schema {
    name: "Health",
    build: |_| {
        json!({
            "type": "object",
            "required": ["status"],
            "properties": {"status": {"type": "string", "enum": ["ok"]}},
        })
    },
};

pub(super) static METRICS: Call = Call {
    id: "metrics",
    verb: Verb::Get,
    path: "/metrics",
    group: Group::Operations,
    summary: "Get measurements for Prometheus",
    description: "Not found if the server was set up without a metrics recorder.",
    query: &[],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The measurements.",
        content: Content::Text(&["text/plain"]),
        headers: &[],
    },
    problems: &[Code::NotFound],
    handler: |request| Box::pin(async move { metrics(&request) }),
};

fn metrics(request: &Request<'_>) -> Result<Answer, Problem> {
    let render = request.state.config.metrics.as_ref().ok_or_else(|| {
        Problem::with_detail(
            Code::NotFound,
            "This server was set up without a metrics recorder.",
        )
    })?;
    let body = Payload::Free(Bytes::from(render.0()));
    Ok(answer::with_type(
        "text/plain; version=0.0.4; charset=utf-8",
        body,
    ))
}
