//! One conversation: its messages, their log, and the listing that both inboxes show.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use messenger_core::{
    Content, Conversation, LastMessage, LogKey, Logged, Message, MessageId, MessageParts, Position,
    ReadMarker, Revision, UserId, Version,
};

use crate::inbox::Listing;
use crate::merge::merge;

/// One conversation.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The conversation as both inboxes list it; `None` before its first message.
    listing: Option<Arc<Listing>>,
    rows: BTreeMap<MessageId, Row>,
    /// The messages that were edited, unsent or sent late.
    changes: BTreeMap<MessageId, Change>,
    /// Those messages by the log key of their last change. All messages stand in the log at their
    /// ids too, so the log is this map and `rows`.
    changes_by_key: BTreeMap<LogKey, MessageId>,
}

/// The per-message part of a message; ids and users are stored once per conversation.
#[derive(Debug)]
struct Row {
    /// `true` if the first participant sent it.
    from_first: bool,
    /// `true` if there is an entry in `changes`.
    changed: bool,
    /// `None` if it is unsent.
    content: Option<Content>,
}

#[derive(Debug)]
struct Change {
    revision: Revision,
    /// The greatest log key of the message.
    key: LogKey,
}

/// A change of the listing of a conversation.
#[derive(Debug)]
pub(crate) struct Relisted {
    /// The listing before; `None` for the first one.
    pub(crate) before: Option<Arc<Listing>>,
    pub(crate) now: Arc<Listing>,
}

impl History {
    /// Adds a version of a message. Returns how the conversation's listing changed, if it did.
    pub(crate) fn put(&mut self, key: LogKey, message: &Message) -> Option<Relisted> {
        let id = message.id();
        self.put_version(key, message);
        let logged = (key != id.into()).then_some(key);

        let listing = self.listing.as_deref();
        let is_last = listing.is_none_or(|listing| listing.last_message.id() <= id);
        let last_message = match listing {
            Some(listing) if !is_last => listing.last_message.clone(),
            // Not of the message that was put: a greater version of it may be here.
            _ => LastMessage::of(&self.build(&Conversation::of(message), id)?),
        };
        self.relist(Listing {
            conversation: Conversation::of(message),
            last_message,
            read: listing.map_or([None; 2], |listing| listing.read),
            changed: logged.max(listing.and_then(|listing| listing.changed)),
        })
    }

    /// Moves a read marker forward. Returns how the conversation's listing changed, if it did.
    pub(crate) fn mark(&mut self, key: LogKey, marker: &ReadMarker) -> Option<Relisted> {
        let mut listing = Listing::clone(self.listing.as_deref()?);
        let participants = marker.conversation.participants().iter();
        for (read, user) in listing.read.iter_mut().zip(participants) {
            if *user == marker.reader {
                *read = (*read).max(Some(marker.up_to));
            }
        }
        listing.changed = listing.changed.max(Some(key));
        self.relist(listing)
    }

    fn relist(&mut self, listing: Listing) -> Option<Relisted> {
        if self.listing.as_deref() == Some(&listing) {
            return None;
        }
        let now = Arc::new(listing);
        let before = self.listing.replace(Arc::clone(&now));
        Some(Relisted { before, now })
    }

    /// Keeps the version if it is the greatest of its message, and moves the message up in the log.
    fn put_version(&mut self, key: LogKey, message: &Message) {
        let id = message.id();
        let row = self.rows.entry(id).or_insert_with(|| Row {
            from_first: message.sender_id() < message.receiver_id(),
            changed: false,
            content: message.content().cloned(),
        });
        if message.is_original() && key == id.into() && !row.changed {
            return;
        }
        row.changed = true;
        let change = self.changes.entry(id).or_insert(Change {
            revision: id.into(),
            key: id.into(),
        });
        let version = Version {
            unsent: row.content.is_none(),
            revision: change.revision,
        };
        if message.version() > version {
            row.content = message.content().cloned();
            change.revision = message.revision();
        }
        // A reader who has not read up to the last key finds the message there, as it is now, so
        // the keys before it can go: this all happens under one lock.
        if key > change.key {
            self.changes_by_key.remove(&change.key);
            self.changes_by_key.insert(key, id);
            change.key = key;
        }
    }

    pub(crate) fn message(&self, id: MessageId) -> Option<Message> {
        let listing = self.listing.as_ref()?;
        self.build(&listing.conversation, id)
    }

    pub(crate) fn page(&self, below: Option<Position>, limit: usize) -> Vec<Message> {
        let Some(listing) = &self.listing else {
            return Vec::new();
        };
        let below = below.map_or(Bound::Unbounded, |below| {
            Bound::Excluded(below.as_message_id())
        });
        let rows = self.rows.range((Bound::Unbounded, below)).rev();
        // A range does not know its length, and growing would copy the page again and again.
        let mut page = Vec::with_capacity(limit.min(self.rows.len()));
        page.extend(
            rows.take(limit)
                .map(|(&id, row)| self.build_row(&listing.conversation, id, row)),
        );
        page
    }

    pub(crate) fn log_page(&self, above: Position, limit: usize) -> Vec<Logged<Message>> {
        let Some(listing) = &self.listing else {
            return Vec::new();
        };
        let after = (Bound::Excluded(above.as_message_id()), Bound::Unbounded);
        let sent = self.rows.range(after).map(|(&id, _)| (id.into(), id));
        let after = (Bound::Excluded(above.as_log_key()), Bound::Unbounded);
        let changed = self
            .changes_by_key
            .range(after)
            .map(|(&key, &id)| (key, id));
        merge(sent, changed, |one: &(LogKey, _), other| one.0 < other.0)
            .take(limit)
            .filter_map(|(key, id)| {
                let item = self.build(&listing.conversation, id)?;
                Some(Logged { key, item })
            })
            .collect()
    }

    /// Counts the messages above a position that others sent and that are not unsent, up to a cap.
    pub(crate) fn unread(&self, reader: &UserId, above: Option<Position>, cap: usize) -> usize {
        let Some(listing) = &self.listing else {
            return 0;
        };
        let is_first = listing.is_first(reader);
        let above = above.map_or(Bound::Unbounded, |above| {
            Bound::Excluded(above.as_message_id())
        });
        self.rows
            .range((above, Bound::Unbounded))
            .filter(|(_, row)| row.from_first != is_first && row.content.is_some())
            .take(cap)
            .count()
    }

    pub(crate) fn listing(&self) -> Option<Arc<Listing>> {
        self.listing.clone()
    }

    fn build(&self, conversation: &Conversation, id: MessageId) -> Option<Message> {
        let row = self.rows.get(&id)?;
        Some(self.build_row(conversation, id, row))
    }

    fn build_row(&self, conversation: &Conversation, id: MessageId, row: &Row) -> Message {
        let [first, second] = conversation.participants().as_slice() else {
            // `put` takes the conversation from a message, which has a sender and a receiver.
            unreachable!("a direct conversation has two participants");
        };
        let (sender, receiver): (&UserId, &UserId) = if row.from_first {
            (first, second)
        } else {
            (second, first)
        };
        Message::from_parts(MessageParts {
            id,
            conversation_id: conversation.id(),
            sender_id: sender.clone(),
            receiver_id: receiver.clone(),
            revision: if row.changed {
                revision(&self.changes, id)
            } else {
                id.into()
            },
            content: row.content.clone(),
        })
    }
}

fn revision(changes: &BTreeMap<MessageId, Change>, id: MessageId) -> Revision {
    changes.get(&id).map_or(id.into(), |change| change.revision)
}
