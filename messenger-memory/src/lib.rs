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
//! There is no lock of the whole store. Conversations, and inboxes, are kept in a concurrent hash map
//! whose buckets have a lock each, so a call waits for another one only when both are about the same
//! conversation or user, or about two that share a bucket of 32. A page copies its rows under one such
//! lock, which other pages share. A send holds that of its conversation until the message is
//! everywhere, and within it takes those of the two inboxes, one after the other: so whoever finds a
//! message in a history finds it in both inboxes too. None is held across an await.

mod history;
mod idempotency;
mod inbox;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use messenger_core::{
    Claim, Conversation, ConversationId, Error, Message, MessageId, Reservation, Slice, Store,
    UserId,
};
use parking_lot::Mutex;
use scc::HashMap;

use history::History;
use idempotency::Keys;
use inbox::Inbox;

/// Keeps everything in the memory of this process.
///
/// Its calls never fail and never wait for anything but a lock held for one page or one send.
#[derive(Debug, Default)]
pub struct MemoryStore {
    histories: HashMap<ConversationId, History>,
    inboxes: HashMap<UserId, Inbox>,
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
        // Without an await in between: a future that is dropped has done all of it or nothing.
        let mut history = self
            .histories
            .entry_sync(message.conversation_id())
            .or_default();
        if let Some(risen) = history.add(message) {
            for user in risen.conversation.participants() {
                self.inboxes
                    .entry_sync(user.clone())
                    .or_default()
                    .raise(&risen);
            }
        }
        Ok(())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let find = |_: &_, history: &History| history.message(id);
        Ok(self.histories.read_sync(&conversation, find).flatten())
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        let page = |_: &_, history: &History| history.slice(slice);
        let page = self.histories.read_sync(&conversation, page);
        Ok(page.unwrap_or_default())
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        let page = self.inboxes.read_sync(user, |_, inbox| inbox.slice(slice));
        Ok(page.unwrap_or_default())
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let now = |_: &_, history: &History| history.conversation();
        Ok(self.histories.read_sync(&id, now).flatten())
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
