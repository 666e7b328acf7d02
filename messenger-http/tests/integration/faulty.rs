//! A store with faults to order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use messenger_core::store::{Logged, Wrap, Wrapped};
use messenger_core::{
    Claim, Conversation, ConversationId, Error, ErrorKind, InboxEntry, LogKey, Message, MessageId,
    Messenger, Outcome, Position, ReadMarker, Reservation, Store, UserId,
};
use messenger_memory::MemoryStore;
use tokio::sync::Semaphore;

/// An event before a call reaches the store below.
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
    store: MemoryStore,
    reads: Fault,
    writes: Fault,
    reserves: Fault,
    /// The number of conversations that were looked up.
    pub(crate) lookups: Arc<AtomicUsize>,
}

impl Faulty {
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            reads: Fault::None,
            writes: Fault::None,
            reserves: Fault::None,
            lookups: Arc::default(),
        }
    }

    pub(crate) fn reads(mut self, fault: Fault) -> Self {
        self.reads = fault;
        self
    }

    pub(crate) fn writes(mut self, fault: Fault) -> Self {
        self.writes = fault;
        self
    }

    pub(crate) fn reserves(mut self, fault: Fault) -> Self {
        self.reserves = fault;
        self
    }

    pub(crate) fn messenger(self) -> Messenger {
        Messenger::new(Wrapped(self))
    }
}

#[async_trait]
impl Wrap for Faulty {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        self.writes.strike().await?;
        self.store.put(key, message).await
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        self.writes.strike().await?;
        self.store.mark(key, marker).await
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
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        self.reads.strike().await?;
        self.store.history(conversation, below, limit).await
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        self.reads.strike().await?;
        self.store.history_log(conversation, above, limit).await
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        self.reads.strike().await?;
        self.store.inbox(user, below, limit).await
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        self.reads.strike().await?;
        self.store.entry(user, conversation).await
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
}
