//! What is measured: requests by route, method and status, never by id.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ::metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use bytes::Bytes;
use http::{Method, Response, StatusCode};

use crate::config::Render;
use crate::problem::{Code, Problem};
use crate::routes::ROUTES;
use crate::wire;

/// Bounds of buckets for all latencies of the messenger, in seconds: half a millisecond to 10
/// seconds. Without buckets an exporter may make summaries, which do not add up over servers.
pub const LATENCY_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The label of requests for paths that are not there.
pub(crate) const NO_ROUTE: &str = "none";

/// Methods as labels: a client may invent others.
const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "other"];

/// Statuses as labels. Constant texts, so that a label costs no allocation.
const STATUSES: [(u16, &str); 14] = [
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
    (0, "other"),
];

/// What every request of a service is measured with.
///
/// The macros of the facade make a key of name and labels each time and look it up in the recorder,
/// which costs as much as a good part of a page. So each instrument is made once, when it is first
/// needed, with the recorder that is installed then.
#[derive(Debug)]
pub(crate) struct Instruments {
    /// In the order of [`ROUTES`], and one more for [`NO_ROUTE`].
    routes: Vec<[OfMethod; METHODS.len()]>,
    in_flight: OnceLock<Gauge>,
}

/// The instruments of one route and method.
#[derive(Debug, Default)]
struct OfMethod {
    duration: OnceLock<Histogram>,
    requests: [OnceLock<Counter>; STATUSES.len()],
}

impl Default for Instruments {
    fn default() -> Self {
        Self {
            routes: (0..=ROUTES.len()).map(|_| Default::default()).collect(),
            in_flight: OnceLock::new(),
        }
    }
}

impl Instruments {
    /// Notes that a request was answered.
    fn answered(&self, route: &'static str, method: &Method, status: StatusCode, after: Duration) {
        let place = ROUTES.iter().position(|known| known.path == route);
        let at = method_index(method);
        let method = METHODS[at];
        let instruments = &self.routes[place.unwrap_or(ROUTES.len())][at];
        let (index, status) = status_label(status);
        instruments.requests[index]
            .get_or_init(|| counter!("messenger_http_requests_total", "route" => route, "method" => method, "status" => status))
            .increment(1);
        instruments
            .duration
            .get_or_init(|| histogram!("messenger_http_request_duration_seconds", "route" => route, "method" => method))
            .record(after);
    }

    /// How many requests are in flight.
    pub(crate) fn in_flight(&self) -> &Gauge {
        self.in_flight
            .get_or_init(|| gauge!("messenger_http_requests_in_flight"))
    }
}

fn method_index(method: &Method) -> usize {
    let known = METHODS.iter().position(|known| *known == method.as_str());
    known.unwrap_or(METHODS.len() - 1)
}

/// Where a status is among [`STATUSES`], and its label.
fn status_label(status: StatusCode) -> (usize, &'static str) {
    let known = STATUSES
        .iter()
        .position(|(code, _)| *code == status.as_u16());
    let index = known.unwrap_or(STATUSES.len() - 1);
    (index, STATUSES[index].1)
}

/// Measures one request. When it is dropped without an answer, the client has left.
#[derive(Debug)]
pub(crate) struct Measure<'a> {
    instruments: &'a Instruments,
    start: Instant,
    route: &'static str,
    method: Method,
    answered: bool,
}

impl<'a> Measure<'a> {
    pub(crate) fn start(instruments: &'a Instruments, method: &Method) -> Self {
        Self {
            instruments,
            start: Instant::now(),
            route: NO_ROUTE,
            method: method.clone(),
            answered: false,
        }
    }

    pub(crate) fn route(&mut self, route: &'static str) {
        self.route = route;
    }

    pub(crate) fn answered(mut self, status: StatusCode) {
        self.answered = true;
        self.instruments
            .answered(self.route, &self.method, status, self.start.elapsed());
    }
}

impl Drop for Measure<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let method = METHODS[method_index(&self.method)];
            counter!("messenger_http_requests_aborted_total", "route" => self.route, "method" => method)
                .increment(1);
        }
    }
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
