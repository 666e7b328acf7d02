//! What this process knows to be in the tables, so that most sends write three rows and no more.
//!
//! Only facts go in, each after its write was acknowledged or its row was read at quorum. What is
//! forgotten costs a read and a write that changes nothing; what is wrong would lose a row. So
//! nothing is assumed, and everything is forgotten ten minutes after the first fact of its
//! conversation came in: a table that was truncated or restored heals by itself.

use std::time::{Duration, Instant};

use messenger_core::ConversationId;
use quick_cache::sync::Cache;

use crate::window::{Bucket, Epoch};

/// How long a fact is believed.
const LIFETIME: Duration = Duration::from_secs(600);

/// Facts about conversations, bounded in number and in time.
#[derive(Debug)]
pub(crate) struct Seen {
    conversations: Cache<ConversationId, Entry>,
    lifetime: Duration,
}

#[derive(Clone, Debug)]
struct Entry {
    since: Instant,
    known: Known,
}

/// What is known about a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Whether its row in `conversations` is there.
    pub(crate) conversation: bool,
    /// A bucket whose row in `message_buckets` is there.
    pub(crate) bucket: Option<Bucket>,
    /// For each participant, in the order of the participants.
    pub(crate) inboxes: Vec<InboxFacts>,
}

/// What is known about a conversation in one user's inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InboxFacts {
    /// The epoch of a head that was acknowledged, or read at quorum.
    pub(crate) head: Option<Epoch>,
    /// The epoch of a recency row that was acknowledged.
    pub(crate) row: Option<Epoch>,
}

impl InboxFacts {
    /// Whether the recency row of this epoch need not be written: exactly that row was
    /// acknowledged, or a head of that epoch or a later one is there, whose own row came before it.
    pub(crate) fn covers(self, epoch: Epoch) -> bool {
        self.row == Some(epoch) || self.head >= Some(epoch)
    }
}

impl Seen {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            conversations: Cache::new(capacity),
            lifetime: LIFETIME,
        }
    }

    /// What is known about a conversation, if anything is.
    pub(crate) fn get(&self, conversation: ConversationId) -> Option<Known> {
        let entry = self.conversations.get(&conversation)?;
        if entry.since.elapsed() < self.lifetime {
            return Some(entry.known);
        }
        self.conversations.remove(&conversation);
        None
    }

    /// Replaces what is known. Of two at the same time one wins, and both are true.
    pub(crate) fn put(&self, conversation: ConversationId, known: Known) {
        let since = match self.conversations.get(&conversation) {
            Some(entry) if entry.since.elapsed() < self.lifetime => entry.since,
            _ => Instant::now(),
        };
        self.conversations
            .insert(conversation, Entry { since, known });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(head: Option<i32>, row: Option<i32>) -> InboxFacts {
        InboxFacts {
            head: head.map(Epoch),
            row: row.map(Epoch),
        }
    }

    #[test]
    fn a_row_is_skipped_for_itself_or_for_a_head_that_is_not_older() {
        assert!(facts(None, Some(5)).covers(Epoch(5)));
        assert!(facts(Some(5), None).covers(Epoch(5)));
        assert!(facts(Some(6), None).covers(Epoch(5)));
        assert!(!facts(Some(4), None).covers(Epoch(5)));
        // A row of a later epoch says nothing: its head may never come.
        assert!(!facts(None, Some(6)).covers(Epoch(5)));
        assert!(!facts(None, None).covers(Epoch(5)));
    }

    #[test]
    fn facts_end_with_their_lifetime_also_when_they_are_renewed() {
        let seen = Seen {
            conversations: Cache::new(10),
            lifetime: Duration::from_millis(40),
        };
        let id = ConversationId::from(uuid::Uuid::from_u128(1));
        seen.put(id, Known::default());
        std::thread::sleep(Duration::from_millis(25));
        assert!(seen.get(id).is_some());
        seen.put(id, Known::default());
        std::thread::sleep(Duration::from_millis(25));
        assert_eq!(seen.get(id), None);
    }
}
