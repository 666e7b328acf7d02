//! The `Idempotency-Key` header.

use std::borrow::Cow;

use http::HeaderMap;
use messenger_core::IdempotencyKey;
use serde_json::json;

use super::HeaderParam;
use crate::answer::{Code, Problem};

pub(crate) static IDEMPOTENCY_KEY: HeaderParam = HeaderParam {
    name: "Idempotency-Key",
    description: || {
        format!(
            "Makes repeating the request safe: all requests of a sender with the same key make one \
             message. Keys are kept for 24 hours. 1 to {} visible ASCII characters, such as a \
             UUID, bare or in double quotes.",
            IdempotencyKey::MAX_LEN
        )
    },
    schema: || {
        json!({
            "type": "string",
            "minLength": 1,
            "maxLength": IdempotencyKey::MAX_LEN,
            "pattern": "^[!#-~][!-~]*$",
        })
    },
};

/// Returns the key under which a message is sent once.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let invalid = || Problem::new(Code::InvalidIdempotencyKey);
    if values.next().is_some() {
        return Err(Problem::with_detail(
            Code::InvalidIdempotencyKey,
            "The request has more than one Idempotency-Key header. Send one.",
        ));
    }
    let value = value
        .to_str()
        .map_err(|_| invalid())?
        .trim_matches([' ', '\t']);
    let key = match value.strip_prefix('"') {
        Some(quoted) => unquote(quoted).ok_or_else(invalid)?,
        None => Cow::Borrowed(value),
    };
    IdempotencyKey::new(key)
        .map(Some)
        .map_err(Problem::of_input)
}

/// Reads the rest of a string of structured fields (RFC 9651, section 3.3.3) after its first quote.
/// The IETF draft writes the header in this form.
fn unquote(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_suffix('"')?;
    if !inner.contains(['\\', '"']) {
        return Some(Cow::Borrowed(inner));
    }
    let mut chars = inner.chars();
    let mut text = String::with_capacity(inner.len());
    while let Some(char) = chars.next() {
        match char {
            '\\' => text.push(chars.next().filter(|next| ['\\', '"'].contains(next))?),
            '"' => return None,
            char => text.push(char),
        }
    }
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_quoted_key_is_the_same_key() {
        let key = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", HeaderValue::from_str(value).unwrap());
            idempotency_key(&headers)
                .ok()
                .flatten()
                .map(|key| key.as_str().to_owned())
        };
        assert_eq!(key("k-1").as_deref(), Some("k-1"));
        assert_eq!(key("\"k-1\"").as_deref(), Some("k-1"));
        assert_eq!(key(" \"k\\\"\\\\\" ").as_deref(), Some("k\"\\"));
        for value in [
            "", "\"", "\"\"", "\"a\"b", "\"a", "\"a\\x\"", "\"a\"b\"", "a b", "\"a b\"",
        ] {
            assert_eq!(key(value), None, "{value}");
        }
    }
}
