//! A store of your own, from end to end, and the suite that checks it:
//! `cargo run --example custom_store`.
//!
//! This one is a few ordered maps behind one lock. Each method names the rules of [`Store`] that it
//! has to keep.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Failed, Trial};
use messenger_core::conformance::{self, Lockstep};
use messenger_core::{
    Claim, Conversation, ConversationId, Error, IdempotencyKey, InboxEntry, LastMessage, LogKey,
    Logged, Message, MessageId, Position, ReadMarker, Reservation, Revision, Store, UserId,
};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

/// Runs every case as a test of its own, and then generated calls against the model. The flags are
/// those of `cargo test`: a name selects cases, and `--list` shows them.
fn main() {
    let cases = conformance::cases().iter().map(|case| {
        Trial::test(case.to_string(), || {
            Ok(case.run_blocking(&MapStore::default)?)
        })
    });
    let model = Trial::test("it_agrees_with_the_model", agrees_with_the_model);
    let trials = cases.chain([model]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

fn agrees_with_the_model() -> Result<(), Failed> {
    let lockstep = Lockstep::new().with_store("map", MapStore::default);
    lockstep.with_runs(50).run(&Runtime::new()?)?;
    Ok(())
}

/// One lock for everything: it makes every call atomic, and the rules easy to keep.
#[derive(Debug, Default)]
struct MapStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    conversations: HashMap<ConversationId, Entry>,
    keys: HashMap<(UserId, IdempotencyKey), Claim>,
}

/// A conversation with its messages, log and read markers.
#[derive(Debug)]
struct Entry {
    conversation: Conversation,
    /// The greatest version of each message, by place.
    messages: BTreeMap<Position, Message>,
    /// The messages at their log keys: at their ids, and at the keys of their changes.
    log: BTreeMap<Position, MessageId>,
    /// The greatest log key of everything in the conversation.
    changed: LogKey,
    markers: HashMap<UserId, MessageId>,
}

#[async_trait]
impl Store for MapStore {
    /// Keeps the greatest version, in whatever order versions arrive (rules 1, 4, 6 and 13), and
    /// logs each write at its key (rule 7).
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        let mut tables = self.tables.lock();
        let entry = tables
            .conversations
            .entry(message.conversation_id())
            .or_insert_with(|| Entry::new(message));
        let kept = entry
            .messages
            .entry(message.id().into())
            .or_insert_with(|| message.clone());
        if message.version() > kept.version() {
            *kept = message.clone();
        }
        entry.log.insert(message.id().into(), message.id());
        entry.log.insert(key.into(), message.id());
        // An import is quiet: it does not move the conversation in the logs of the inboxes.
        if key != message.id().into() {
            entry.changed = entry.changed.max(key);
        }
        Ok(())
    }

    /// A marker only moves forward (rule 14). Both participants read the same marker, so both move.
    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        let mut tables = self.tables.lock();
        if let Some(entry) = tables.conversations.get_mut(&marker.conversation.id()) {
            let read = entry
                .markers
                .entry(marker.reader.clone())
                .or_insert(marker.up_to);
            *read = marker.up_to.max(*read);
            entry.changed = entry.changed.max(key);
        }
        Ok(())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let tables = self.tables.lock();
        let entry = tables.conversations.get(&conversation);
        Ok(entry.and_then(|entry| entry.messages.get(&id.into()).cloned()))
    }

    /// The bound is exclusive (rule 3), and it reads no more than it returns (rule 12).
    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let tables = self.tables.lock();
        let below = below.map_or(Bound::Unbounded, Bound::Excluded);
        let page = tables.conversations.get(&conversation).map(|entry| {
            let messages = entry.messages.range((Bound::Unbounded, below));
            messages.rev().take(limit).map(|(_, message)| message)
        });
        Ok(page.into_iter().flatten().cloned().collect())
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        let tables = self.tables.lock();
        let page = tables.conversations.get(&conversation).map(|entry| {
            let log = entry.log.range((Bound::Excluded(above), Bound::Unbounded));
            log.take(limit).map(|(key, id)| Logged {
                key: key.as_log_key(),
                item: entry.messages[&Position::from(*id)].clone(),
            })
        });
        Ok(page.into_iter().flatten().collect())
    }

    /// Each conversation once, by its last message (rule 5). A store for daily use keeps the inbox
    /// in this order instead of sorting it for each page.
    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        let mut entries: Vec<_> = self.tables.lock().inbox(user).collect();
        entries.retain(|logged| below.is_none_or(|below| logged.item.place() < below));
        entries.sort_by_key(|logged| std::cmp::Reverse(logged.item.place()));
        let page = entries.into_iter().take(limit);
        Ok(page.map(|logged| logged.item).collect())
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        let mut entries: Vec<_> = self.tables.lock().inbox(user).collect();
        entries.retain(|logged| Position::from(logged.key) > above);
        entries.sort_by_key(|logged| logged.key);
        entries.truncate(limit);
        Ok(entries)
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        let tables = self.tables.lock();
        let entry = tables.conversations.get(&conversation);
        Ok(entry
            .and_then(|entry| entry.of(user))
            .map(|logged| logged.item))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let tables = self.tables.lock();
        Ok(tables
            .conversations
            .get(&id)
            .map(|entry| entry.conversation.clone()))
    }

    /// Counts messages of others that are not unsent, up to the cap (rule 15).
    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        let tables = self.tables.lock();
        let Some(entry) = tables.conversations.get(&conversation) else {
            return Ok(0);
        };
        let above = above.map_or(Bound::Unbounded, Bound::Excluded);
        let messages = entry.messages.range((above, Bound::Unbounded));
        let unread =
            messages.filter(|(_, message)| message.sender_id() != reader && !message.is_unsent());
        Ok(unread.take(cap).count())
    }

    /// The first claim stays (rule 9). A store for daily use forgets keys after a day.
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

    /// A dropped future has done everything or nothing: there is no await in `put`.
    fn in_flight(&self) -> Option<LogKey> {
        None
    }

    /// It is empty when it is created.
    fn newest(&self) -> Option<Revision> {
        None
    }
}

impl Tables {
    fn inbox(&self, user: &UserId) -> impl Iterator<Item = Logged<InboxEntry>> {
        self.conversations
            .values()
            .filter_map(|entry| entry.of(user))
    }
}

impl Entry {
    fn new(message: &Message) -> Self {
        Self {
            conversation: Conversation::of(message),
            messages: BTreeMap::new(),
            log: BTreeMap::new(),
            changed: message.id().into(),
            markers: HashMap::new(),
        }
    }

    /// Returns the conversation as a user sees it, at its log key: the greatest of its place and of
    /// the keys of all changes.
    fn of(&self, user: &UserId) -> Option<Logged<InboxEntry>> {
        let other = self.conversation.participants().other_than(user)?;
        let last = self.messages.values().next_back()?;
        let marker = |user: &UserId| self.markers.get(user).copied();
        let entry = InboxEntry::new(self.conversation.clone(), LastMessage::of(last))
            .with_markers(marker(user), marker(other));
        Some(Logged {
            key: self.changed.max(last.id().into()),
            item: entry,
        })
    }
}
