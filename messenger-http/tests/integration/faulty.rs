//! A store with faults to order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Claim, Conversation, ConversationId, Error, ErrorKind, Message, MessageId, Outcome,
    Reservation, Slice, Store, UserId,
};
use messenger_memory::MemoryStore;
use tokio::sync::Semaphore;

/// What happens before a call reaches the store below.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    None,
    Fail(ErrorKind, Option<Outcome>),
    Panic,
    /// A stored user id that is not valid.
    BadRow,
    /// Waits for a permit.
    Gate(Arc<Semaphore>),
    Never,
}

/// Text that must not reach a client.
pub(crate) const SECRET: &str = "node 10.0.0.7 says no";

impl Fault {
    async fn strike(&self) -> Result<(), Error> {
        match self {
            Self::None => Ok(()),
            Self::Fail(kind, outcome) => {
                let error = Error::new(*kind, SECRET).with_source(SECRET);
                Err(match outcome {
                    Some(outcome) => error.with_outcome(*outcome),
                    None => error,
                })
            }
            Self::Panic => panic!("{SECRET}"),
            Self::BadRow => UserId::new("").map(|_| ()),
            Self::Gate(gate) => {
                gate.acquire().await.unwrap().forget();
                Ok(())
            }
            Self::Never => std::future::pending().await,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) reads: Fault,
    pub(crate) appends: Fault,
    pub(crate) reserves: Fault,
    /// How many conversations were looked up.
    pub(crate) lookups: Arc<AtomicUsize>,
}

impl Faulty {
    pub(crate) fn new() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            reads: Fault::None,
            appends: Fault::None,
            reserves: Fault::None,
            lookups: Arc::default(),
        }
    }

    pub(crate) fn reads(mut self, fault: Fault) -> Self {
        self.reads = fault;
        self
    }

    pub(crate) fn appends(mut self, fault: Fault) -> Self {
        self.appends = fault;
        self
    }

    pub(crate) fn reserves(mut self, fault: Fault) -> Self {
        self.reserves = fault;
        self
    }
}

#[async_trait]
impl Store for Faulty {
    async fn append(&self, message: &Message) -> Result<(), Error> {
        self.appends.strike().await?;
        self.store.append(message).await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        self.reads.strike().await?;
        self.store.message(conversation, id).await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        self.reads.strike().await?;
        self.store.history(conversation, slice).await
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        self.reads.strike().await?;
        self.store.inbox(user, slice).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.reads.strike().await?;
        self.store.conversation(id).await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        self.reserves.strike().await?;
        self.store.reserve(reservation).await
    }

    async fn health(&self) -> Result<(), Error> {
        self.reads.strike().await
    }

    fn settle(&self) -> Duration {
        self.store.settle()
    }
}
