//! What is true: ordered maps, and nothing that could be wrong about them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::store::{Order, Slice};
use crate::walk::Placed;
use crate::{
    Claim, Conversation, ConversationId, Error, IdempotencyKey, Message, MessageId, Reservation,
    Store, UserId,
};

/// What a store has been told, and what it must answer.
///
/// Inboxes and conversations are not kept but worked out from the histories each time, so they
/// cannot disagree with them.
#[derive(Clone, Debug, Default)]
pub struct Model {
    histories: BTreeMap<ConversationId, BTreeMap<MessageId, Message>>,
    claims: BTreeMap<(UserId, IdempotencyKey), Claim>,
}

impl Model {
    /// A model that has been told nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message; one that is there stays as it is.
    pub fn append(&mut self, message: &Message) {
        self.histories
            .entry(message.conversation_id())
            .or_default()
            .entry(message.id())
            .or_insert_with(|| message.clone());
    }

    /// The message with this id in this conversation.
    pub fn message(&self, conversation: ConversationId, id: MessageId) -> Option<Message> {
        self.histories.get(&conversation)?.get(&id).cloned()
    }

    /// A slice of a history.
    pub fn history(&self, conversation: ConversationId, slice: Slice) -> Vec<Message> {
        let history = self.histories.get(&conversation);
        let messages = history.into_iter().flat_map(BTreeMap::values).cloned();
        cut(messages.collect(), slice)
    }

    /// A slice of an inbox.
    pub fn inbox(&self, user: &UserId, slice: Slice) -> Vec<Conversation> {
        let mut inbox: Vec<_> = self
            .conversations()
            .filter(|conversation| conversation.participants().contains(user))
            .collect();
        inbox.sort_by_key(Placed::position);
        cut(inbox, slice)
    }

    /// The conversation, if it has a message.
    pub fn conversation(&self, id: ConversationId) -> Option<Conversation> {
        let (_, last) = self.histories.get(&id)?.last_key_value()?;
        Some(Conversation::of(last))
    }

    /// The claim that holds the key: the first one.
    pub fn reserve(&mut self, reservation: &Reservation) -> Claim {
        let name = (reservation.sender_id.clone(), reservation.key.clone());
        *self.claims.entry(name).or_insert(reservation.claim)
    }

    /// All conversations that have a message.
    pub fn conversations(&self) -> impl Iterator<Item = Conversation> {
        self.histories
            .keys()
            .filter_map(|&id| self.conversation(id))
    }

    /// All messages, conversation by conversation, oldest first.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.histories.values().flat_map(BTreeMap::values)
    }
}

/// The part of a list, given in ascending order, that a slice asks for.
fn cut<T: Placed>(mut items: Vec<T>, slice: Slice) -> Vec<T> {
    items.retain(|item| slice.contains(item.position()));
    if slice.order == Order::NewestFirst {
        items.reverse();
    }
    items.truncate(slice.limit);
    items
}

/// The [`Model`] as a store: right by its simplicity, and slow, for it works out every inbox from
/// everything. It breaks rule 12, and the suite says so.
#[derive(Debug, Default)]
pub struct ModelStore {
    model: Mutex<Model>,
}

impl ModelStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Store for ModelStore {
    async fn append(&self, message: &Message) -> Result<(), Error> {
        self.model.lock().append(message);
        Ok(())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        Ok(self.model.lock().message(conversation, id))
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        Ok(self.model.lock().history(conversation, slice))
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        Ok(self.model.lock().inbox(user, slice))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        Ok(self.model.lock().conversation(id))
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        Ok(self.model.lock().reserve(reservation))
    }

    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }

    fn settle(&self) -> Duration {
        Duration::ZERO
    }
}
