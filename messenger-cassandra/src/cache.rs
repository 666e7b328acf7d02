//! The write cache: rows that this process knows to be in the tables, so that most sends write three
//! rows and no more, and most pages read one statement.
//!
//! Only facts go in, each after its write was acknowledged or its row was read at quorum. A fact that
//! is forgotten costs a read and a write that changes nothing; a fact that is wrong would lose a row.
//! So nothing is assumed, and everything is forgotten ten minutes after the first fact about its
//! conversation came in: a table that was truncated or restored heals by itself.

use std::time::{Duration, Instant};

use messenger_core::ConversationId;
use quick_cache::sync::Cache as Lru;

use crate::window::{Bucket, Epoch};

/// The lifetime of a fact.
const LIFETIME: Duration = Duration::from_secs(600);

/// Facts about conversations, bounded in number and in time.
#[derive(Debug)]
pub(crate) struct Cache {
    conversations: Lru<ConversationId, Cached>,
    lifetime: Duration,
}

#[derive(Clone, Debug)]
struct Cached {
    since: Instant,
    facts: Facts,
}

/// Facts about a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Its row in `conversations` is there.
    pub(crate) conversation: bool,
    /// A bucket whose row in `message_buckets` is there.
    pub(crate) bucket: Option<Bucket>,
    /// A bucket whose row in `change_buckets` is there.
    pub(crate) change_bucket: Option<Bucket>,
    /// Facts about the inboxes of its participants, in their order.
    pub(crate) inboxes: Option<[InboxFacts; 2]>,
}

/// Facts about a conversation in one user's inbox. "Known" means: by an acknowledged batch of this
/// process, or by a read at quorum that selected the static columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InboxFacts {
    /// The greatest epoch of a place that is known.
    pub(crate) place: Option<Epoch>,
    /// The greatest epoch of a log key that is known. Not less than `place`.
    pub(crate) key: Option<Epoch>,
    /// The epoch of a row of `inbox_recency` that was acknowledged.
    pub(crate) recency_row: Option<Epoch>,
    /// The epoch of a row of `inbox_changes` that was acknowledged.
    pub(crate) changes_row: Option<Epoch>,
    /// The epoch of a row of `inbox_changes` that may be there and can go once `key` has moved on.
    pub(crate) left_over: Option<Epoch>,
}

impl InboxFacts {
    /// Returns whether the row of `inbox_recency` of this epoch need not be written: exactly that row
    /// was acknowledged, or a place of that epoch or a later one is known, whose own row came before
    /// it.
    pub(crate) fn has_recency(self, epoch: Epoch) -> bool {
        self.recency_row == Some(epoch) || self.place >= Some(epoch)
    }

    /// Returns whether the row of `inbox_changes` of this epoch need not be written. A row of
    /// `inbox_recency` does as well: whoever follows the log scans both.
    pub(crate) fn has_changes(self, epoch: Epoch) -> bool {
        self.changes_row == Some(epoch)
            || self.recency_row == Some(epoch)
            || self.key >= Some(epoch)
    }
}

impl Cache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            conversations: Lru::new(capacity),
            lifetime: LIFETIME,
        }
    }

    /// Returns the facts about a conversation; none if nothing is known.
    pub(crate) fn get(&self, conversation: ConversationId) -> Facts {
        let Some(cached) = self.conversations.get(&conversation) else {
            return Facts::default();
        };
        if cached.since.elapsed() < self.lifetime {
            return cached.facts;
        }
        self.conversations.remove(&conversation);
        Facts::default()
    }

    /// Replaces the facts. Of two calls at the same time one wins, and the facts of both are true.
    pub(crate) fn put(&self, conversation: ConversationId, facts: Facts) {
        let since = match self.conversations.get(&conversation) {
            Some(cached) if cached.since.elapsed() < self.lifetime => cached.since,
            _ => Instant::now(),
        };
        self.conversations
            .insert(conversation, Cached { since, facts });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: Option<i32>) -> InboxFacts {
        let place = place.map(Epoch);
        InboxFacts {
            place,
            key: place,
            ..InboxFacts::default()
        }
    }

    #[test]
    fn a_row_is_skipped_for_itself_or_for_a_place_that_is_not_older() {
        let row = InboxFacts {
            recency_row: Some(Epoch(5)),
            ..InboxFacts::default()
        };
        assert!(row.has_recency(Epoch(5)));
        assert!(at(Some(5)).has_recency(Epoch(5)));
        assert!(at(Some(6)).has_recency(Epoch(5)));
        assert!(!at(Some(4)).has_recency(Epoch(5)));
        // A row of a later epoch says nothing: its place may never come.
        assert!(!row.has_recency(Epoch(4)));
        assert!(!at(None).has_recency(Epoch(5)));
    }

    #[test]
    fn a_change_needs_no_row_of_its_own_beside_one_for_the_place() {
        let row = InboxFacts {
            recency_row: Some(Epoch(5)),
            ..InboxFacts::default()
        };
        assert!(row.has_changes(Epoch(5)));
        let key = InboxFacts {
            key: Some(Epoch(6)),
            ..at(Some(3))
        };
        assert!(key.has_changes(Epoch(5)));
        // The other way round it needs one: a key says nothing about places.
        assert!(!key.has_recency(Epoch(5)));
        assert!(!at(Some(4)).has_changes(Epoch(5)));
    }

    #[test]
    fn facts_end_with_their_lifetime_also_when_they_are_renewed() {
        let cache = Cache {
            conversations: Lru::new(10),
            lifetime: Duration::from_millis(40),
        };
        let facts = Facts {
            conversation: true,
            ..Facts::default()
        };
        let id = ConversationId::from(uuid::Uuid::from_u128(1));
        cache.put(id, facts);
        std::thread::sleep(Duration::from_millis(25));
        assert_eq!(cache.get(id), facts);
        cache.put(id, facts);
        std::thread::sleep(Duration::from_millis(25));
        assert_eq!(cache.get(id), Facts::default());
    }
}
