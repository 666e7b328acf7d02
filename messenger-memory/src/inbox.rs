//! The conversations of one user, by place and by log key.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use messenger_core::{
    Conversation, InboxEntry, LastMessage, LogKey, Logged, MessageId, Position, UserId,
};

use crate::history::Relisted;
use crate::merge::merge;

/// A conversation as its participants' inboxes list it. They share it; each sees it as an
/// [`InboxEntry`] of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) conversation: Conversation,
    pub(crate) last_message: LastMessage,
    /// The read markers, in the order of the participants.
    pub(crate) read: [Option<MessageId>; 2],
    /// The greatest log key of an edit, an unsend, a late send or a read marker.
    pub(crate) changed: Option<LogKey>,
}

impl Listing {
    /// Returns whether a user is the first participant.
    pub(crate) fn is_first(&self, user: &UserId) -> bool {
        self.conversation.participants().as_slice().first() == Some(user)
    }

    /// Returns the entry of a participant.
    pub(crate) fn entry(&self, user: &UserId) -> InboxEntry {
        let [first, second] = self.read;
        let (read, seen) = if self.is_first(user) {
            (first, second)
        } else {
            (second, first)
        };
        InboxEntry::new(self.conversation.clone(), self.last_message.clone())
            .with_markers(read, seen)
    }

    fn place(&self) -> MessageId {
        self.last_message.id()
    }

    /// Returns the log key, if it differs from the place.
    fn changed_above_place(&self) -> Option<LogKey> {
        self.changed.filter(|&key| key > self.place().into())
    }
}

/// One user's conversations. Those whose last change is their last message are apart from the
/// others, so that both orders are merges of ordered maps and a page costs what it holds.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Conversations whose log key is their place.
    sent: BTreeMap<MessageId, Arc<Listing>>,
    /// Conversations that were changed after their last message was sent, by place and by log key.
    changed: BTreeMap<MessageId, Arc<Listing>>,
    changed_by_key: BTreeMap<LogKey, Arc<Listing>>,
}

impl Inbox {
    /// Lists a conversation where it is now instead of where it was. The history knows both, so an
    /// inbox needs no map of where conversations are.
    pub(crate) fn relist(&mut self, relisted: &Relisted) {
        if let Some(before) = &relisted.before {
            match before.changed_above_place() {
                None => self.sent.remove(&before.place()),
                Some(key) => {
                    self.changed_by_key.remove(&key);
                    self.changed.remove(&before.place())
                }
            };
        }
        let now = &relisted.now;
        match now.changed_above_place() {
            None => self.sent.insert(now.place(), Arc::clone(now)),
            Some(key) => {
                self.changed_by_key.insert(key, Arc::clone(now));
                self.changed.insert(now.place(), Arc::clone(now))
            }
        };
    }

    pub(crate) fn page(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Vec<InboxEntry> {
        let below = below.map_or(Bound::Unbounded, |below| {
            Bound::Excluded(below.as_message_id())
        });
        let before = (Bound::Unbounded, below);
        let sent = self.sent.range(before).rev();
        let changed = self.changed.range(before).rev();
        let mut page = Vec::with_capacity(limit.min(self.sent.len() + self.changed.len()));
        page.extend(
            merge(sent, changed, |one, other| one.0 > other.0)
                .take(limit)
                .map(|(_, listing)| listing.entry(user)),
        );
        page
    }

    pub(crate) fn log_page(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Vec<Logged<InboxEntry>> {
        let after = (Bound::Excluded(above.as_message_id()), Bound::Unbounded);
        let sent = self.sent.range(after);
        let sent = sent.map(|(&place, listing)| (LogKey::from(place), listing));
        let after = (Bound::Excluded(above.as_log_key()), Bound::Unbounded);
        let changed = self.changed_by_key.range(after);
        let changed = changed.map(|(&key, listing)| (key, listing));
        merge(sent, changed, |one, other| one.0 < other.0)
            .take(limit)
            .map(|(key, listing)| Logged {
                key,
                item: listing.entry(user),
            })
            .collect()
    }
}
