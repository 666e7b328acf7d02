//! One error for every operation: what went wrong, whether a retry can help, and, for writes,
//! what became of the write.
//!
//! A store converts its private errors into this one at its edge. Callers ask questions
//! ([`Error::kind`], [`Error::is_retryable`], [`Error::outcome`]) instead of matching on a tree of
//! variants, so new causes can be added without breaking anyone.

use std::borrow::Cow;
use std::fmt;

use crate::MessageId;

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The value does not have the form it must have: it could not be parsed.
    Malformed,
    /// The value was understood, and a rule of the model forbids it.
    Invalid,
    /// The value is longer than its limit.
    TooLarge,
    /// The thing asked for does not exist.
    NotFound,
    /// The idempotency key was used before, with another payload.
    KeyReused,
    /// The store or the server has more work than it takes on; later it may have room.
    Overloaded,
    /// The store cannot be reached, or not enough of its replicas can.
    Unavailable,
    /// The answer did not come in time.
    Timeout,
    /// Stored data contradicts itself or cannot be decoded.
    Corrupt,
    /// A defect in this library or in a store.
    Internal,
}

impl ErrorKind {
    /// The kind's name in logs and metrics, in `snake_case`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::NotFound => "not_found",
            Self::KeyReused => "key_reused",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }

    /// Whether an error of this kind passes by itself, so that the same call may succeed later.
    fn is_transient(self) -> bool {
        matches!(self, Self::Overloaded | Self::Unavailable | Self::Timeout)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which input an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// A user id.
    UserId,
    /// A conversation id.
    ConversationId,
    /// A message id.
    MessageId,
    /// Who writes to whom: sender and receiver taken together.
    Participants,
    /// The content of a message.
    Content,
    /// The form of a cursor.
    Cursor,
    /// A well-formed cursor that was made for another list, conversation or user.
    CursorScope,
    /// The number of items on a page.
    Limit,
    /// A point in time.
    Timestamp,
    /// An idempotency key.
    IdempotencyKey,
}

/// What became of a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing was written and nothing will be. Sending again makes a new attempt.
    NotApplied,
    /// The write may have happened, or may still happen. Only the same message id, or the same
    /// idempotency key, makes a safe retry.
    Unknown,
}

/// The error of every operation in this library.
///
/// ```
/// use messenger_core::{ErrorKind, Subject, UserId};
///
/// let error = UserId::new("no spaces please").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Malformed);
/// assert_eq!(error.subject(), Some(Subject::UserId));
/// assert!(!error.is_retryable());
/// ```
// One pointer wide, so that a `Result` on the happy path stays small.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    subject: Option<Subject>,
    operation: Option<&'static str>,
    outcome: Option<Outcome>,
    retryable: bool,
    message_id: Option<MessageId>,
    source: Option<Source>,
}

impl Error {
    /// An error of this kind. The message says what is wrong and what would be right, in lower
    /// case and without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            subject: None,
            operation: None,
            outcome: None,
            retryable: kind.is_transient(),
            message_id: None,
            source: None,
        }))
    }

    pub(crate) fn about(
        kind: ErrorKind,
        subject: Subject,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(kind, message).with_subject(subject)
    }

    /// Says which input the error is about.
    #[must_use]
    pub fn with_subject(mut self, subject: Subject) -> Self {
        self.0.subject = Some(subject);
        self
    }

    /// Names the operation that failed, as the [`Store`](crate::Store) trait names it.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Says what became of the write.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = Some(outcome);
        self
    }

    /// Overrides whether a retry can help, which else follows from the kind.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// Names the message whose fate the error is about.
    #[must_use]
    pub fn with_message_id(mut self, id: MessageId) -> Self {
        self.0.message_id = Some(id);
        self
    }

    /// Keeps the error below as the source. Its type is promised to nobody.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong and what would be right. It never holds the text of the source, so a binding
    /// may show it to a client where the kind blames the client's input.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Which input the error is about, where it is about one.
    pub fn subject(&self) -> Option<Subject> {
        self.0.subject
    }

    /// The operation that failed.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// What became of the write; `None` for reads and for input that was never taken.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.outcome
    }

    /// Whether the same call may succeed later. For a write look at [`outcome`](Self::outcome) too:
    /// after [`Outcome::Unknown`] only the same message id or idempotency key is safe to send.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The id of the message whose fate is not known, to look for later.
    pub fn message_id(&self) -> Option<MessageId> {
        self.0.message_id
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.0.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut out = f.debug_struct("Error");
        out.field("kind", &inner.kind)
            .field("message", &inner.message);
        if let Some(subject) = inner.subject {
            out.field("subject", &subject);
        }
        if let Some(operation) = inner.operation {
            out.field("operation", &operation);
        }
        if let Some(outcome) = inner.outcome {
            out.field("outcome", &outcome);
        }
        if let Some(id) = inner.message_id {
            out.field("message_id", &id);
        }
        if let Some(source) = &inner.source {
            out.field("source", source);
        }
        out.finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}
