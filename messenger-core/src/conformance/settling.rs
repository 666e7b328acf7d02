//! A store that says that other processes write it too.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::store::Slice;
use crate::{
    Claim, Conversation, ConversationId, Error, Message, MessageId, Reservation, Store, UserId,
};

/// A store with another settle time: it stands for one that several processes write, so that two
/// [`Messenger`](crate::Messenger)s over it are two servers. Cloning shares the store.
#[derive(Clone, Debug)]
pub struct Settling {
    store: Arc<dyn Store>,
    settle: Duration,
}

impl Settling {
    /// The store, with this settle time.
    pub fn new(store: impl Store + 'static, settle: Duration) -> Self {
        Self {
            store: Arc::new(store),
            settle,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Settling {
    async fn append(&self, message: &Message) -> Result<(), Error> {
        self.store.append(message).await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        self.store.message(conversation, id).await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        self.store.history(conversation, slice).await
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        self.store.inbox(user, slice).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.store.conversation(id).await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        self.store.reserve(reservation).await
    }

    async fn health(&self) -> Result<(), Error> {
        self.store.health().await
    }

    fn settle(&self) -> Duration {
        self.settle
    }
}
