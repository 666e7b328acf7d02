//! The metrics of a store, the same for every store.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use metrics::{Counter, Histogram, Unit};

use super::{Logged, Store};
use crate::error::{Error, ErrorKind};
use crate::ids::{ConversationId, LogKey, MessageId, Position, Revision, UserId};
use crate::model::{Claim, Conversation, InboxEntry, Message, ReadMarker, Reservation};

/// A store that measures its calls.
///
/// Metrics go to the [`metrics`] facade; without a recorder they cost almost nothing. Install the
/// recorder before the store is wrapped.
///
/// | metric | labels | meaning |
/// | --- | --- | --- |
/// | `messenger_store_call_duration_seconds` | `operation` | histogram of the latency of calls, failed ones included |
/// | `messenger_store_errors_total` | `operation`, `kind` | failed calls, by [`ErrorKind`] |
///
/// `operation` is the name of the method of [`Store`]. A call whose future is dropped is not counted.
#[derive(Debug)]
pub struct Measured<S> {
    store: S,
    latencies: [Histogram; Operation::ALL.len()],
}

/// A method of [`Store`].
#[derive(Clone, Copy, Debug)]
enum Operation {
    Put,
    Mark,
    Message,
    History,
    HistoryLog,
    Inbox,
    InboxLog,
    Entry,
    Conversation,
    Users,
    Unread,
    Reserve,
    Health,
}

impl Operation {
    const ALL: [Self; 13] = [
        Self::Put,
        Self::Mark,
        Self::Message,
        Self::History,
        Self::HistoryLog,
        Self::Inbox,
        Self::InboxLog,
        Self::Entry,
        Self::Conversation,
        Self::Users,
        Self::Unread,
        Self::Reserve,
        Self::Health,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Mark => "mark",
            Self::Message => "message",
            Self::History => "history",
            Self::HistoryLog => "history_log",
            Self::Inbox => "inbox",
            Self::InboxLog => "inbox_log",
            Self::Entry => "entry",
            Self::Conversation => "conversation",
            Self::Users => "users",
            Self::Unread => "unread",
            Self::Reserve => "reserve",
            Self::Health => "health",
        }
    }
}

const LATENCY: &str = "messenger_store_call_duration_seconds";
const ERRORS: &str = "messenger_store_errors_total";

impl<S: Store> Measured<S> {
    /// Wraps a store.
    pub fn new(store: S) -> Self {
        metrics::describe_histogram!(LATENCY, Unit::Seconds, "Latency of the store's calls");
        metrics::describe_counter!(ERRORS, "Failed calls of the store");
        Self {
            store,
            latencies: Operation::ALL
                .map(|operation| metrics::histogram!(LATENCY, "operation" => operation.as_str())),
        }
    }

    /// Returns the store inside.
    pub fn inner(&self) -> &S {
        &self.store
    }

    async fn measure<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let start = Instant::now();
        let result = call.await;
        self.latencies[operation as usize].record(start.elapsed());
        result.inspect_err(|error| errors(operation, error.kind()).increment(1))
    }
}

fn errors(operation: Operation, kind: ErrorKind) -> Counter {
    metrics::counter!(ERRORS, "operation" => operation.as_str(), "kind" => kind.as_str())
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: Store> Store for Measured<S> {
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        self.measure(Operation::Put, self.store.put(key, message))
            .await
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        self.measure(Operation::Mark, self.store.mark(key, marker))
            .await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        self.measure(Operation::Message, self.store.message(conversation, id))
            .await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        self.measure(
            Operation::History,
            self.store.history(conversation, below, limit),
        )
        .await
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        self.measure(
            Operation::HistoryLog,
            self.store.history_log(conversation, above, limit),
        )
        .await
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        self.measure(Operation::Inbox, self.store.inbox(user, below, limit))
            .await
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        self.measure(
            Operation::InboxLog,
            self.store.inbox_log(user, above, limit),
        )
        .await
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        self.measure(Operation::Entry, self.store.entry(user, conversation))
            .await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.measure(Operation::Conversation, self.store.conversation(id))
            .await
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        self.measure(Operation::Users, self.store.users(after, limit))
            .await
    }

    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        self.measure(
            Operation::Unread,
            self.store.unread(conversation, reader, above, cap),
        )
        .await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        self.measure(Operation::Reserve, self.store.reserve(reservation))
            .await
    }

    async fn health(&self) -> Result<(), Error> {
        self.measure(Operation::Health, self.store.health()).await
    }

    fn settle(&self) -> Duration {
        self.store.settle()
    }

    fn in_flight(&self) -> Option<LogKey> {
        self.store.in_flight()
    }

    fn newest(&self) -> Option<Revision> {
        self.store.newest()
    }
}
