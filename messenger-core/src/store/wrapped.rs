//! Wrappers: a store that forwards to another one, and overrides some methods.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::{Logged, Store};
use crate::error::Error;
use crate::ids::{ConversationId, LogKey, MessageId, Position, Revision, UserId};
use crate::model::{Claim, Conversation, InboxEntry, Message, ReadMarker, Reservation};

/// A store around another one. Every method forwards to [`inner`](Self::inner) by default; a wrapper
/// overrides the ones that it changes. [`Wrapped`] turns it into a [`Store`].
///
/// It serves metrics, limits, and faults in tests:
///
/// ```
/// use async_trait::async_trait;
/// use messenger_core::store::{Wrap, Wrapped};
/// use messenger_core::{Error, ErrorKind, LogKey, Message, Outcome, Store};
///
/// /// A store that accepts no messages.
/// #[derive(Debug)]
/// struct ReadOnly<S>(S);
///
/// #[async_trait]
/// impl<S: Store> Wrap for ReadOnly<S> {
///     type Inner = S;
///
///     fn inner(&self) -> &S {
///         &self.0
///     }
///
///     async fn put(&self, _: LogKey, _: &Message) -> Result<(), Error> {
///         let error = Error::new(ErrorKind::Unavailable, "the store is read-only");
///         Err(error.with_outcome(Outcome::NotApplied))
///     }
/// }
///
/// fn read_only(store: impl Store) -> impl Store {
///     Wrapped(ReadOnly(store))
/// }
/// # let _ = read_only(messenger_memory::MemoryStore::new());
/// ```
#[async_trait]
pub trait Wrap: fmt::Debug + Send + Sync {
    /// The type of the store inside.
    type Inner: Store + ?Sized;

    /// Returns the store inside.
    fn inner(&self) -> &Self::Inner;

    /// Forwards [`Store::put`].
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        self.inner().put(key, message).await
    }

    /// Forwards [`Store::mark`].
    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        self.inner().mark(key, marker).await
    }

    /// Forwards [`Store::message`].
    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        self.inner().message(conversation, id).await
    }

    /// Forwards [`Store::history`].
    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        self.inner().history(conversation, below, limit).await
    }

    /// Forwards [`Store::history_log`].
    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        self.inner().history_log(conversation, above, limit).await
    }

    /// Forwards [`Store::inbox`].
    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        self.inner().inbox(user, below, limit).await
    }

    /// Forwards [`Store::inbox_log`].
    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        self.inner().inbox_log(user, above, limit).await
    }

    /// Forwards [`Store::entry`].
    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        self.inner().entry(user, conversation).await
    }

    /// Forwards [`Store::conversation`].
    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.inner().conversation(id).await
    }

    /// Forwards [`Store::users`].
    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        self.inner().users(after, limit).await
    }

    /// Forwards [`Store::unread`].
    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        self.inner().unread(conversation, reader, above, cap).await
    }

    /// Forwards [`Store::reserve`].
    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        self.inner().reserve(reservation).await
    }

    /// Forwards [`Store::health`].
    async fn health(&self) -> Result<(), Error> {
        self.inner().health().await
    }

    /// Forwards [`Store::settle`].
    fn settle(&self) -> Duration {
        self.inner().settle()
    }

    /// Forwards [`Store::in_flight`].
    fn in_flight(&self) -> Option<LogKey> {
        self.inner().in_flight()
    }

    /// Forwards [`Store::newest`].
    fn newest(&self) -> Option<Revision> {
        self.inner().newest()
    }
}

/// The [`Store`] that a wrapper is. See [`Wrap`].
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a plain newtype")]
pub struct Wrapped<W>(pub W);

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<W: Wrap> Store for Wrapped<W> {
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        self.0.put(key, message).await
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        self.0.mark(key, marker).await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        self.0.message(conversation, id).await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        self.0.history(conversation, below, limit).await
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        self.0.history_log(conversation, above, limit).await
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        self.0.inbox(user, below, limit).await
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        self.0.inbox_log(user, above, limit).await
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        self.0.entry(user, conversation).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.0.conversation(id).await
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        self.0.users(after, limit).await
    }

    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        self.0.unread(conversation, reader, above, cap).await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        self.0.reserve(reservation).await
    }

    async fn health(&self) -> Result<(), Error> {
        self.0.health().await
    }

    fn settle(&self) -> Duration {
        self.0.settle()
    }

    fn in_flight(&self) -> Option<LogKey> {
        self.0.in_flight()
    }

    fn newest(&self) -> Option<Revision> {
        self.0.newest()
    }
}
