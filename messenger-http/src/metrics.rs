//! What is measured: requests by route, method and status, never by id.

use std::time::Instant;

use ::metrics::{counter, gauge, histogram};
use bytes::Bytes;
use http::{Method, Response, StatusCode};

use crate::config::Render;
use crate::problem::{Code, Problem};
use crate::wire;

/// Bounds of buckets for all latencies of the messenger, in seconds: half a millisecond to 10
/// seconds. Without buckets an exporter may make summaries, which do not add up over servers.
pub const LATENCY_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The label of requests for paths that are not there.
pub(crate) const NO_ROUTE: &str = "none";

/// Measures one request. When it is dropped without an answer, the client has left.
#[derive(Debug)]
pub(crate) struct Measure {
    start: Instant,
    route: &'static str,
    method: &'static str,
    answered: bool,
}

impl Measure {
    pub(crate) fn start(method: &Method) -> Self {
        Self {
            start: Instant::now(),
            route: NO_ROUTE,
            method: method_label(method),
            answered: false,
        }
    }

    pub(crate) fn route(&mut self, route: &'static str) {
        self.route = route;
    }

    pub(crate) fn answered(mut self, status: StatusCode) {
        self.answered = true;
        let status = status_label(status);
        counter!("messenger_http_requests_total", "route" => self.route, "method" => self.method, "status" => status)
            .increment(1);
        histogram!("messenger_http_request_duration_seconds", "route" => self.route, "method" => self.method)
            .record(self.start.elapsed());
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        if !self.answered {
            counter!("messenger_http_requests_aborted_total", "route" => self.route, "method" => self.method)
                .increment(1);
        }
    }
}

/// Labels must come from a small set, and a client may invent methods.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    }
}

/// Of constant texts, so that a label costs no allocation.
fn status_label(status: StatusCode) -> &'static str {
    const KNOWN: [(u16, &str); 13] = [
        (200, "200"),
        (201, "201"),
        (304, "304"),
        (400, "400"),
        (404, "404"),
        (405, "405"),
        (408, "408"),
        (413, "413"),
        (415, "415"),
        (422, "422"),
        (500, "500"),
        (503, "503"),
        (504, "504"),
    ];
    KNOWN
        .iter()
        .find(|(code, _)| *code == status.as_u16())
        .map_or("other", |(_, text)| text)
}

pub(crate) fn in_flight(change: f64) {
    gauge!("messenger_http_requests_in_flight").increment(change);
}

pub(crate) fn shed(route: &'static str) {
    counter!("messenger_http_requests_shed_total", "route" => route).increment(1);
}

pub(crate) fn connections(change: f64) {
    gauge!("messenger_http_connections").increment(change);
}

pub(crate) fn accept_error() {
    counter!("messenger_http_accept_errors_total").increment(1);
}

/// Answers `/metrics`.
pub(crate) fn page(render: Option<&Render>) -> Result<Response<Bytes>, Problem> {
    let render = render.ok_or_else(|| {
        Problem::with_detail(
            Code::NotFound,
            "This server was built without a recorder of metrics.",
        )
    })?;
    let text = Bytes::from(render.0());
    Ok(wire::with_type(
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    ))
}
