//! One error for all operations: its kind, the input it is about, and, for writes, the outcome.
//!
//! A store converts its private errors to this one at its edge. Callers ask questions
//! ([`Error::kind`], [`Error::is_retryable`], [`Error::outcome`]) instead of matching on a tree of
//! variants, so new causes can be added without breaking anyone.

use std::borrow::Cow;
use std::fmt;

use crate::ids::MessageId;

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The value does not have the required form: it could not be parsed.
    Malformed,
    /// The value was parsed, but a rule of the model forbids it.
    Invalid,
    /// The value is longer than its limit.
    TooLarge,
    /// The message or conversation does not exist. Only calls that change one return this; reads
    /// return `None` or an empty page.
    NotFound,
    /// The user is not the sender of the message. Only the sender may edit or unsend it.
    NotSender,
    /// The [`Policy`](crate::Policy) of the messenger does not allow the write.
    NotAllowed,
    /// The message is older than the edit window and can no longer be edited.
    EditWindowOver,
    /// The message was unsent and can no longer be edited.
    MessageUnsent,
    /// The idempotency key was used before, with another payload.
    KeyReused,
    /// The store or the server is overloaded. The same call may succeed later.
    Overloaded,
    /// The store, or enough of its replicas, cannot be reached.
    Unavailable,
    /// No answer came in time.
    Timeout,
    /// Stored data is inconsistent or cannot be decoded. A store returns this, and not
    /// [`Malformed`](Self::Malformed), if a row cannot be decoded.
    Corrupt,
    /// A defect in this library or in a store.
    Internal,
}

impl ErrorKind {
    /// Returns the kind's name in logs and metrics, in `snake_case`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::NotFound => "not_found",
            Self::NotSender => "not_sender",
            Self::NotAllowed => "not_allowed",
            Self::EditWindowOver => "edit_window_over",
            Self::MessageUnsent => "message_unsent",
            Self::KeyReused => "key_reused",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }

    /// Returns whether an error of this kind may pass, so that the same call may succeed later.
    fn is_transient(self) -> bool {
        matches!(self, Self::Overloaded | Self::Unavailable | Self::Timeout)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The input that an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// A user id.
    UserId,
    /// A conversation id.
    ConversationId,
    /// A message id, a revision or a log key.
    MessageId,
    /// The position up to which a user has read.
    ReadMarker,
    /// The sender and the receiver, taken together.
    Participants,
    /// The content of a message.
    Content,
    /// The form of a cursor.
    Cursor,
    /// A well-formed cursor of another list, conversation or user, or one that cannot be combined
    /// with the rest of the query.
    CursorScope,
    /// The number of items on a page.
    Limit,
    /// A point in time.
    Timestamp,
    /// An idempotency key.
    IdempotencyKey,
}

/// The outcome of a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing was written and nothing will be. Repeating the call is safe.
    NotApplied,
    /// The write may have been applied, or may still be. Repeating an edit, an unsend or a read
    /// marker is safe; a send is safe to repeat only under the same idempotency key.
    Unknown,
}

impl Outcome {
    /// Returns the outcome's name in logs and metrics, in `snake_case`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
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
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Inner>);

#[derive(thiserror::Error)]
#[error("{}{message}", Prefix(*operation))]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    subject: Option<Subject>,
    operation: Option<&'static str>,
    outcome: Option<Outcome>,
    message_id: Option<MessageId>,
    source: Option<Source>,
}

/// Displays the operation before the message, if there is one.
struct Prefix(Option<&'static str>);

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |operation| write!(f, "{operation}: "))
    }
}

impl Error {
    /// Creates an error. The message says what is wrong and what would be right, in lower case and
    /// without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            subject: None,
            operation: None,
            outcome: None,
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

    /// Sets the input that the error is about.
    #[must_use]
    pub fn with_subject(mut self, subject: Subject) -> Self {
        self.0.subject = Some(subject);
        self
    }

    /// Sets the operation that failed: the name of a method of [`Store`](crate::Store).
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Sets the outcome of the write.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = Some(outcome);
        self
    }

    /// Sets the id of the message whose write failed.
    #[must_use]
    pub fn with_message_id(mut self, id: MessageId) -> Self {
        self.0.message_id = Some(id);
        self
    }

    /// Sets the cause. Its type is not part of the API.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the message: what is wrong and what would be right. It never contains the text of the
    /// source, so a binding may show it to a client if the kind blames the client's input.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the input that the error is about, if it is about one.
    pub fn subject(&self) -> Option<Subject> {
        self.0.subject
    }

    /// Returns the operation that failed.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// Returns the outcome of the write; `None` for reads and for input that was refused before.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.outcome
    }

    /// Returns whether the same call may succeed later. For a send, see also
    /// [`outcome`](Self::outcome): after [`Outcome::Unknown`] it is safe to repeat only under the
    /// same idempotency key.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_transient()
    }

    /// Returns the id of the message whose write failed with [`Outcome::Unknown`], to look it up later.
    pub fn message_id(&self) -> Option<MessageId> {
        self.0.message_id
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.kind)
            .field("message", &self.message);
        if let Some(subject) = self.subject {
            out.field("subject", &subject);
        }
        if let Some(operation) = self.operation {
            out.field("operation", &operation);
        }
        if let Some(outcome) = self.outcome {
            out.field("outcome", &outcome);
        }
        if let Some(id) = self.message_id {
            out.field("message_id", &id);
        }
        if let Some(source) = &self.source {
            out.field("source", source);
        }
        out.finish_non_exhaustive()
    }
}
