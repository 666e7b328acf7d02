//! Problem documents (RFC 9457), and the table of everything that can go wrong.
//!
//! Text for the client and text for the log are kept apart: `detail` is written for the client, or
//! is the message of an error about the client's own input. The source of an error goes only to the
//! log, together with the request id.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use messenger_core::{
    Content, ConversationId, Error, ErrorKind, IdempotencyKey, Limit, MessageId, Outcome, Subject,
    UserId,
};
use serde::Serialize;
use serde_json::json;

use super::{Answer, Payload};
use crate::schema::{self, MESSAGE_ID, Schema};

/// A row of the table of problems.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    /// The meaning and the remedy, where the problem itself has nothing more exact to say.
    pub(crate) advice: Cow<'static, str>,
}

/// Defines the codes and their table from the same rows.
macro_rules! problems {
    ($($code:ident: $status:ident, $name:literal, $title:literal, $advice:expr;)+) => {
        /// A kind of problem. Each is a row of the table and a page under `/problems/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Code {
            $($code,)+
        }

        impl Code {
            pub(crate) const ALL: &[Self] = &[$(Self::$code,)+];

            /// Returns the row of this code.
            pub(crate) fn info(self) -> &'static Info {
                static TABLE: LazyLock<Vec<Info>> = LazyLock::new(|| vec![$(Info {
                    name: $name,
                    status: StatusCode::$status,
                    title: $title,
                    advice: Cow::from($advice),
                },)+]);
                &TABLE[self as usize]
            }
        }
    };
}

problems! {
    MalformedRequest: BAD_REQUEST, "malformed_request",
        "The request is not valid HTTP",
        "Send one Host header, and no Transfer-Encoding but a single chunked.";
    MalformedBody: BAD_REQUEST, "malformed_body",
        "The body is not valid",
        "Send one JSON object in which every member has the right type and appears once.";
    InvalidCursor: BAD_REQUEST, "invalid_cursor",
        "The cursor is not valid",
        "Cursors are opaque. Send one exactly as a page returned it, or none for the first page.";
    ForeignCursor: BAD_REQUEST, "foreign_cursor",
        "The cursor is for another query",
        "A cursor works only for the list whose page returned it. Send none for the first page.";
    InvalidLimit: BAD_REQUEST, "invalid_limit",
        "The limit is not valid",
        format!("A limit is a whole number from {} to {}.", Limit::MIN, Limit::MAX);
    InvalidTimestamp: BAD_REQUEST, "invalid_timestamp",
        "The timestamp is missing or not valid",
        "A timestamp is RFC 3339 with an offset, such as 2026-11-23T09:30:00Z. Write a + in a \
         query as %2B.";
    InvalidId: BAD_REQUEST, "invalid_id",
        "An id in the path is not valid",
        format!("Conversation and message ids are UUIDs of 36 characters. {}", user_id_rule());
    InvalidQuery: BAD_REQUEST, "invalid_query",
        "The query is not valid",
        "Send only query parameters that the call knows, each once, in percent-encoded UTF-8. \
         Unknown ones are refused, so that a misspelled cursor does not return the first page.";
    InvalidIdempotencyKey: BAD_REQUEST, "invalid_idempotency_key",
        "The idempotency key is not valid",
        format!(
            "Send one Idempotency-Key header of 1 to {} visible ASCII characters, such as a UUID, \
             bare or in double quotes.",
            IdempotencyKey::MAX_LEN
        );
    Unauthenticated: UNAUTHORIZED, "unauthenticated",
        "The request does not say who makes it",
        "Send a valid token: Authorization: Bearer, a space and the token.";
    NotYours: FORBIDDEN, "not_yours",
        "The request names another user",
        "A user acts only as themself. Leave the user id out, or send your own.";
    NotAllowed: FORBIDDEN, "not_allowed",
        "The policy of the service does not allow it",
        "Nothing was done.";
    NotFound: NOT_FOUND, "not_found",
        "Nothing has this path",
        "The OpenAPI document lists the calls.";
    NotSender: FORBIDDEN, "not_sender",
        "The user did not send the message",
        "Only the sender of a message may edit or unsend it.";
    ConversationNotFound: NOT_FOUND, "conversation_not_found",
        "The conversation does not exist",
        "A conversation exists from its first message on. Check the id, or send a message.";
    MessageNotFound: NOT_FOUND, "message_not_found",
        "The message does not exist",
        "The conversation does not exist or has no message with this id.";
    MessageUnsent: CONFLICT, "message_unsent",
        "The message was unsent",
        "An unsent message cannot be edited. Send a new one.";
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method_not_allowed",
        "The path does not support this method",
        "The Allow header lists the methods that the path supports.";
    BodyTimeout: REQUEST_TIMEOUT, "body_timeout",
        "The body took too long to arrive",
        "Nothing was done. Send the request again.";
    BodyTooLarge: PAYLOAD_TOO_LARGE, "body_too_large",
        "The body is too large",
        format!(
            "Content has at most {} bytes, which fit into the largest body even if each is \
             escaped.",
            Content::MAX_LEN
        );
    ContentTooLarge: PAYLOAD_TOO_LARGE, "content_too_large",
        "The content is too large",
        format!(
            "Content has at most {} bytes of UTF-8. Send it in several messages.",
            Content::MAX_LEN
        );
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type",
        "The body is not plain JSON",
        "Send the body with Content-Type: application/json and without Content-Encoding.";
    MisdirectedRequest: MISDIRECTED_REQUEST, "misdirected_request",
        "The server does not answer for this host",
        "The Host header must name a host that the server is configured to answer for.";
    InvalidUserId: UNPROCESSABLE_ENTITY, "invalid_user_id",
        "A user id is not valid",
        format!("{} An unsigned 64-bit integer is a user id, too.", user_id_rule());
    InvalidContent: UNPROCESSABLE_ENTITY, "invalid_content",
        "The content is not valid",
        "Content must not be empty or only white space.";
    SelfMessage: UNPROCESSABLE_ENTITY, "self_message",
        "Sender and receiver are the same",
        "Send the message to another user.";
    InvalidReadMarker: UNPROCESSABLE_ENTITY, "invalid_read_marker",
        "The read marker is not valid",
        "up_to is the id of a message of the conversation.";
    EditWindowOver: UNPROCESSABLE_ENTITY, "edit_window_over",
        "The message can no longer be edited",
        "The message is too old. Unsend it, or send a new one.";
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "idempotency_key_reused",
        "The idempotency key was used for another message",
        "The sender has used the key for another receiver or content. Send this message under a \
         new key.";
    TooManyRequests: TOO_MANY_REQUESTS, "too_many_requests",
        "The user makes too many requests",
        "Nothing was done. Send the request again after the time in Retry-After.";
    Internal: INTERNAL_SERVER_ERROR, "internal",
        "The server failed",
        "This is a defect of the server, not of the request. Report the request_id to its operator.";
    UnsupportedTransferCoding: NOT_IMPLEMENTED, "unsupported_transfer_coding",
        "The transfer coding is not supported",
        "Send the body with Content-Length or with Transfer-Encoding: chunked.";
    Overloaded: SERVICE_UNAVAILABLE, "overloaded",
        "The server is overloaded",
        "Nothing was done. Send the request again after the time in Retry-After, and wait longer \
         each time.";
    Unavailable: SERVICE_UNAVAILABLE, "unavailable",
        "The store is unavailable",
        "Nothing was done. Send the request again after the time in Retry-After.";
    Timeout: SERVICE_UNAVAILABLE, "timeout",
        "The store did not answer in time",
        "Nothing was done. Send the request again after the time in Retry-After.";
    AuthenticationUnavailable: SERVICE_UNAVAILABLE, "authentication_unavailable",
        "Tokens cannot be checked",
        "Nothing was done. Send the request again after the time in Retry-After.";
    NotReady: SERVICE_UNAVAILABLE, "not_ready",
        "The server is not ready",
        "It is stopping, or its store is unavailable. Send requests to another server.";
    OutcomeUnknown: GATEWAY_TIMEOUT, "outcome_unknown",
        "It is not known whether the change was made",
        format!("{REPEATABLE} {REPEAT_WITH_KEY} Otherwise: {}", look_up());
}

impl Code {
    /// Returns the code with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut codes = Self::ALL.iter().copied();
        codes.find(|code| code.info().name == name)
    }

    /// Returns the seconds after which a request that was refused can succeed: an overload passes
    /// quickly, an outage does not.
    pub(crate) fn retry_after(self) -> Option<u16> {
        match self {
            Self::Overloaded => Some(1),
            Self::Unavailable
            | Self::Timeout
            | Self::AuthenticationUnavailable
            | Self::NotReady => Some(5),
            _ => None,
        }
    }
}

fn user_id_rule() -> String {
    format!(
        "A user id has 1 to {} ASCII letters, digits and -._~@:+= and is not . or ..",
        UserId::MAX_LEN
    )
}

const REPEATABLE: &str = "Editing, unsending and marking as read are safe to repeat.";

const REPEAT_WITH_KEY: &str = "To send with an Idempotency-Key, send the request again with the same \
                               key: whatever happened, one key makes one message.";

/// The time after which a write whose outcome is unknown has been applied or is unlikely to be.
const WAIT_SECONDS: u16 = 30;

fn look_up() -> String {
    format!(
        "Wait {WAIT_SECONDS} seconds, then get message_path to see whether the message is there. \
         If it is not, sending again may still make a second message: only an Idempotency-Key \
         makes repeating safe."
    )
}

/// An answer that says what went wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    message_id: Option<MessageId>,
    conversation: Option<ConversationId>,
    /// Boxed, because few have one and a `Result` on the happy path should stay small.
    header: Option<Box<(HeaderName, HeaderValue)>>,
    /// For the log.
    cause: Option<Error>,
}

impl Problem {
    /// Creates a problem with the advice of the table.
    pub(crate) fn new(code: Code) -> Self {
        Self::with_detail(code, &*code.info().advice)
    }

    pub(crate) fn with_detail(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            message_id: None,
            conversation: None,
            header: None,
            cause: None,
        }
    }

    /// Creates a problem from an error about a part of the request.
    pub(crate) fn of_input(error: Error) -> Self {
        match input_code(&error) {
            Some(code) => Self::with_detail(code, sentence(error.message())),
            None => error.into(),
        }
    }

    /// Creates a problem for a change whose outcome is not known.
    pub(crate) fn outcome_unknown(message_id: Option<MessageId>) -> Self {
        Self {
            message_id,
            ..Self::new(Code::OutcomeUnknown)
        }
    }

    /// Creates the problem of `/health/ready` from any error.
    pub(crate) fn not_ready(cause: Error) -> Self {
        Self::new(Code::NotReady).with_cause(cause)
    }

    /// Adds what the log should know.
    pub(crate) fn with_cause(mut self, cause: Error) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// Says how to go on after a send whose outcome is not known, and where its message would be.
    pub(crate) fn of_send(mut self, conversation: ConversationId, has_key: bool) -> Self {
        self.conversation = Some(conversation);
        if self.code == Code::OutcomeUnknown {
            self.detail = if has_key {
                "Send the request again with the same key: whatever happened, one key makes one \
                 message."
                    .into()
            } else {
                look_up().into()
            };
        }
        self
    }

    /// Creates a problem from an error of a call that changes an item. `missing` is the code if the
    /// item does not exist.
    pub(crate) fn of_change(error: Error, missing: Code) -> Self {
        let code = match (error.kind(), error.subject()) {
            (ErrorKind::NotFound, Some(Subject::MessageId)) => Code::MessageNotFound,
            (ErrorKind::NotFound, Some(Subject::ConversationId)) => Code::ConversationNotFound,
            (ErrorKind::NotFound, _) => missing,
            (ErrorKind::NotSender, _) => Code::NotSender,
            (ErrorKind::MessageUnsent, _) => Code::MessageUnsent,
            (ErrorKind::EditWindowOver, _) => Code::EditWindowOver,
            (ErrorKind::Invalid, Some(Subject::ReadMarker)) => Code::InvalidReadMarker,
            _ => return error.into(),
        };
        Self::with_detail(code, sentence(error.message()))
    }

    /// Says how to go on after a change whose outcome is not known, and that is safe to repeat.
    pub(crate) fn repeatable(mut self) -> Self {
        if self.code == Code::OutcomeUnknown {
            self.message_id = None;
            self.detail = "Send the request again: repeating it is safe.".into();
        }
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Returns what the log should know and the client should not.
    pub(crate) fn cause(&self) -> Option<&Error> {
        self.cause.as_ref()
    }

    /// Writes the document. `base` is the path under which the service is mounted.
    pub(crate) fn into_answer(self, base: &str, request_id: &str) -> Answer {
        let info = self.code.info();
        let message_path = self.conversation.zip(self.message_id);
        let document = Document {
            r#type: problem_type(base, info.name),
            title: info.title,
            status: info.status.as_u16(),
            code: info.name,
            detail: &self.detail,
            message_id: self.message_id,
            message_path: message_path
                .map(|(conversation, id)| message_path_of(base, conversation, id)),
            request_id,
        };
        // A struct of strings and numbers always serializes.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut answer = Response::new(Payload::Free(Bytes::from(body)));
        *answer.status_mut() = info.status;
        let headers = answer.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(header) = self.header {
            headers.insert(header.0, header.1);
        }
        if let Some(seconds) = self.code.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

/// The path of a message.
pub(crate) fn message_path_of(base: &str, conversation: ConversationId, id: MessageId) -> String {
    format!("{base}/api/messages/conversation/{conversation}/{id}")
}

/// Creates a problem from an error of the messenger, whose ids and texts were valid: so an error that
/// blames one of them is about stored data. The status follows from the kind of the error and the
/// outcome of the write.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match (error.kind(), error.subject()) {
            (ErrorKind::Malformed, Some(Subject::CursorScope))
            | (ErrorKind::Invalid, Some(Subject::Participants))
            | (ErrorKind::KeyReused, Some(Subject::IdempotencyKey)) => {
                return Self::of_input(error);
            }
            (ErrorKind::NotFound, Some(Subject::ConversationId)) => {
                return Self::new(Code::ConversationNotFound);
            }
            (ErrorKind::NotAllowed, _) => return Self::new(Code::NotAllowed),
            _ => {}
        }
        let unknown = error.outcome() == Some(Outcome::Unknown);
        let code = match error.kind() {
            ErrorKind::Overloaded | ErrorKind::Unavailable | ErrorKind::Timeout if unknown => {
                Code::OutcomeUnknown
            }
            ErrorKind::Overloaded => Code::Overloaded,
            ErrorKind::Unavailable => Code::Unavailable,
            ErrorKind::Timeout => Code::Timeout,
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

/// Returns the code of an error about an input.
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

/// Makes a sentence of a message of core, which is in lower case and without a full stop.
pub(crate) fn sentence(message: &str) -> String {
    let mut text = String::with_capacity(message.len() + 1);
    let mut chars = message.chars();
    text.extend(chars.next().map(|first| first.to_ascii_uppercase()));
    text.push_str(chars.as_str());
    text.push('.');
    text
}

/// The `type` of a problem: a page that the server itself has.
pub(crate) fn problem_type(base: &str, name: &str) -> String {
    format!("{base}/problems/{name}")
}

/// A problem document on the wire.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_path: Option<String>,
    request_id: &'a str,
}

/// A request id of the examples.
pub(crate) const EXAMPLE_REQUEST: &str = "6f1c1c52-5d0e-4a53-a6cf-1d2f6f0b8f7e";

pub(crate) static PROBLEM: Schema = Schema {
    name: "Problem",
    build: |components| {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.info().name).collect();
        json!({
            "description": "A problem document (RFC 9457).",
            "type": "object",
            "required": ["type", "title", "status", "code", "detail", "request_id"],
            "properties": {
                "type": {
                    "description": "A page of this server about the problem.",
                    "type": "string",
                    "format": "uri-reference",
                },
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "code": {"type": "string", "enum": names},
                "detail": {"description": "The cause and the remedy.", "type": "string"},
                "message_id": schema::described(
                    components.refer(&MESSAGE_ID),
                    "The message to look for, if it is not known whether it was sent.",
                ),
                "message_path": {
                    "description": "The path under which that message is found if it was sent.",
                    "type": "string",
                    "format": "uri-reference",
                },
                "request_id": {
                    "description": "The X-Request-Id of the answer, which the server's log holds, \
                                    too.",
                    "type": "string",
                },
            },
        })
    },
};

/// An error with its sources, in one line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_by_their_names() {
        for &code in Code::ALL {
            assert_eq!(Code::named(code.info().name), Some(code));
        }
    }

    #[test]
    fn every_503_says_when_to_retry() {
        for &code in Code::ALL {
            let refused = code.info().status == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(code.retry_after().is_some(), refused, "{code:?}");
        }
    }

    #[test]
    fn the_status_follows_from_the_outcome_of_a_write() {
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
            ErrorKind::Malformed,
            ErrorKind::Invalid,
        ] {
            assert_eq!(status(Error::new(kind, "secret")), 500);
        }
        // Input was valid when it reached the messenger, so this is about stored data.
        let stored = Error::new(ErrorKind::Malformed, "secret").with_subject(Subject::UserId);
        assert_eq!(status(stored), 500);
    }
}
