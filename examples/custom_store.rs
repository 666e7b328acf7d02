//! A store of your own, and the conformance suite that checks it: `cargo run --example custom_store`.
//!
//! The store is a few ordered maps behind one lock. Comments name the rules of the [`Store`] contract
//! that a method has to keep.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Trial};
use messenger_core::conformance;
use messenger_core::{
    Claim, Conversation, ConversationId, Error, IdempotencyKey, InboxEntry, LastMessage, LogKey,
    Logged, Message, MessageId, Position, ReadMarker, Reservation, Revision, Store, UserId,
};
use parking_lot::Mutex;

/// Runs every case, each as a test of its own. The flags are those of `cargo test`: a name selects
/// cases, and `--list` shows them.
fn main() {
    let cases = conformance::cases().iter().map(|case| {
        Trial::test(case.to_string(), || {
            Ok(case.run_blocking(&MapStore::default)?)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), cases.collect()).exit()
}

/// One lock for everything makes each call atomic, so that most rules are easy to keep.
#[derive(Debug, Default)]
struct MapStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    chats: HashMap<ConversationId, Chat>,
    inboxes: BTreeMap<UserId, Inbox>,
    keys: HashMap<(UserId, IdempotencyKey), Claim>,
}

/// A conversation with everything in it.
#[derive(Debug)]
struct Chat {
    conversation: Conversation,
    /// The greatest version of each message, by its place.
    messages: BTreeMap<Position, Message>,
    /// The messages by their log keys; each stands at its place too.
    log: BTreeMap<Position, MessageId>,
    read_up_to: HashMap<UserId, MessageId>,
    /// The greatest log key of all changes.
    changed: Position,
}

/// The conversations of a user.
#[derive(Debug, Default)]
struct Inbox {
    /// By the place of their last message.
    places: BTreeMap<Position, ConversationId>,
    /// By the log key of their last change.
    log: BTreeMap<Position, ConversationId>,
}

#[async_trait]
impl Store for MapStore {
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        self.tables
            .lock()
            .change(message.conversation_id(), |chat| {
                let chat = chat.get_or_insert_with(|| Chat::of(message));
                chat.put(key.into(), message);
            });
        Ok(())
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        self.tables.lock().change(marker.conversation.id(), |chat| {
            if let Some(chat) = chat {
                chat.mark(key.into(), marker);
            }
        });
        Ok(())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let tables = self.tables.lock();
        let chat = tables.chats.get(&conversation);
        Ok(chat.and_then(|chat| chat.messages.get(&id.into()).cloned()))
    }

    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let tables = self.tables.lock();
        let messages = tables.chats.get(&conversation).map(|chat| &chat.messages);
        let page = messages.into_iter().flat_map(|all| newest(all, below));
        Ok(page.take(limit).cloned().collect())
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        let tables = self.tables.lock();
        let Some(chat) = tables.chats.get(&conversation) else {
            return Ok(Vec::new());
        };
        let page = oldest(&chat.log, above)
            .take(limit)
            .map(|(key, &id)| Logged {
                key: key.as_log_key(),
                item: chat.messages[&id.into()].clone(),
            });
        Ok(page.collect())
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        let tables = self.tables.lock();
        let places = tables.inboxes.get(user).map(|inbox| &inbox.places);
        let page = places.into_iter().flat_map(|all| newest(all, below));
        let entries = page.take(limit).map(|id| tables.chats[id].entry(user));
        Ok(entries.collect())
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        let tables = self.tables.lock();
        let log = tables.inboxes.get(user).map(|inbox| &inbox.log);
        let page = log.into_iter().flat_map(|all| oldest(all, above));
        let entries = page.take(limit).map(|(key, id)| Logged {
            key: key.as_log_key(),
            item: tables.chats[id].entry(user),
        });
        Ok(entries.collect())
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        let tables = self.tables.lock();
        let chat = tables.chats.get(&conversation);
        let chat = chat.filter(|chat| {
            chat.conversation
                .participants()
                .iter()
                .any(|one| one == user)
        });
        Ok(chat.map(|chat| chat.entry(user)))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let tables = self.tables.lock();
        Ok(tables.chats.get(&id).map(|chat| chat.conversation.clone()))
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        let tables = self.tables.lock();
        let after = after.map_or(Unbounded, Excluded);
        let users = tables.inboxes.range::<UserId, _>((after, Unbounded));
        Ok(users.take(limit).map(|(user, _)| user.clone()).collect())
    }

    /// Counts what others sent and did not unsend (rule 15).
    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        let tables = self.tables.lock();
        let Some(chat) = tables.chats.get(&conversation) else {
            return Ok(0);
        };
        let above = above.map_or(Unbounded, Excluded);
        let unread = chat
            .messages
            .range((above, Unbounded))
            .filter(|(_, message)| message.sender_id() != reader && message.content().is_some());
        Ok(unread.take(cap).count())
    }

    /// The first claim wins (rule 9). A store for production forgets keys after a day or so.
    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        let key = (reservation.sender_id.clone(), reservation.key.clone());
        let mut tables = self.tables.lock();
        Ok(*tables.keys.entry(key).or_insert(reservation.claim))
    }

    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }

    /// No other process writes here.
    fn settle(&self) -> Duration {
        Duration::ZERO
    }

    /// A write is complete before its future can be dropped.
    fn in_flight(&self) -> Option<LogKey> {
        None
    }

    /// The store is empty when it is opened.
    fn newest(&self) -> Option<Revision> {
        None
    }
}

impl Tables {
    /// Changes a conversation, and lists it anew in the inboxes of both participants (rule 5).
    fn change(&mut self, id: ConversationId, change: impl FnOnce(&mut Option<Chat>)) {
        let mut chat = self.chats.remove(&id);
        if let Some(chat) = &chat {
            for user in chat.conversation.participants() {
                let inbox = self.inboxes.entry(user.clone()).or_default();
                inbox.places.remove(&chat.place());
                inbox.log.remove(&chat.changed);
            }
        }
        change(&mut chat);
        if let Some(chat) = chat {
            for user in chat.conversation.participants() {
                let inbox = self.inboxes.entry(user.clone()).or_default();
                inbox.places.insert(chat.place(), id);
                inbox.log.insert(chat.changed, id);
            }
            self.chats.insert(id, chat);
        }
    }
}

impl Chat {
    /// A conversation with its first message.
    fn of(message: &Message) -> Self {
        Self {
            conversation: Conversation::of(message),
            messages: BTreeMap::new(),
            log: BTreeMap::new(),
            read_up_to: HashMap::new(),
            changed: message.id().into(),
        }
    }

    /// Keeps the greatest version of the message, whatever the order of writes (rules 4, 6 and 13).
    fn put(&mut self, key: Position, message: &Message) {
        let place = message.id().into();
        let kept = self
            .messages
            .entry(place)
            .or_insert_with(|| message.clone());
        if message.version() > kept.version() {
            *kept = message.clone();
        }
        self.log.insert(place, message.id());
        self.log.insert(key, message.id());
        self.changed = self.changed.max(place).max(key);
    }

    /// Moves the marker forward, never back (rule 14).
    fn mark(&mut self, key: Position, marker: &ReadMarker) {
        let up_to = self
            .read_up_to
            .entry(marker.reader.clone())
            .or_insert(marker.up_to);
        *up_to = marker.up_to.max(*up_to);
        self.changed = self.changed.max(key);
    }

    /// The place of the last message.
    fn place(&self) -> Position {
        self.last_message().id().into()
    }

    fn last_message(&self) -> &Message {
        let last = self.messages.values().next_back();
        last.expect("a conversation is created with its first message")
    }

    /// The conversation as this participant sees it.
    fn entry(&self, user: &UserId) -> InboxEntry {
        let others = self
            .conversation
            .participants()
            .iter()
            .filter(|one| *one != user);
        let seen = others.filter_map(|other| self.read_up_to.get(other)).max();
        InboxEntry::new(
            self.conversation.clone(),
            LastMessage::of(self.last_message()),
        )
        .with_markers(self.read_up_to.get(user).copied(), seen.copied())
    }
}

/// The rows below a position, the greatest first (rules 3 and 12).
fn newest<T>(rows: &BTreeMap<Position, T>, below: Option<Position>) -> impl Iterator<Item = &T> {
    let below = below.map_or(Unbounded, Excluded);
    rows.range((Unbounded, below)).rev().map(|(_, row)| row)
}

/// The rows above a position, the smallest first.
fn oldest<T>(
    rows: &BTreeMap<Position, T>,
    above: Position,
) -> impl Iterator<Item = (&Position, &T)> {
    rows.range((Excluded(above), Unbounded))
}
