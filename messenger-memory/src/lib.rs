//! A messenger [`Store`] in ordered maps: for tests, trials and caches. It keeps nothing when the
//! process ends.
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
//! let preview = inbox.items[0].last_message().preview();
//! assert_eq!(preview.map(|preview| preview.as_str()), Some("Hello, Bob"));
//! # Ok(())
//! # }
//! ```
//!
//! # Cost
//!
//! A page is O(log n + page), a write O(log n). Counting unread messages is O(messages above the
//! marker), and stops at the cap. Everything is kept until the store is dropped.
//!
//! # Locks
//!
//! There is no lock of the whole store. Conversations and inboxes are in concurrent hash maps with a
//! lock for each bucket, so a call waits for another one only if both are about the same conversation
//! or user, or about two that share a bucket of 32. A page copies its rows under one such lock, which
//! other pages share. A write holds the lock of its conversation until all views are up to date, and
//! takes those of the two inboxes within it, one after the other; a user's first message also takes the
//! lock of the list of users. So a reader who finds a message in
//! a history also finds it in both inboxes. No lock is held across an await.

mod history;
mod idempotency;
mod inbox;
mod merge;

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use messenger_core::{
    Claim, Conversation, ConversationId, Error, InboxEntry, LogKey, Logged, Message, MessageId,
    Position, ReadMarker, Reservation, Revision, Store, UserId,
};
use parking_lot::Mutex;
use scc::HashMap;

use history::{History, Relisted};
use idempotency::Keys;
use inbox::Inbox;

/// Keeps everything in the memory of this process.
///
/// Its calls never fail, and never wait for anything but a lock held for one page or one write.
#[derive(Debug, Default)]
pub struct MemoryStore {
    histories: HashMap<ConversationId, History>,
    inboxes: HashMap<UserId, Inbox>,
    /// The users who have an inbox, in order.
    users: Mutex<BTreeSet<UserId>>,
    keys: Mutex<Keys>,
    options: MemoryOptions,
}

/// Options of a [`MemoryStore`]: how long and how many idempotency keys it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct MemoryOptions {
    key_retention: Duration,
    max_keys: usize,
}

impl MemoryOptions {
    /// Returns the defaults: keys are kept for 24 hours, at most the newest 1,000,000.
    pub fn new() -> Self {
        Self {
            key_retention: Duration::from_secs(24 * 60 * 60),
            max_keys: 1_000_000,
        }
    }

    /// Sets how long an idempotency key is kept after its first use.
    pub fn with_key_retention(mut self, retention: Duration) -> Self {
        self.key_retention = retention;
        self
    }

    /// Sets how many idempotency keys are kept, over all senders. Beyond that the oldest one is
    /// dropped, and a send that repeats it makes a new message. At 100 keyed sends a second, a million
    /// keys last for under three hours.
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
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an empty store with options.
    pub fn with_options(options: MemoryOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Brings both inboxes up to date. The caller holds the lock of the history.
    fn relist(&self, relisted: &Relisted) {
        for user in relisted.now.conversation.participants() {
            let mut inbox = self.inboxes.entry_sync(user.clone()).or_insert_with(|| {
                self.users.lock().insert(user.clone());
                Inbox::default()
            });
            inbox.relist(relisted);
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    // No await stands between the changes of a write, so a dropped future has done all or nothing.

    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        let mut history = self
            .histories
            .entry_sync(message.conversation_id())
            .or_default();
        if let Some(relisted) = history.put(key, message) {
            self.relist(&relisted);
        }
        Ok(())
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        let mut history = self
            .histories
            .entry_sync(marker.conversation.id())
            .or_default();
        if let Some(relisted) = history.mark(key, marker) {
            self.relist(&relisted);
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
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let page = |_: &_, history: &History| history.page(below, limit);
        let page = self.histories.read_sync(&conversation, page);
        Ok(page.unwrap_or_default())
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        let page = |_: &_, history: &History| history.log_page(above, limit);
        let page = self.histories.read_sync(&conversation, page);
        Ok(page.unwrap_or_default())
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        let page = |_: &_, inbox: &Inbox| inbox.page(user, below, limit);
        let page = self.inboxes.read_sync(user, page);
        Ok(page.unwrap_or_default())
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        let page = |_: &_, inbox: &Inbox| inbox.log_page(user, above, limit);
        let page = self.inboxes.read_sync(user, page);
        Ok(page.unwrap_or_default())
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        let listing = |_: &_, history: &History| history.listing();
        let listing = self.histories.read_sync(&conversation, listing).flatten();
        Ok(listing
            .filter(|listing| listing.conversation.participants().contains(user))
            .map(|listing| listing.entry(user)))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let listing = |_: &_, history: &History| history.listing();
        let listing = self.histories.read_sync(&id, listing).flatten();
        Ok(listing.map(|listing| listing.conversation.clone()))
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        let users = self.users.lock();
        let after = after.map_or(Unbounded, Excluded);
        Ok(users
            .range::<UserId, _>((after, Unbounded))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        let count = |_: &_, history: &History| history.unread(reader, above, cap);
        let count = self.histories.read_sync(&conversation, count);
        Ok(count.unwrap_or_default())
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

    fn in_flight(&self) -> Option<LogKey> {
        None
    }

    fn newest(&self) -> Option<Revision> {
        None
    }
}

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
