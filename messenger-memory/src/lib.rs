//! A messenger [`Store`] in ordered maps: the embedded default.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), messenger_core::Error> {
//! use messenger_core::{InboxQuery, Messenger, NewMessage, UserId};
//! use messenger_memory::MemoryStore;
//!
//! let messenger = Messenger::new(MemoryStore::new());
//! let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
//! messenger.send(NewMessage::new(alice, bob.clone(), "Hello, Bob")?).await?;
//!
//! let inbox = messenger.inbox(&bob, InboxQuery::new()).await?;
//! assert_eq!(inbox.items[0].last_message().preview().as_str(), "Hello, Bob");
//! # Ok(())
//! # }
//! ```
//!
//! # What it costs
//!
//! A page is O(log n + page), a send O(log n). Everything is kept in memory until the store is
//! dropped; nothing is written to disk.
//!
//! # Locks
//!
//! Conversations and inboxes are found in concurrent hash maps without a lock; each then has a
//! lock of its own. A page copies its rows under the lock of the one conversation or inbox it is
//! about, a send takes three such locks one after another, and none is held across an await. A
//! message may therefore be in a history an instant before it is in an inbox; once `append` has
//! answered it is everywhere.

mod history;
mod idempotency;
mod inbox;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use messenger_core::{
    Claim, Conversation, ConversationId, Error, Message, MessageId, Reservation, Slice, Store,
    UserId,
};
use papaya::HashMap;
use parking_lot::{Mutex, RwLock};

use history::History;
use idempotency::Keys;
use inbox::Inbox;

/// Keeps everything in the memory of this process.
///
/// Its calls never fail and never wait for anything but a lock held for one page or one insert.
#[derive(Debug, Default)]
pub struct MemoryStore {
    histories: HashMap<ConversationId, RwLock<History>>,
    inboxes: HashMap<UserId, RwLock<Inbox>>,
    keys: Mutex<Keys>,
    options: MemoryOptions,
}

/// How much a [`MemoryStore`] remembers beside messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct MemoryOptions {
    key_retention: Duration,
    max_keys: usize,
}

impl MemoryOptions {
    /// Idempotency keys are kept for 24 hours, and the newest 1,000,000 of them.
    pub fn new() -> Self {
        Self {
            key_retention: Duration::from_secs(24 * 60 * 60),
            max_keys: 1_000_000,
        }
    }

    /// For how long an idempotency key is kept after its first use.
    pub fn with_key_retention(mut self, retention: Duration) -> Self {
        self.key_retention = retention;
        self
    }

    /// How many idempotency keys are kept. Beyond that the oldest makes room for a new one, and a
    /// send that repeats it makes a new message.
    pub fn with_max_keys(mut self, max_keys: usize) -> Self {
        self.max_keys = max_keys;
        self
    }
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store with other bounds.
    pub fn with_options(options: MemoryOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, message: &Message) -> Result<(), Error> {
        self.histories
            .pin()
            .get_or_insert_with(message.conversation_id(), || {
                RwLock::new(History::of(message))
            })
            .write()
            .insert(message);
        let conversation = Arc::new(Conversation::of(message));
        let inboxes = self.inboxes.pin();
        for user in conversation.participants() {
            match inboxes.get(user) {
                Some(inbox) => inbox,
                None => inboxes.get_or_insert_with(user.clone(), RwLock::default),
            }
            .write()
            .raise(&conversation);
        }
        Ok(())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let histories = self.histories.pin();
        Ok(histories
            .get(&conversation)
            .and_then(|history| history.read().message(id)))
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        let histories = self.histories.pin();
        let history = histories.get(&conversation);
        Ok(history
            .map(|history| history.read().slice(slice))
            .unwrap_or_default())
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        let inboxes = self.inboxes.pin();
        Ok(inboxes
            .get(user)
            .map(|inbox| inbox.read().slice(slice))
            .unwrap_or_default())
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let histories = self.histories.pin();
        Ok(histories
            .get(&id)
            .and_then(|history| history.read().conversation()))
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        let MemoryOptions {
            key_retention,
            max_keys,
        } = self.options;
        let claim = self
            .keys
            .lock()
            .reserve(reservation, Instant::now(), key_retention, max_keys);
        Ok(claim)
    }

    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }

    fn settle(&self) -> Duration {
        Duration::ZERO
    }
}

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
