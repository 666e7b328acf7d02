//! Cross-origin requests of web pages (CORS, in the Fetch standard). Off by default.
//!
//! By hand rather than with `tower-http`, because the methods of a path come from the router.

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::answer::{Answer, Payload};

/// The request headers that calls read, beside those that need no permission.
const ALLOW_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-none-match, last-event-id, x-request-id",
);

/// The response headers that a page may read, beside those that need no permission.
const EXPOSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "allow, etag, idempotent-replayed, link, location, retry-after, www-authenticate, x-request-id",
);

/// The time that a browser remembers the answer to a preflight request, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The permission that the request's origin has.
#[derive(Debug)]
pub(crate) struct Cors {
    /// The value of `Access-Control-Allow-Origin`, if the origin is allowed.
    allow_origin: Option<HeaderValue>,
    /// `true` if the answer depends on the origin.
    varies: bool,
}

impl Cors {
    /// Looks up the origin of a request among those that are allowed.
    pub(crate) fn of(headers: &HeaderMap, allowed: &[String]) -> Self {
        if allowed.is_empty() {
            return Self {
                allow_origin: None,
                varies: false,
            };
        }
        let any = allowed.iter().any(|allowed| allowed == "*");
        let origin = headers.get(header::ORIGIN);
        let is_allowed = |origin: &&HeaderValue| {
            any || allowed
                .iter()
                .any(|allowed| allowed.as_bytes() == origin.as_bytes())
        };
        let allow_origin = origin.filter(is_allowed).map(|origin| match any {
            true => HeaderValue::from_static("*"),
            false => origin.clone(),
        });
        Self {
            allow_origin,
            varies: !any,
        }
    }

    /// Answers a preflight request, by which a browser asks for a path that supports these methods.
    pub(crate) fn preflight(&self, parts: &Parts, allow: &HeaderValue) -> Option<Answer> {
        let is_preflight = parts.method == Method::OPTIONS
            && parts
                .headers
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight || self.allow_origin.is_none() {
            return None;
        }
        let mut response = Response::new(Payload::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(response)
    }

    /// Adds what lets the page read the answer.
    pub(crate) fn apply(self, headers: &mut HeaderMap) {
        if self.varies {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = self.allow_origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSE_HEADERS);
        }
    }
}
