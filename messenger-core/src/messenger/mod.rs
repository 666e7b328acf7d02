//! The service: every rule that holds for all stores.

mod actor;
mod change;
#[cfg(feature = "live")]
mod follow;
mod options;
mod policy;
mod read;
mod send;
mod stream;

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Outcome};
use crate::ids::{ConversationId, LogKey, MessageId, Position, UserId};
use crate::model::{Message, Participants};
use crate::paging::{InFlight, Ticket};
use crate::store::{MAX_KEY_AGE, Store};

pub use actor::Actor;
#[cfg(feature = "live")]
pub use follow::Batch;
pub use options::MessengerOptions;
pub use policy::{Action, Decision, Policy};
pub use send::{Prepared, Sent};

/// Sends, edits and unsends messages, moves read markers, and reads histories and inboxes page by
/// page.
///
/// It makes ids, assigns log keys, and creates and checks cursors. Cloning is cheap and shares its
/// state. **Create one for each store and clone it**: two over one store in one process do not know
/// which changes are in flight in the other, so a reader who catches up could miss one (rule 7 of
/// [`Store`]).
///
/// A `Messenger` trusts its caller, who decides who may send as whom and read what.
/// [`acting_as`](Self::acting_as) returns an [`Actor`], whose calls do only what one user may do.
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
/// A write whose future is dropped may still be stored: eventually in all views or in none. To make
/// sure that it runs to its end, spawn it as a task.
#[derive(Clone, Debug)]
pub struct Messenger {
    inner: Arc<Inner>,
}

/// The number of conversations whose participants are remembered: at most about 5 MB, if all
/// user ids are long.
const KNOWN_PARTICIPANTS: usize = 10_000;

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    options: MessengerOptions,
    in_flight: InFlight,
    /// The participants of the conversations that actors have read lately.
    participants: Cache<ConversationId, Participants>,
    #[cfg(feature = "live")]
    feeds: follow::Feeds,
}

impl Messenger {
    /// Creates a messenger over a store, with the system's clock and an edit window of 15 minutes.
    pub fn new(store: impl Store + 'static) -> Self {
        Self::with_options(store, MessengerOptions::new())
    }

    /// Creates a messenger with another clock.
    pub fn with_clock(store: impl Store + 'static, clock: Clock) -> Self {
        Self::with_options(store, MessengerOptions::new().with_clock(clock))
    }

    /// Creates a messenger with options.
    pub fn with_options(store: impl Store + 'static, options: MessengerOptions) -> Self {
        let store = Arc::new(store);
        if let Some(newest) = store.newest() {
            options.clock.resume_above(newest);
        }
        Self {
            inner: Arc::new(Inner {
                store,
                options,
                in_flight: InFlight::default(),
                participants: Cache::new(KNOWN_PARTICIPANTS),
                #[cfg(feature = "live")]
                feeds: follow::Feeds::default(),
            }),
        }
    }

    /// Returns the store.
    pub fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    /// Checks that messages can be sent and read now.
    ///
    /// # Errors
    ///
    /// The error of the store, or [`ErrorKind::Unavailable`] while the system clock has stepped back
    /// (see [`send`](Self::send)).
    pub async fn health(&self) -> Result<(), Error> {
        self.check_clock()?;
        self.store().health().await
    }

    fn clock(&self) -> &Clock {
        &self.inner.options.clock
    }

    /// Makes a log key that is in flight until the ticket is dropped.
    fn begin(&self) -> Ticket {
        self.inner.in_flight.begin(self.clock())
    }

    /// Returns the ticket, or one with a fresh key if its key is too old for a write that starts now.
    fn refresh(&self, ticket: Ticket) -> Ticket {
        let age = self
            .clock()
            .now()
            .saturating_duration_since(ticket.id().timestamp());
        if age > MAX_KEY_AGE {
            return self.begin();
        }
        ticket
    }

    fn observe(&self, position: impl Into<Position>) {
        self.clock().observe(position);
    }

    /// Refuses to make ids that lie far ahead of the system's time, if other processes write too:
    /// the greatest id wins, so they would pin their conversations until that time has come.
    ///
    /// If this process alone writes, ids go on from the last one, in order.
    fn check_clock(&self) -> Result<(), Error> {
        if self.store().settle().is_zero() || !self.clock().runs_ahead() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "the system clock has stepped back; writing resumes when it has caught up, or when this \
             process is restarted",
        )
        .with_outcome(Outcome::NotApplied))
    }

    /// Writes a version of a message.
    async fn put(&self, key: MessageId, message: &Message) -> Result<(), Error> {
        self.check_clock()?;
        let written = self.store().put(LogKey::from(key), message).await;
        self.wake(
            message.conversation_id(),
            [message.sender_id(), message.receiver_id()],
        );
        written.map_err(|error| unless_not_applied(error, message.id()))
    }

    /// Wakes the followers of the lists that a write has changed, or may have changed.
    fn wake<'a>(
        &self,
        conversation: ConversationId,
        participants: impl IntoIterator<Item = &'a UserId>,
    ) {
        #[cfg(feature = "live")]
        self.inner.feeds.wake(conversation, participants);
        #[cfg(not(feature = "live"))]
        let _ = (conversation, participants);
    }

    /// Returns how often a follower reads without being woken.
    #[cfg(feature = "live")]
    fn poll_interval(&self) -> std::time::Duration {
        // No other process writes, so only a write whose future was dropped goes unnoticed.
        let factor = if self.store().settle().is_zero() {
            15
        } else {
            1
        };
        self.inner.options.poll_interval * factor
    }

    /// Returns the position up to which a read that starts now sees everything for good.
    fn settled(&self) -> Position {
        let mut here = self.inner.in_flight.settled(self.clock());
        // Asked after the tickets: a write whose future is dropped in between is in one of the two.
        if let Some(key) = self.store().in_flight() {
            here = here.min(Position::from(key).pred());
        }
        let settle = self.store().settle();
        if settle.is_zero() {
            return here;
        }
        let elsewhere = self.clock().now().saturating_sub(settle);
        here.min(Position::start_of(elsewhere).pred())
    }
}

/// Adds the message's id, and the outcome `Unknown`, unless the write was not applied.
fn unless_not_applied(error: Error, id: MessageId) -> Error {
    match error.outcome() {
        Some(Outcome::NotApplied) => error,
        Some(Outcome::Unknown) | None => error.with_outcome(Outcome::Unknown).with_message_id(id),
    }
}
