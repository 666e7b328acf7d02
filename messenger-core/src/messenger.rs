//! The service: every rule, once, above every store.

use std::sync::Arc;

use futures_core::Stream;
use futures_util::stream::{self, TryStreamExt as _};

use crate::cursor::Scope;
use crate::in_flight::InFlight;
use crate::walk::Walk;
use crate::{
    Claim, Clock, Conversation, ConversationId, Error, ErrorKind, Fingerprint, HistoryQuery,
    IdempotencyKey, Import, InboxQuery, Limit, Message, MessageId, NewMessage, Outcome, Page,
    Position, Reservation, Store, Subject, UserId,
};

/// Sends messages, and reads histories, inboxes and conversations page by page.
///
/// It makes the ids, keeps the order, mints and checks the cursors, and knows which messages are
/// in flight. Cloning is cheap and shares all of it. **Make one for a store and clone it**: two
/// made over one store in one process do not know what is in flight in the other, so a reader who
/// catches up could miss a message (rule 7 of the [`Store`]).
///
/// ```
/// # async fn example(store: impl messenger_core::Store + 'static) -> Result<(), messenger_core::Error> {
/// use messenger_core::{HistoryQuery, InboxQuery, Messenger, NewMessage, UserId};
///
/// let messenger = Messenger::new(store);
/// let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
///
/// let hello = messenger.send(NewMessage::new(alice, bob.clone(), "Hello")?).await?;
///
/// let inbox = messenger.inbox(&bob, InboxQuery::new()).await?;
/// assert_eq!(inbox.items[0].last_message().id(), hello.id());
///
/// let page = messenger.history(hello.conversation_id(), HistoryQuery::new()).await?;
/// let newer = HistoryQuery::new().with_cursor(page.prev);
/// let page = messenger.history(hello.conversation_id(), newer).await?;
/// assert!(page.items.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Dropped futures
///
/// A `send` or `import` whose future is dropped may still be stored: in the end in all views or in
/// none. To know that a message goes out, run the send in a task of its own.
#[derive(Clone, Debug)]
pub struct Messenger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    clock: Clock,
    in_flight: InFlight,
}

/// What a send under a key gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The one message under the key.
    pub message: Message,
    /// Whether an earlier send had claimed the key, so that this one made no new message.
    pub replayed: bool,
}

impl Messenger {
    /// A messenger over this store, on the system's time.
    pub fn new(store: impl Store + 'static) -> Self {
        Self::with_clock(store, Clock::new())
    }

    /// A messenger on another clock.
    pub fn with_clock(store: impl Store + 'static, clock: Clock) -> Self {
        let store = Arc::new(store);
        Self {
            inner: Arc::new(Inner {
                store,
                clock,
                in_flight: InFlight::default(),
            }),
        }
    }

    /// The store below.
    pub fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    /// Sends a message. Sending it again makes another one; see [`send_once`](Self::send_once).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the system's clock has stepped back by more than
    /// [`Clock::MAX_AHEAD`], and what the store answers. [`Error::outcome`] says what became of
    /// the message; when that is `Unknown`, [`Error::message_id`] says which id to look for.
    pub async fn send(&self, message: NewMessage) -> Result<Message, Error> {
        self.send_telling(message, |_| {}).await
    }

    /// [`send`](Self::send), which tells the message's id before it is written: for a caller that
    /// may stop waiting, and must then know which message to look for.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub async fn send_telling(
        &self,
        message: NewMessage,
        tell: impl FnOnce(MessageId) + Send,
    ) -> Result<Message, Error> {
        let ticket = self.inner.in_flight.begin(&self.inner.clock);
        let message = message.with_id(ticket.id());
        tell(message.id());
        self.append(&message).await?;
        Ok(message)
    }

    /// Sends a message once, however often it is called with the same sender and key. Every call
    /// gives the same message, also after an error or a crash; only the first one makes it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyReused`] when the sender has used the key for another receiver or content,
    /// and those of [`send`](Self::send). Whatever the outcome, calling again with the same key
    /// and payload is safe.
    pub async fn send_once(&self, message: NewMessage, key: IdempotencyKey) -> Result<Sent, Error> {
        let ticket = self.inner.in_flight.begin(&self.inner.clock);
        let claim = Claim {
            message_id: ticket.id(),
            fingerprint: Fingerprint::of(&message),
        };
        let held = self.reserve(&message, key, claim).await?;
        // The whole append is repeated for a replay: the winner may have been cut off before it.
        let message = message.with_id(held.message_id);
        self.append(&message).await?;
        Ok(Sent {
            message,
            replayed: held.message_id != claim.message_id,
        })
    }

    async fn reserve(
        &self,
        message: &NewMessage,
        key: IdempotencyKey,
        claim: Claim,
    ) -> Result<Claim, Error> {
        let reservation = Reservation::new(message.sender_id().clone(), key, claim);
        let held = self
            .inner
            .store
            .reserve(&reservation)
            .await
            .map_err(|error| {
                // Whether or not the key is claimed now, no message was written under it.
                error.with_outcome(Outcome::NotApplied)
            })?;
        if held.fingerprint != claim.fingerprint {
            return Err(Error::about(
                ErrorKind::KeyReused,
                Subject::IdempotencyKey,
                "the idempotency key was used for another receiver or content; send this message \
                 under a new key",
            )
            .with_outcome(Outcome::NotApplied));
        }
        Ok(held)
    }

    /// Adds a message of the past, at the place that its time gives it.
    ///
    /// Someone who caught up beyond that time will not find it by following `prev` (rule 7): import
    /// before, or have clients start afresh.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] when its time is further in the future than [`Clock::MAX_AHEAD`],
    /// and those of [`send`](Self::send).
    pub async fn import(&self, import: Import) -> Result<Message, Error> {
        let message = import.into_message();
        if self.inner.clock.is_too_far_ahead(message.id()) {
            return Err(Error::about(
                ErrorKind::Invalid,
                Subject::Timestamp,
                "an imported message must not lie in the future",
            )
            .with_outcome(Outcome::NotApplied));
        }
        self.append(&message).await?;
        Ok(message)
    }

    async fn append(&self, message: &Message) -> Result<(), Error> {
        if self.inner.clock.is_too_far_ahead(message.id()) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the system clock has stepped back; sending goes on when it has caught up",
            )
            .with_outcome(Outcome::NotApplied));
        }
        self.inner
            .store
            .append(message)
            .await
            .map_err(|error| match error.outcome() {
                Some(Outcome::NotApplied) => error,
                Some(Outcome::Unknown) | None => error
                    .with_outcome(Outcome::Unknown)
                    .with_message_id(message.id()),
            })
    }

    /// One message.
    ///
    /// # Errors
    ///
    /// What the store answers.
    pub async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let message = self.inner.store.message(conversation, id).await?;
        self.observe(message.as_ref().map(Message::id));
        Ok(message)
    }

    /// A page of a conversation's messages, newest first. A conversation that does not exist has
    /// an empty page, whose `prev` finds its first messages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] for a cursor of another list, and what the store answers.
    pub async fn history(
        &self,
        conversation: ConversationId,
        query: HistoryQuery,
    ) -> Result<Page<Message>, Error> {
        let walk = Walk::of_history(Scope::history(conversation), query)?;
        let settled = self.settled();
        let rows = self.inner.store.history(conversation, walk.slice()).await?;
        let page = walk.page(rows, settled);
        self.observe(page.items.first().map(Message::id));
        Ok(page)
    }

    /// A page of a user's conversations, most recent activity first. Any user exists, so one who
    /// never wrote or was written to has an empty page.
    ///
    /// A conversation that gets a message moves to the top. Walking older never shows one twice;
    /// one that moves up meanwhile is missed by the walk and found by following the first page's
    /// `prev`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] for a cursor of another list, and what the store answers.
    pub async fn inbox(
        &self,
        user: &UserId,
        query: InboxQuery,
    ) -> Result<Page<Conversation>, Error> {
        let walk = Walk::of_inbox(Scope::inbox(user), query)?;
        let settled = self.settled();
        let rows = self.inner.store.inbox(user, walk.slice()).await?;
        let page = walk.page(rows, settled);
        self.observe(
            page.items
                .first()
                .map(|conversation| conversation.last_message().id()),
        );
        Ok(page)
    }

    /// A conversation with its last message; `None` until it has one.
    ///
    /// # Errors
    ///
    /// What the store answers.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let conversation = self.inner.store.conversation(id).await?;
        self.observe(conversation.as_ref().map(|found| found.last_message().id()));
        Ok(conversation)
    }

    /// All messages of a conversation, newest first, read page by page as the stream is polled.
    /// After an error the stream ends.
    pub fn history_stream(
        &self,
        conversation: ConversationId,
    ) -> impl Stream<Item = Result<Message, Error>> + Send + use<> {
        let messenger = self.clone();
        pages(move |cursor| {
            let messenger = messenger.clone();
            async move {
                let query = HistoryQuery::new()
                    .with_limit(Limit::MAX)
                    .with_cursor(cursor);
                messenger.history(conversation, query).await
            }
        })
    }

    /// All conversations of a user, most recent activity first, read page by page as the stream is
    /// polled. One that moves up meanwhile may be missed, as [`inbox`](Self::inbox) says. After an
    /// error the stream ends.
    pub fn inbox_stream(
        &self,
        user: UserId,
    ) -> impl Stream<Item = Result<Conversation, Error>> + Send + use<> {
        let messenger = self.clone();
        pages(move |cursor| {
            let (messenger, user) = (messenger.clone(), user.clone());
            async move {
                let query = InboxQuery::new().with_limit(Limit::MAX).with_cursor(cursor);
                messenger.inbox(&user, query).await
            }
        })
    }

    /// Whether messages can be sent and read now.
    ///
    /// # Errors
    ///
    /// What the store says is wrong.
    pub async fn health(&self) -> Result<(), Error> {
        self.inner.store.health().await
    }

    fn observe(&self, id: Option<MessageId>) {
        if let Some(id) = id {
            self.inner.clock.observe(id);
        }
    }

    /// The position up to which a read that starts now is complete for good.
    fn settled(&self) -> Position {
        let here = self.inner.in_flight.settled(&self.inner.clock);
        let settle = self.inner.store.settle();
        if settle.is_zero() {
            return here;
        }
        let elsewhere = self.inner.clock.now().saturating_sub(settle);
        here.min(Position::start_of(elsewhere).pred())
    }
}

/// Follows `next` from the first page to the last.
fn pages<T, F, R>(read: F) -> impl Stream<Item = Result<T, Error>> + Send
where
    T: Send,
    F: Fn(Option<crate::Cursor>) -> R + Send,
    R: Future<Output = Result<Page<T>, Error>> + Send,
{
    enum At {
        Start,
        After(crate::Cursor),
        End,
    }
    stream::try_unfold((At::Start, read), |(at, read)| async move {
        let cursor = match at {
            At::Start => None,
            At::After(cursor) => Some(cursor),
            At::End => return Ok(None),
        };
        let page = read(cursor).await?;
        let at = page.next.map_or(At::End, At::After);
        let items = stream::iter(page.items.into_iter().map(Ok));
        Ok::<_, Error>(Some((items, (at, read))))
    })
    .try_flatten()
}
