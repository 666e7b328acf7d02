//! Measurements: requests by route, method and status, never by id.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ::metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use http::{Method, StatusCode};

/// Bounds of the buckets of all latencies of the messenger, in seconds: half a millisecond to 10
/// seconds. Without buckets an exporter may make summaries, which cannot be added up over servers.
pub const LATENCY_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The label of requests whose path belongs to no call.
pub(crate) const NO_ROUTE: &str = "none";

const REQUESTS: &str = "messenger_http_requests_total";
const DURATION: &str = "messenger_http_request_duration_seconds";
const IN_FLIGHT: &str = "messenger_http_requests_in_flight";
const ABORTED: &str = "messenger_http_requests_aborted_total";
const SHED: &str = "messenger_http_requests_shed_total";
const CONNECTIONS: &str = "messenger_http_connections";
const ACCEPT_ERRORS: &str = "messenger_http_accept_errors_total";

/// Methods as labels: a client may invent others.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
];

/// The labels of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels {
    pub(crate) route: &'static str,
    pub(crate) method: &'static str,
    /// `true` if the call is refused under overload.
    pub(crate) is_limited: bool,
}

/// The limit at which a request was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shed {
    Requests,
    Bytes,
    Followers,
    User,
}

impl Shed {
    const ALL: [Self; 4] = [Self::Requests, Self::Bytes, Self::Followers, Self::User];

    fn label(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Bytes => "response_bytes",
            Self::Followers => "followers",
            Self::User => "user",
        }
    }
}

/// The instruments of a service.
///
/// The macros of the facade build a key of name and labels and look it up in the recorder each time,
/// which costs as much as a good part of a page. So each instrument is created once, on first use,
/// with the recorder that is installed then.
#[derive(Debug)]
pub(crate) struct Instruments {
    calls: Vec<Labels>,
    statuses: Vec<StatusCode>,
    /// One for each path, and the last one for [`NO_ROUTE`].
    routes: Vec<Route>,
    in_flight: OnceLock<Gauge>,
    registered: OnceLock<()>,
}

#[derive(Debug)]
struct Route {
    label: &'static str,
    methods: [OfMethod; METHODS.len()],
}

/// The instruments of one route and method.
#[derive(Debug)]
struct OfMethod {
    duration: OnceLock<Histogram>,
    /// In the order of [`Instruments::statuses`].
    requests: Vec<OnceLock<Counter>>,
}

impl Instruments {
    /// Creates the instruments of these calls, which answer with these statuses.
    pub(crate) fn new(calls: Vec<Labels>, statuses: Vec<StatusCode>) -> Self {
        let mut labels = Vec::new();
        for label in calls.iter().map(|call| call.route).chain([NO_ROUTE]) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        let routes = labels.into_iter().map(|label| Route {
            label,
            methods: std::array::from_fn(|_| OfMethod {
                duration: OnceLock::new(),
                requests: statuses.iter().map(|_| OnceLock::new()).collect(),
            }),
        });
        Self {
            routes: routes.collect(),
            calls,
            statuses,
            in_flight: OnceLock::new(),
            registered: OnceLock::new(),
        }
    }

    /// Describes everything, and registers counters at zero: a counter that appears with its first
    /// event hides that event from `increase()`.
    fn register(&self) {
        self.registered.get_or_init(|| {
            describe_counter!(REQUESTS, "Requests answered.");
            describe_histogram!(
                DURATION,
                Unit::Seconds,
                "Time from a request's head to its answer."
            );
            describe_gauge!(IN_FLIGHT, "Requests being worked on.");
            describe_counter!(ABORTED, "Requests whose client left before the answer.");
            describe_counter!(
                SHED,
                "Requests refused under overload, or from users who make too many, by the limit reached."
            );
            describe_gauge!(CONNECTIONS, "Open connections.");
            describe_counter!(ACCEPT_ERRORS, "Failures to accept a connection.");
            counter!(ACCEPT_ERRORS).absolute(0);
            for call in &self.calls {
                counter!(ABORTED, "route" => call.route, "method" => call.method).absolute(0);
                if call.is_limited {
                    for limit in Shed::ALL {
                        shed_counter(call.route, limit).absolute(0);
                    }
                }
            }
        });
    }

    fn answered(&self, route: &'static str, method: &Method, status: StatusCode, after: Duration) {
        let place = self.routes.iter().position(|known| known.label == route);
        let route = &self.routes[place.unwrap_or(self.routes.len() - 1)];
        let at = method_index(method);
        let (label, method, instruments) = (route.label, METHODS[at], &route.methods[at]);
        let count = || {
            let status = status.as_str().to_owned();
            counter!(REQUESTS, "route" => label, "method" => method, "status" => status)
        };
        match self.statuses.iter().position(|known| *known == status) {
            Some(index) => instruments.requests[index].get_or_init(count).increment(1),
            None => count().increment(1),
        }
        instruments
            .duration
            .get_or_init(|| histogram!(DURATION, "route" => label, "method" => method))
            .record(after);
    }

    /// Returns the gauge of requests in flight.
    pub(crate) fn in_flight(&self) -> &Gauge {
        self.in_flight.get_or_init(|| gauge!(IN_FLIGHT))
    }
}

fn method_index(method: &Method) -> usize {
    let known = METHODS.iter().position(|known| *known == method.as_str());
    known.unwrap_or(METHODS.len() - 1)
}

/// Measures one request. If it is dropped without an answer, the client has left.
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
        instruments.register();
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
            counter!(ABORTED, "route" => self.route, "method" => method).increment(1);
        }
    }
}

fn shed_counter(route: &'static str, limit: Shed) -> Counter {
    counter!(SHED, "route" => route, "limit" => limit.label())
}

pub(crate) fn shed(route: &'static str, limit: Shed) {
    shed_counter(route, limit).increment(1);
}

pub(crate) fn connections(change: f64) {
    gauge!(CONNECTIONS).increment(change);
}

pub(crate) fn accept_error() {
    counter!(ACCEPT_ERRORS).increment(1);
}
