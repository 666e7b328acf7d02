//! Files and documents that stay the same while the server runs.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use serde_json::json;

use super::{Answer, HeaderDoc, Payload, with_type};

/// The policy of a page that loads nothing.
pub(crate) const POLICY_OF_TEXT: HeaderValue = HeaderValue::from_static("default-src 'none'");

/// A file with its ETag.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    media_type: &'static str,
    body: Bytes,
    etag: HeaderValue,
    policy: Option<HeaderValue>,
}

impl Asset {
    pub(crate) fn new(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        Self {
            media_type,
            body,
            // Quotes and hexadecimal digits are always a valid header.
            etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"0\"")),
            policy: None,
        }
    }

    /// Sets the `Content-Security-Policy`.
    pub(crate) fn with_policy(mut self, policy: HeaderValue) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Answers with the file, or with 304 if the client has it.
    pub(crate) fn answer(&self, request: &HeaderMap) -> Answer {
        let mut answer = if self.is_known(request) {
            let mut answer = Response::new(Payload::empty());
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        } else {
            with_type(self.media_type, Payload::Free(self.body.clone()))
        };
        let headers = answer.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(policy) = &self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        answer
    }

    /// Returns whether `If-None-Match` names the ETag: RFC 9110, section 13.1.2, with the weak
    /// comparison, because proxies that compress weaken tags.
    fn is_known(&self, request: &HeaderMap) -> bool {
        let values = request.get_all(header::IF_NONE_MATCH).iter();
        values.filter_map(|value| value.to_str().ok()).any(|value| {
            // The tag holds no comma, so cutting other tags at theirs does no harm.
            value.split(',').map(str::trim).any(|tag| {
                let opaque = tag.strip_prefix("W/").unwrap_or(tag);
                tag == "*" || opaque.as_bytes() == self.etag.as_bytes()
            })
        })
    }
}

pub(crate) static ETAG: HeaderDoc = HeaderDoc {
    name: "ETag",
    description: "Send it in If-None-Match to get 304 while the file is the same.",
    required: true,
    schema: || json!({"type": "string", "pattern": "^\"[0-9a-f]+\"$"}),
};

pub(crate) static CONTENT_SECURITY_POLICY: HeaderDoc = HeaderDoc {
    name: "Content-Security-Policy",
    description: "Allows only what the page needs.",
    required: true,
    schema: || json!({"type": "string"}),
};
