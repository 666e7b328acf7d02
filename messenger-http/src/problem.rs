//! Problem documents (RFC 9457), and the one table of everything that can go wrong.
//!
//! What a client reads and what the log gets are kept apart: `detail` is written for the client, or
//! is the message of an error about the client's own input. The source of an error only goes to
//! the log, with the request id.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use messenger_core::{Error, ErrorKind, MessageId, Outcome, Subject};
use serde::Serialize;

/// What went wrong, by name. Each is a row of [`Code::info`] and a page under `/problems/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    MalformedBody,
    InvalidCursor,
    ForeignCursor,
    InvalidLimit,
    InvalidTimestamp,
    InvalidId,
    InvalidQuery,
    InvalidIdempotencyKey,
    NotFound,
    ConversationNotFound,
    MessageNotFound,
    MethodNotAllowed,
    BodyTimeout,
    BodyTooLarge,
    ContentTooLarge,
    UnsupportedMediaType,
    InvalidUserId,
    InvalidContent,
    SelfMessage,
    IdempotencyKeyReused,
    Internal,
    Overloaded,
    Unavailable,
    Timeout,
    NotReady,
    OutcomeUnknown,
}

/// A row of the table of problems.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    /// What it means and what to do, where the problem itself has nothing more exact to say.
    pub(crate) advice: &'static str,
}

impl Code {
    pub(crate) const ALL: [Self; 26] = [
        Self::MalformedBody,
        Self::InvalidCursor,
        Self::ForeignCursor,
        Self::InvalidLimit,
        Self::InvalidTimestamp,
        Self::InvalidId,
        Self::InvalidQuery,
        Self::InvalidIdempotencyKey,
        Self::NotFound,
        Self::ConversationNotFound,
        Self::MessageNotFound,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::BodyTooLarge,
        Self::ContentTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidUserId,
        Self::InvalidContent,
        Self::SelfMessage,
        Self::IdempotencyKeyReused,
        Self::Internal,
        Self::Overloaded,
        Self::Unavailable,
        Self::Timeout,
        Self::NotReady,
        Self::OutcomeUnknown,
    ];

    /// The code of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.info().name == name)
    }

    pub(crate) const fn info(self) -> &'static Info {
        macro_rules! row {
            ($name:literal, $status:ident, $title:literal, $advice:literal) => {
                &Info {
                    name: $name,
                    status: StatusCode::$status,
                    title: $title,
                    advice: $advice,
                }
            };
        }
        match self {
            Self::MalformedBody => row!(
                "malformed_body",
                BAD_REQUEST,
                "The body cannot be read",
                "The body must be one JSON object, with every member of the right type and none \
                 twice."
            ),
            Self::InvalidCursor => row!(
                "invalid_cursor",
                BAD_REQUEST,
                "This is not a cursor",
                "A cursor is opaque: send one back exactly as a page gave it, or none for the \
                 first page."
            ),
            Self::ForeignCursor => row!(
                "foreign_cursor",
                BAD_REQUEST,
                "The cursor belongs to another list",
                "A cursor only works for the conversation, or the user's inbox, whose page gave \
                 it. Send none for the first page."
            ),
            Self::InvalidLimit => row!(
                "invalid_limit",
                BAD_REQUEST,
                "The limit is not valid",
                "A limit is a whole number from 1 to 100."
            ),
            Self::InvalidTimestamp => row!(
                "invalid_timestamp",
                BAD_REQUEST,
                "The timestamp is missing or not valid",
                "A timestamp is RFC 3339 with an offset, such as 2026-11-23T09:30:00Z. A + in a \
                 query must be written as %2B."
            ),
            Self::InvalidId => row!(
                "invalid_id",
                BAD_REQUEST,
                "An id in the path is not valid",
                "Conversation and message ids are UUIDs of 36 characters. A user id has 1 to 128 \
                 ASCII letters, digits and -._~@:+= and is neither . nor .. itself."
            ),
            Self::InvalidQuery => row!(
                "invalid_query",
                BAD_REQUEST,
                "The query is not valid",
                "Every query parameter must be one that the call knows, be there at most once, \
                 and be percent-encoded UTF-8. An unknown one is refused, so that nobody takes \
                 the first page for the one asked for."
            ),
            Self::InvalidIdempotencyKey => row!(
                "invalid_idempotency_key",
                BAD_REQUEST,
                "The idempotency key is not valid",
                "Send one Idempotency-Key header of 1 to 255 visible ASCII characters, such as a \
                 UUID, bare or in double quotes."
            ),
            Self::NotFound => row!(
                "not_found",
                NOT_FOUND,
                "There is nothing under this path",
                "The calls there are: /openapi.json."
            ),
            Self::ConversationNotFound => row!(
                "conversation_not_found",
                NOT_FOUND,
                "There is no such conversation",
                "A conversation exists from its first message on. Check the id, or send a message."
            ),
            Self::MessageNotFound => row!(
                "message_not_found",
                NOT_FOUND,
                "There is no such message",
                "The conversation does not exist or has no message with this id."
            ),
            Self::MethodNotAllowed => row!(
                "method_not_allowed",
                METHOD_NOT_ALLOWED,
                "The method does not work here",
                "The Allow header lists the methods that do."
            ),
            Self::BodyTimeout => row!(
                "body_timeout",
                REQUEST_TIMEOUT,
                "The body took too long",
                "The request's body did not arrive in time, and nothing was done. Send it again."
            ),
            Self::BodyTooLarge => row!(
                "body_too_large",
                PAYLOAD_TOO_LARGE,
                "The body is too large",
                "Content has at most 20000 bytes, which fit into the largest body even where each \
                 is escaped."
            ),
            Self::ContentTooLarge => row!(
                "content_too_large",
                PAYLOAD_TOO_LARGE,
                "The content is too large",
                "Content has at most 20000 bytes of UTF-8. Send it in several messages."
            ),
            Self::UnsupportedMediaType => row!(
                "unsupported_media_type",
                UNSUPPORTED_MEDIA_TYPE,
                "The body is not declared as JSON",
                "Send the body with Content-Type: application/json, in UTF-8."
            ),
            Self::InvalidUserId => row!(
                "invalid_user_id",
                UNPROCESSABLE_ENTITY,
                "A user id is not valid",
                "A user id has 1 to 128 ASCII letters, digits and -._~@:+= and is neither . nor \
                 .. itself, or is an unsigned 64-bit integer."
            ),
            Self::InvalidContent => row!(
                "invalid_content",
                UNPROCESSABLE_ENTITY,
                "The content is not valid",
                "Content must not be empty or only white space."
            ),
            Self::SelfMessage => row!(
                "self_message",
                UNPROCESSABLE_ENTITY,
                "Sender and receiver are the same",
                "A message goes from one user to another."
            ),
            Self::IdempotencyKeyReused => row!(
                "idempotency_key_reused",
                UNPROCESSABLE_ENTITY,
                "The idempotency key stands for another message",
                "The sender has used the key for another receiver or content. Send this message \
                 under a new key."
            ),
            Self::Internal => row!(
                "internal",
                INTERNAL_SERVER_ERROR,
                "The server made a mistake",
                "This is a defect of the server, not of the request. Tell those who run it the \
                 request_id."
            ),
            Self::Overloaded => row!(
                "overloaded",
                SERVICE_UNAVAILABLE,
                "There is too much to do",
                "Nothing was done. Send the request again after the seconds in Retry-After, and \
                 wait longer each time."
            ),
            Self::Unavailable => row!(
                "unavailable",
                SERVICE_UNAVAILABLE,
                "The store cannot be reached",
                "Nothing was done. Send the request again after the seconds in Retry-After."
            ),
            Self::Timeout => row!(
                "timeout",
                SERVICE_UNAVAILABLE,
                "The store did not answer in time",
                "Nothing was done. Send the request again after the seconds in Retry-After."
            ),
            Self::NotReady => row!(
                "not_ready",
                SERVICE_UNAVAILABLE,
                "The server is not ready",
                "It is about to stop, or its store cannot be reached. Send requests to another \
                 one."
            ),
            Self::OutcomeUnknown => row!(
                "outcome_unknown",
                GATEWAY_TIMEOUT,
                "It is not known whether the message was sent",
                "The message may be there now or later, or never. A request with an \
                 Idempotency-Key can be sent again with the same key, and makes one message \
                 only. Without a key, look for the message_id before you send again."
            ),
        }
    }
}

/// What is answered instead of what was asked for.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    message_id: Option<MessageId>,
    allow: Option<&'static HeaderValue>,
    /// For the log.
    cause: Option<Error>,
}

impl Problem {
    /// The problem with the table's own advice.
    pub(crate) fn new(code: Code) -> Self {
        Self::with_detail(code, code.info().advice)
    }

    pub(crate) fn with_detail(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            message_id: None,
            allow: None,
            cause: None,
        }
    }

    /// An error about an input, named where it came from.
    pub(crate) fn of_input(code: Code, error: &Error) -> Self {
        Self::with_detail(code, sentence(error.message()))
    }

    pub(crate) fn method_not_allowed(allow: &'static HeaderValue) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(Code::MethodNotAllowed)
        }
    }

    /// A send that is still going on when its time is over.
    pub(crate) fn outcome_unknown(message_id: Option<MessageId>) -> Self {
        Self {
            message_id,
            ..Self::new(Code::OutcomeUnknown)
        }
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// What the log should know and the client should not.
    pub(crate) fn cause(&self) -> Option<&Error> {
        self.cause.as_ref()
    }

    /// Makes `/health/ready` of any error.
    pub(crate) fn not_ready(cause: Error) -> Self {
        Self {
            cause: Some(cause),
            ..Self::new(Code::NotReady)
        }
    }

    pub(crate) fn into_response(self, request_id: &str) -> Response<Bytes> {
        let info = self.code.info();
        let document = Document {
            r#type: ProblemType(info.name),
            title: info.title,
            status: info.status.as_u16(),
            code: info.name,
            detail: &self.detail,
            message_id: self.message_id,
            request_id,
        };
        // A struct of strings and numbers always serializes.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = info.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, allow.clone());
        }
        if info.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if matches!(self.code, Code::BodyTimeout | Code::BodyTooLarge) {
            // The rest of the body is not read, so the connection cannot be used again.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The status follows from the kind of the error, its subject, and the outcome of the write.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if let Some(code) = input_code(&error) {
            return Self::of_input(code, &error);
        }
        let unknown = error.outcome() == Some(Outcome::Unknown);
        let code = match error.kind() {
            ErrorKind::Overloaded | ErrorKind::Unavailable | ErrorKind::Timeout if unknown => {
                Code::OutcomeUnknown
            }
            ErrorKind::Overloaded => Code::Overloaded,
            ErrorKind::Unavailable => Code::Unavailable,
            ErrorKind::Timeout => Code::Timeout,
            // An error about no input in particular that blames the input is a store's mistake.
            _ => Code::Internal,
        };
        let mut problem = Self::new(code);
        if unknown {
            problem.message_id = error.message_id();
        }
        problem.cause = Some(error);
        problem
    }
}

/// The row for an error that the client's input made.
fn input_code(error: &Error) -> Option<Code> {
    let code = match (error.kind(), error.subject()?) {
        (ErrorKind::Malformed, Subject::Cursor) => Code::InvalidCursor,
        (ErrorKind::Malformed, Subject::CursorScope) => Code::ForeignCursor,
        (ErrorKind::Malformed, Subject::Limit) => Code::InvalidLimit,
        (ErrorKind::Malformed, Subject::Timestamp) => Code::InvalidTimestamp,
        (ErrorKind::Malformed, Subject::IdempotencyKey) => Code::InvalidIdempotencyKey,
        (ErrorKind::Malformed, Subject::UserId | Subject::ConversationId | Subject::MessageId) => {
            Code::InvalidId
        }
        (ErrorKind::Invalid, Subject::Content) => Code::InvalidContent,
        (ErrorKind::Invalid, Subject::Participants) => Code::SelfMessage,
        (ErrorKind::TooLarge, Subject::Content) => Code::ContentTooLarge,
        (ErrorKind::KeyReused, _) => Code::IdempotencyKeyReused,
        _ => return None,
    };
    Some(code)
}

/// Messages of core are in lower case and without a full stop; a detail is prose.
fn sentence(message: &str) -> String {
    let mut text = String::with_capacity(message.len() + 1);
    let mut chars = message.chars();
    text.extend(chars.next().map(|first| first.to_ascii_uppercase()));
    text.push_str(chars.as_str());
    text.push('.');
    text
}

/// The problem document on the wire.
#[derive(Serialize)]
struct Document<'a> {
    r#type: ProblemType,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<MessageId>,
    request_id: &'a str,
}

/// `/problems/{code}`: a page that the server itself has.
struct ProblemType(&'static str);

impl Serialize for ProblemType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("/problems/{}", self.0))
    }
}

/// The page that the `type` of a problem leads to.
pub(crate) fn page(name: &str) -> Result<Response<Bytes>, Problem> {
    let code = Code::named(name).ok_or_else(|| {
        Problem::with_detail(
            Code::NotFound,
            "There is no problem of this name. /openapi.json lists those that there are.",
        )
    })?;
    let Info {
        name,
        status,
        title,
        advice,
    } = code.info();
    let status = status.as_u16();
    // Nothing in it comes from the request, so there is nothing to escape.
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <h1>{title}</h1>\n<p>Status {status}, code <code>{name}</code></p>\n<p>{advice}</p>\n\
         </html>\n"
    );
    let mut response = Response::new(Bytes::from(html));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'"),
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once() {
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index, "{code:?}");
            assert_eq!(Code::named(code.info().name), Some(code));
        }
    }

    #[test]
    fn the_outcome_of_a_write_makes_the_status() {
        let status = |error: Error| Problem::from(error).code().info().status.as_u16();
        for kind in [
            ErrorKind::Overloaded,
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
        ] {
            let error = || Error::new(kind, "secret");
            assert_eq!(status(error()), 503);
            assert_eq!(status(error().with_outcome(Outcome::NotApplied)), 503);
            assert_eq!(status(error().with_outcome(Outcome::Unknown)), 504);
        }
        for kind in [
            ErrorKind::Corrupt,
            ErrorKind::Internal,
            // Without a subject these are not about the client's input.
            ErrorKind::Malformed,
            ErrorKind::Invalid,
        ] {
            assert_eq!(status(Error::new(kind, "secret")), 500);
        }
    }
}
