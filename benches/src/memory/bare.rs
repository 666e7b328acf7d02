//! The baselines: ordered maps, each behind a lock, and nothing else.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use messenger_core::{
    Claim, Conversation, ConversationId, IdempotencyKey, Message, MessageId, Order, Slice, UserId,
};
use parking_lot::{Mutex, RwLock};

use crate::calls::Calls;
use crate::pages::{PageCall, Row};
use crate::sends::Keyed;

/// The rows of one list.
#[derive(Debug)]
pub(super) struct OrderedMap<T>(RwLock<BTreeMap<MessageId, T>>);

impl<T: Row + Clone> OrderedMap<T> {
    /// With these rows at these places.
    pub(super) fn of(places: &[MessageId], rows: Vec<T>) -> Self {
        let rows = places.iter().copied().zip(rows);
        Self(RwLock::new(rows.collect()))
    }

    /// Clones of the rows of a slice.
    pub(super) fn page(&self, slice: Slice) -> Vec<T> {
        let Some(range) = slice.range() else {
            return Vec::new();
        };
        let mut page = Vec::with_capacity(slice.limit);
        let rows = self.0.read();
        let rows = rows.range(range).map(|(_, row)| row.clone());
        match slice.order {
            Order::NewestFirst => page.extend(rows.rev().take(slice.limit)),
            Order::OldestFirst => page.extend(rows.take(slice.limit)),
        }
        page
    }
}

impl<T: Row + Clone + Send + Sync + 'static> Calls<PageCall> for OrderedMap<T> {
    async fn call(&self, page: &PageCall) -> Result<()> {
        page.check(&self.page(page.slice))
    }
}

/// Conversations by their ids.
#[derive(Debug, Default)]
pub(super) struct Conversations(RwLock<BTreeMap<ConversationId, Conversation>>);

impl Conversations {
    /// Puts this one in the place of what it was, and gives that.
    pub(super) fn replace(&self, conversation: &Conversation) -> Option<Conversation> {
        let mut conversations = self.0.write();
        conversations.insert(conversation.id(), conversation.clone())
    }
}

impl Calls<ConversationId> for Conversations {
    async fn call(&self, id: &ConversationId) -> Result<()> {
        let found = self.0.read().get(id).cloned();
        ensure!(found.context("no such conversation")?.id() == *id);
        Ok(())
    }
}

/// Where a message is in a map of many histories: one that pages could be read from.
type Place = (ConversationId, MessageId);

/// The messages of all conversations, and no other view.
#[derive(Debug, Default)]
pub(super) struct OneMap(RwLock<BTreeMap<Place, Message>>);

impl OneMap {
    fn insert(&self, message: &Message) {
        let place = (message.conversation_id(), message.id());
        self.0.write().insert(place, message.clone());
    }
}

impl Calls<Message> for OneMap {
    async fn call(&self, message: &Message) -> Result<()> {
        self.insert(message);
        Ok(())
    }
}

/// The views that a store keeps. It takes messages in the order of their ids only, which spares it
/// the question whether a later one is there.
#[derive(Debug, Default)]
pub(super) struct AllViews {
    histories: OneMap,
    conversations: Conversations,
    inboxes: RwLock<BTreeMap<(UserId, MessageId), Conversation>>,
}

impl AllViews {
    fn insert(&self, message: &Message) {
        self.histories.insert(message);
        let now = Conversation::of(message);
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

impl Calls<Message> for AllViews {
    async fn call(&self, message: &Message) -> Result<()> {
        self.insert(message);
        Ok(())
    }
}

/// The views, and which message each key stands for.
#[derive(Debug, Default)]
pub(super) struct KeyedViews {
    views: AllViews,
    keys: Mutex<BTreeMap<(UserId, IdempotencyKey), Claim>>,
}

impl Calls<Keyed> for KeyedViews {
    async fn call(
        &self,
        Keyed {
            message,
            reservation,
        }: &Keyed,
    ) -> Result<()> {
        let name = (reservation.sender_id.clone(), reservation.key.clone());
        let before = self.keys.lock().insert(name, reservation.claim);
        ensure!(before.is_none(), "the key was claimed before");
        self.views.insert(message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use messenger_core::{Clock, Store as _};
    use messenger_memory::MemoryStore;

    use super::*;
    use crate::sends::{Sendable as _, user};

    /// The maps hold what the store holds, so both sides of a pair do the same work.
    #[tokio::test]
    async fn the_views_are_those_of_a_store() {
        let (store, views, clock) = (MemoryStore::new(), AllViews::default(), Clock::new());
        for number in 0..60 {
            let between = [
                user("a", number % 5).unwrap(),
                user("b", number % 3).unwrap(),
            ];
            let message = Message::make(between, &clock).unwrap();
            store.append(&message).await.unwrap();
            views.call(&message).await.unwrap();
        }
        let conversations = views.conversations.0.into_inner();
        assert_eq!(conversations.len(), 15);
        let (histories, inboxes) = (views.histories.0.into_inner(), views.inboxes.into_inner());
        for (id, conversation) in conversations {
            let stored = store.conversation(id).await.unwrap();
            assert_eq!(stored, Some(conversation));
            let stored = store.history(id, Slice::newest(101)).await.unwrap();
            let history = histories.values().rev();
            let history = history.filter(|message| message.conversation_id() == id);
            assert!(stored.iter().eq(history));
        }
        for (name, number) in [("a", 0), ("a", 4), ("b", 2)] {
            let user = user(name, number).unwrap();
            let stored = store.inbox(&user, Slice::newest(101)).await.unwrap();
            let inbox = inboxes.iter().rev().filter(|((of, _), _)| *of == user);
            assert!(stored.iter().eq(inbox.map(|(_, row)| row)));
        }
    }
}
