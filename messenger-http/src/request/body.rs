//! Request bodies: read within the limits, and parsed as JSON.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use messenger_core::Content;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use crate::answer::{Code, Problem};
use crate::schema::Schema;

/// The body of a call that takes one.
#[derive(Debug)]
pub(crate) struct JsonBody {
    pub(crate) schema: &'static Schema,
}

/// A body as it arrives.
#[derive(Debug)]
pub(crate) struct RequestBody<'a, B> {
    body: Pin<&'a mut B>,
    /// `true` if the client sends the body only after it was asked to (`Expect: 100-continue`),
    /// which happens when the body is first read.
    is_held_back: bool,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Unread,
    Ended,
    /// The rest will not be read.
    Abandoned,
}

impl<'a, B> RequestBody<'a, B>
where
    B: Body + Send,
    B::Data: Send,
{
    /// The longest time that an answer waits for the rest of a body that nobody needs.
    const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

    pub(crate) fn new(body: Pin<&'a mut B>, headers: &HeaderMap) -> Self {
        let progress = match body.is_end_stream() {
            true => Progress::Ended,
            false => Progress::Unread,
        };
        let is_held_back = progress == Progress::Unread
            && headers
                .get(header::EXPECT)
                .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self {
            body,
            is_held_back,
            progress,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.progress == Progress::Ended
    }

    /// Gives the body up: where it ends is not certain, or it is too large.
    pub(crate) fn abandon(&mut self) {
        self.progress = Progress::Abandoned;
    }

    /// Reads the whole body.
    pub(crate) async fn read(&mut self, max: usize, time: Duration) -> Result<Bytes, Problem> {
        if self.progress == Progress::Ended {
            return Ok(Bytes::new());
        }
        // Only a body that was read to its end leaves this state.
        self.progress = Progress::Abandoned;
        if self.body.size_hint().lower() > max as u64 {
            return Err(too_large(max));
        }
        let body = Limited::new(self.body.as_mut().map_err(|_| Broken), max);
        let read = tokio::time::timeout(time, body.collect()).await;
        match read {
            Ok(Ok(collected)) => {
                self.progress = Progress::Ended;
                Ok(collected.to_bytes())
            }
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(max)),
            Ok(Err(_)) => Err(Problem::with_detail(
                Code::MalformedBody,
                "The body ended too early, or its framing is wrong.",
            )),
            Err(_) => Err(Problem::new(Code::BodyTimeout)),
        }
    }

    /// Reads what is left and drops it, so that the connection can be used again (RFC 9112, section
    /// 9.3). Returns whether that is so: a body that was given up, is too large, slow or not yet
    /// asked for is left, and its connection must be closed.
    pub(crate) async fn drain(&mut self, max: usize, time: Duration) -> bool {
        let is_small = self.body.size_hint().lower() <= max as u64;
        if self.progress == Progress::Unread && is_small && !self.is_held_back {
            let mut rest = Limited::new(self.body.as_mut().map_err(|_| Broken), max);
            let drain = async {
                while let Some(frame) = rest.frame().await {
                    if frame.is_err() {
                        return false;
                    }
                }
                true
            };
            if let Ok(true) = tokio::time::timeout(time.min(Self::DRAIN_TIMEOUT), drain).await {
                self.progress = Progress::Ended;
            }
        }
        self.has_ended()
    }
}

/// The body's own error says nothing to a client.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body is broken")
    }
}

impl StdError for Broken {}

fn too_large(max: usize) -> Problem {
    let detail = format!(
        "The body must have at most {max} bytes. Content has at most {} bytes, which fit even if \
         each is escaped.",
        Content::MAX_LEN
    );
    Problem::with_detail(Code::BodyTooLarge, detail)
}

/// Refuses a body that is not declared as plain JSON.
pub(crate) fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(is_json);
    let is_encoded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_json && !is_encoded {
        return Ok(());
    }
    let problem = Problem::new(Code::UnsupportedMediaType);
    Err(if is_encoded {
        problem.with_header(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        )
    } else {
        problem
    })
}

/// JSON is always UTF-8, and parameters such as a charset have no effect (RFC 8259, section 11).
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Parses a body. Text that is not JSON, or not of the right types, is malformed (400).
///
/// `shape` is an example. An error names the member it is about and never repeats what was sent.
pub(crate) fn from_json<'a, T: Deserialize<'a>>(body: &'a [u8], shape: &str) -> Result<T, Problem> {
    // The derived code accepts arrays for structs, too.
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    if !is_object {
        return Err(not_an_object(body, shape));
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => wrong_member::<T>(body, &error),
        _ => not_json(&error),
    })
}

fn not_an_object(body: &[u8], shape: &str) -> Problem {
    if body.is_empty() {
        return malformed(format!(
            "The body is empty. Send an object such as {shape}."
        ));
    }
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => malformed(format!("The body must be an object such as {shape}.")),
        Err(error) => not_json(&error),
    }
}

/// The texts of syntax errors are constant but for the place.
fn not_json(error: &serde_json::Error) -> Problem {
    malformed(format!("The body is not JSON: {error}."))
}

fn malformed(detail: String) -> Problem {
    Problem::with_detail(Code::MalformedBody, detail)
}

/// Explains an error about a member. The text of serde may repeat what was sent, so only its
/// constant parts are used: the names of members, and the words after the last `, expected `.
fn wrong_member<'a, T: Deserialize<'a>>(body: &'a [u8], error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let named = |prefix: &str| text.strip_prefix(prefix)?.split('`').next();
    if let Some(name) = named("missing field `") {
        return malformed(format!("{name} is missing."));
    }
    if let Some(name) = named("duplicate field `") {
        return malformed(format!("{name} appears twice. Send it once."));
    }
    let line = error.line();
    let (_, expected) = text.rsplit_once(", expected ").unwrap_or_default();
    let expected = expected.split(" at line ").next().unwrap_or_default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let path = serde_path_to_error::deserialize::<_, T>(&mut deserializer)
        .err()
        .map(|error| error.path().to_string())
        .unwrap_or_default();
    malformed(format!("{path} must be {expected} (line {line})."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_declared_in_many_ways() {
        for media_type in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=utf8",
            "application/json; charset=us-ascii",
            "application/json; boundary=\"a;charset=latin1\"",
            "application/json ; charset=",
        ] {
            assert!(is_json(media_type), "{media_type}");
        }
        for media_type in ["", "text/json", "application/jsonx", "json", ";"] {
            assert!(!is_json(media_type), "{media_type}");
        }
    }
}
