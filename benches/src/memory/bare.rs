//! The baselines: ordered maps, each behind a lock.

use std::collections::BTreeMap;
use std::ops::Bound;

use anyhow::{Context as _, Result, bail, ensure};
use messenger_core::{
    Claim, Conversation, ConversationId, IdempotencyKey, InboxEntry, LastMessage, Message,
    MessageId, UserId,
};
use parking_lot::{Mutex, RwLock};

use crate::operation::{Operation, Target};
use crate::page::{PageRead, Range, Row};

/// The rows of one list.
#[derive(Debug)]
pub(super) struct OrderedMap<T>(RwLock<BTreeMap<MessageId, T>>);

impl<T: Row + Clone> OrderedMap<T> {
    /// Creates a map of these rows, sorted by these ids.
    pub(super) fn new(ids: &[MessageId], rows: Vec<T>) -> Self {
        let rows = ids.iter().copied().zip(rows);
        Self(RwLock::new(rows.collect()))
    }

    /// Returns clones of the rows of a page.
    fn page(&self, read: &PageRead) -> Vec<T> {
        let mut page = Vec::with_capacity(read.limit);
        let rows = self.0.read();
        let copy = |(_, row): (_, &T)| row.clone();
        match read.range {
            Range::Older { below } => {
                let below = below.map_or(Bound::Unbounded, |below| {
                    Bound::Excluded(below.as_message_id())
                });
                let rows = rows.range((Bound::Unbounded, below)).rev();
                page.extend(rows.take(read.limit).map(copy));
            }
            Range::Newer { above } => {
                let above = Bound::Excluded(above.as_message_id());
                let rows = rows.range((above, Bound::Unbounded));
                page.extend(rows.take(read.limit).map(copy));
            }
        }
        page
    }
}

impl<T: Row + Clone + Send + Sync + 'static> Target<Operation> for OrderedMap<T> {
    async fn call(&self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Page(_, page) => page.check(&self.page(page)),
            other => bail!("a map of one list cannot {other:?}"),
        }
    }
}

/// Returns the entry of a conversation whose last message this is.
pub(super) fn entry(message: &Message) -> InboxEntry {
    InboxEntry::new(Conversation::of(message), LastMessage::of(message))
}

/// Conversations with their last messages, by their ids.
#[derive(Debug, Default)]
pub(super) struct BareConversations(RwLock<BTreeMap<ConversationId, InboxEntry>>);

impl BareConversations {
    /// Stores a conversation and returns its previous state.
    pub(super) fn replace(&self, conversation: &InboxEntry) -> Option<InboxEntry> {
        let mut conversations = self.0.write();
        conversations.insert(conversation.id(), conversation.clone())
    }
}

impl Target<Operation> for BareConversations {
    async fn call(&self, operation: &Operation) -> Result<()> {
        let Operation::Conversation(id) = operation else {
            bail!("a map of conversations cannot {operation:?}");
        };
        let found = self
            .0
            .read()
            .get(id)
            .map(|entry| entry.conversation().clone());
        ensure!(found.context("no such conversation")?.id() == *id);
        Ok(())
    }
}

/// The messages of all conversations, by conversation and id, and no other view.
#[derive(Debug, Default)]
pub(super) struct OneMap(RwLock<BTreeMap<(ConversationId, MessageId), Message>>);

impl OneMap {
    fn insert(&self, message: &Message) {
        let key = (message.conversation_id(), message.id());
        self.0.write().insert(key, message.clone());
    }
}

impl Target<Operation> for OneMap {
    async fn call(&self, operation: &Operation) -> Result<()> {
        let Operation::Append(message) = operation else {
            bail!("a map of messages cannot {operation:?}");
        };
        self.insert(message);
        Ok(())
    }
}

/// The views that a store keeps, and the claims of idempotency keys. Messages must arrive in the
/// order of their ids, so that the newest one is always the last.
#[derive(Debug, Default)]
pub(super) struct AllViews {
    histories: OneMap,
    conversations: BareConversations,
    inboxes: RwLock<BTreeMap<(UserId, MessageId), InboxEntry>>,
    keys: Mutex<BTreeMap<(UserId, IdempotencyKey), Claim>>,
}

impl AllViews {
    fn insert(&self, message: &Message) {
        self.histories.insert(message);
        let now = entry(message);
        let before = self.conversations.replace(&now);
        let before = before.map(|conversation| conversation.last_message().id());
        let mut inboxes = self.inboxes.write();
        for user in now.participants() {
            if let Some(before) = before {
                inboxes.remove(&(user.clone(), before));
            }
            inboxes.insert((user.clone(), message.id()), now.clone());
        }
    }
}

impl Target<Operation> for AllViews {
    async fn call(&self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Append(message) => self.insert(message),
            Operation::AppendKeyed(keyed) => {
                let (message, reservation) = &**keyed;
                let key = (reservation.sender_id.clone(), reservation.key.clone());
                let before = self.keys.lock().insert(key, reservation.claim);
                ensure!(before.is_none(), "the key was used before");
                self.insert(message);
            }
            other => bail!("the views cannot {other:?}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use messenger_core::{Clock, Store as _};
    use messenger_memory::MemoryStore;

    use super::*;
    use crate::messages::{new_message, user};

    /// The maps hold what the store holds, so both workloads of a pair do the same work.
    #[tokio::test]
    async fn the_views_are_those_of_a_store() {
        let (store, views, clock) = (MemoryStore::new(), AllViews::default(), Clock::new());
        for number in 0..60 {
            let (one, other) = (
                user("a", number % 5).unwrap(),
                user("b", number % 3).unwrap(),
            );
            let message = new_message(&one, &other).unwrap().with_id(clock.next_id());
            store.put(message.id().into(), &message).await.unwrap();
            views.insert(&message);
        }
        let conversations = views.conversations.0.into_inner();
        assert_eq!(conversations.len(), 15);
        let (histories, inboxes) = (views.histories.0.into_inner(), views.inboxes.into_inner());
        for (id, conversation) in conversations {
            let user = conversation.participants().as_slice()[0].clone();
            let stored = store.entry(&user, id).await.unwrap();
            assert_eq!(stored, Some(conversation));
            let stored = store.history(id, None, 101).await.unwrap();
            let history = histories.values().rev();
            let history = history.filter(|message| message.conversation_id() == id);
            assert!(stored.iter().eq(history));
        }
        for (name, number) in [("a", 0), ("a", 4), ("b", 2)] {
            let user = user(name, number).unwrap();
            let stored = store.inbox(&user, None, 101).await.unwrap();
            let inbox = inboxes.iter().rev().filter(|((of, _), _)| *of == user);
            assert!(stored.iter().eq(inbox.map(|(_, row)| row)));
        }
    }
}
