//! From HTTP to the types of core: paths, queries, headers and bodies.
//!
//! Everything is parsed here, once, and refused with what would be right instead.

use std::borrow::Cow;
use std::pin::pin;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http_body::Body;
use matchit::Params;
use messenger_core::{Cursor, Error, IdempotencyKey, Limit, Timestamp};

use crate::config::ServiceConfig;
use crate::problem::{Code, Problem};
use crate::routes::{QueryParam, Route};

/// Names a request in the answer, in problems and in the log.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl RequestId {
    const MAX_LEN: usize = 128;

    /// The id that the request brings along, if it is a sane one, or a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(id) if Self::is_sane(id.as_bytes()) => Self(id.clone()),
            _ => Self::random(),
        }
    }

    /// What can go into a log line, a header and a JSON string as it is.
    fn is_sane(id: &[u8]) -> bool {
        (1..=Self::MAX_LEN).contains(&id.len())
            && id
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:+/=@".contains(byte))
    }

    fn random() -> Self {
        let uuid = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        let mut buffer = uuid::Uuid::encode_buffer();
        let text: &str = uuid.hyphenated().encode_lower(&mut buffer);
        // Hexadecimal digits and hyphens always make a header.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown")))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

/// A request without its body, and what the router knows about it.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) route: &'static Route,
    pub(crate) params: Params<'static, 'a>,
    pub(crate) parts: &'a Parts,
}

impl Head<'_> {
    /// The path parameter of this name, decoded.
    pub(crate) fn text(&self, name: &str) -> Result<Cow<'_, str>, Problem> {
        let raw = self.params.get(name).unwrap_or_default();
        decode(raw, Plus::IsPlus).ok_or_else(|| {
            let detail = format!("{name} in the path is not percent-encoded UTF-8.");
            Problem::with_detail(Code::InvalidId, detail)
        })
    }

    /// The id in the path of this name.
    pub(crate) fn id<T: FromStr<Err = Error>>(&self, name: &str) -> Result<T, Problem> {
        Ok(self.text(name)?.parse()?)
    }

    /// The query of the request.
    pub(crate) fn query(&self) -> Result<Query, Problem> {
        Query::parse(self.parts.uri.query().unwrap_or_default(), self.route.query)
    }
}

/// The query parameters of all calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) limit: Option<Limit>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) before: Option<Timestamp>,
}

impl Query {
    fn parse(raw: &str, known: &[QueryParam]) -> Result<Self, Problem> {
        let mut query = Self::default();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, Plus::IsSpace).ok_or_else(not_utf8)?;
            let value = decode(value, Plus::IsSpace).ok_or_else(not_utf8)?;
            let param = known
                .iter()
                .copied()
                .find(|param| param.name() == name)
                .ok_or_else(|| unknown_parameter(&name, known))?;
            let twice = match param {
                QueryParam::Limit => query.limit.replace(limit(&value)?).is_some(),
                QueryParam::Cursor => query.cursor.replace(value.parse()?).is_some(),
                QueryParam::BeforeTimestamp => query.before.replace(time(&value)?).is_some(),
            };
            if twice {
                let detail = format!("{name} is in the query twice; send it once.");
                return Err(Problem::with_detail(Code::InvalidQuery, detail));
            }
        }
        Ok(query)
    }
}

fn not_utf8() -> Problem {
    Problem::with_detail(
        Code::InvalidQuery,
        "The query is not percent-encoded UTF-8: after each % come two hexadecimal digits.",
    )
}

fn unknown_parameter(name: &str, known: &[QueryParam]) -> Problem {
    let names: Vec<_> = known.iter().map(|param| param.name()).collect();
    let takes = match names.as_slice() {
        [] => "no query parameters".to_owned(),
        [one] => format!("only {one}"),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    };
    // What was sent is repeated as long as it may well be a misspelled name.
    let detail = if name.len() <= 32 {
        format!("There is no query parameter {name:?} here; this call takes {takes}.")
    } else {
        format!("There is an unknown query parameter; this call takes {takes}.")
    };
    Problem::with_detail(Code::InvalidQuery, detail)
}

fn limit(value: &str) -> Result<Limit, Problem> {
    // Only digits: `parse` would take a plus sign too.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| value.parse().ok()).flatten();
    Ok(Limit::new(number.unwrap_or(0))?)
}

fn time(value: &str) -> Result<Timestamp, Problem> {
    value.parse().map_err(|error| {
        if value.contains(' ') && value.replace(' ', "+").parse::<Timestamp>().is_ok() {
            return Problem::with_detail(
                Code::InvalidTimestamp,
                "before_timestamp holds a space where its offset should begin: a + in a query \
                 stands for a space, so write it as %2B, or send the time in UTC with a Z.",
            );
        }
        Problem::of_input(Code::InvalidTimestamp, &error)
    })
}

/// What a `+` stands for: in a query a space, as HTML forms write it.
#[derive(Clone, Copy, Debug)]
enum Plus {
    IsPlus,
    IsSpace,
}

/// Decodes percent-encoding; `None` for what is no encoding of UTF-8.
fn decode(raw: &str, plus: Plus) -> Option<Cow<'_, str>> {
    let is_special = |byte| byte == b'%' || byte == b'+' && matches!(plus, Plus::IsSpace);
    if !raw.bytes().any(is_special) {
        return Some(Cow::Borrowed(raw));
    }
    let mut bytes = raw.bytes();
    let mut text = Vec::with_capacity(raw.len());
    while let Some(byte) = bytes.next() {
        text.push(match (byte, plus) {
            (b'%', _) => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            (b'+', Plus::IsSpace) => b' ',
            _ => byte,
        });
    }
    String::from_utf8(text).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    // A hexadecimal digit is less than 16.
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// The key under which a message is to be sent once.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let invalid = || Problem::new(Code::InvalidIdempotencyKey);
    if values.next().is_some() {
        return Err(Problem::with_detail(
            Code::InvalidIdempotencyKey,
            "There is more than one Idempotency-Key header; send one.",
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
    Ok(Some(IdempotencyKey::new(key)?))
}

/// The rest of a string of structured fields (RFC 9651, section 3.3.3), after its first quote. This
/// is the form of the header in the IETF draft.
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

/// Refuses a body that is not declared as JSON.
pub(crate) fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(is_json);
    is_json
        .then_some(())
        .ok_or_else(|| Problem::new(Code::UnsupportedMediaType))
}

fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    // JSON is UTF-8 (RFC 8259, section 8.1). Other parameters mean nothing.
    is_json
        && parts
            .filter_map(|param| param.split_once('='))
            .all(|(name, value)| {
                !name.trim().eq_ignore_ascii_case("charset")
                    || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
}

/// Reads the whole body, within the limits of size and time.
pub(crate) async fn read_body<B: Body + Send>(
    body: B,
    config: &ServiceConfig,
) -> Result<Bytes, Problem>
where
    B::Data: Send,
{
    let max = config.max_body_size;
    if body.size_hint().lower() > max as u64 {
        return Err(body_too_large(max));
    }
    tokio::time::timeout(config.body_timeout, collect(body, max))
        .await
        .unwrap_or_else(|_| Err(Problem::new(Code::BodyTimeout)))
}

async fn collect<B: Body + Send>(body: B, max: usize) -> Result<Bytes, Problem>
where
    B::Data: Send,
{
    use bytes::Buf;

    let mut body = pin!(body);
    let mut whole = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| {
            Problem::with_detail(
                Code::MalformedBody,
                "The body ended too early, or its framing is wrong.",
            )
        })?;
        // Trailers say nothing here.
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        let len = data.remaining();
        if whole.len() + joined.len() + len > max {
            return Err(body_too_large(max));
        }
        let data = data.copy_to_bytes(len);
        // Most bodies come in one piece, which is not copied.
        if whole.is_empty() && joined.is_empty() {
            whole = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&std::mem::take(&mut whole));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() {
        whole
    } else {
        joined.freeze()
    })
}

fn body_too_large(max: usize) -> Problem {
    let detail = format!(
        "The body must have at most {max} bytes. Content has at most 20000, which fit even where \
         each is escaped."
    );
    Problem::with_detail(Code::BodyTooLarge, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_strict() {
        let path = |raw| decode(raw, Plus::IsPlus);
        assert_eq!(path("a%40b").as_deref(), Some("a@b"));
        assert_eq!(path("a+b").as_deref(), Some("a+b"));
        assert_eq!(decode("a+b%2B", Plus::IsSpace).as_deref(), Some("a b+"));
        assert_eq!(path("%C3%A9").as_deref(), Some("é"));
        for raw in ["%", "%4", "%zz", "%+4", "%ff", "a%C3"] {
            assert_eq!(path(raw), None, "{raw}");
        }
    }

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

    #[test]
    fn json_is_declared_in_many_ways() {
        for media_type in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json; profile=x",
        ] {
            assert!(is_json(media_type), "{media_type}");
        }
        for media_type in [
            "",
            "text/json",
            "application/jsonx",
            "application/json; charset=latin1",
        ] {
            assert!(!is_json(media_type), "{media_type}");
        }
    }

    #[test]
    fn only_sane_request_ids_are_taken_over() {
        let taken = |id: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_static(id));
            RequestId::of(&headers).as_str() == id
        };
        assert!(taken("0190a5a0-0000/7:x"));
        assert!(!taken("a b"));
        assert!(!taken("<script>"));
        assert!(!taken(""));
    }
}
