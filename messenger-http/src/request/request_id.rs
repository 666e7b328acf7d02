//! Request ids.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Names a request in its answer, in problems and in the log.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl RequestId {
    const MAX_LEN: usize = 128;

    /// Returns the id in the request's header if it is valid, or a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(id) if Self::is_valid(id.as_bytes()) => Self(id.clone()),
            _ => Self::random(),
        }
    }

    /// Accepts only characters that need no escaping in a log line, a header or a JSON string.
    fn is_valid(id: &[u8]) -> bool {
        (1..=Self::MAX_LEN).contains(&id.len())
            && id
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:+/=@".contains(byte))
    }

    fn random() -> Self {
        let uuid = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        let mut buffer = uuid::Uuid::encode_buffer();
        let text: &str = uuid.hyphenated().encode_lower(&mut buffer);
        // Hexadecimal digits and hyphens are always a valid header.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown")))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_request_ids_are_kept() {
        let is_kept = |id: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_static(id));
            RequestId::of(&headers).as_str() == id
        };
        assert!(is_kept("0190a5a0-0000/7:x"));
        assert!(!is_kept("a b"));
        assert!(!is_kept("<script>"));
        assert!(!is_kept(""));
    }
}
