#![doc = include_str!("../README.md")]
//!
//! # Runtime and metrics
//!
//! A [`CassandraStore`] lives on the tokio runtime on which it was connected; a task there watches
//! the cluster until the last clone is dropped. Its metrics are listed there.
#![cfg_attr(docsrs, feature(doc_cfg))]

// Reading order: `schema` (the tables and why), `window` (buckets, epochs, write timestamps), `write`
// (what is written, in which order), `history` and `inbox` (what a page reads), `idempotency`, `cache`
// (the write cache), `retry`, `budget` and `error` (what may be repeated, and what is known then),
// `clock` and `monitor` (whether clocks agree and nodes answer).

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use messenger_core::{
    Claim, Conversation, ConversationId, Error, InboxEntry, LogKey, Logged, Message, MessageId,
    Outcome, Position, ReadMarker, Reservation, Revision, Store, UserId,
};

use scylla::client::session::Session;
use tracing::Instrument as _;

mod budget;
mod cache;
mod clock;
mod config;
mod conversations;
mod error;
mod history;
mod idempotency;
mod inbox;
mod monitor;
mod retry;
mod schema;
mod session;
mod statements;
#[cfg(feature = "tls")]
mod tls;
mod users;
mod window;
mod write;

pub use config::{CassandraConfig, Consistency, Replication};

#[cfg(doc)]
pub mod guides {
    //! Guides: how to run the store in production, and how it works inside.

    #[doc = include_str!("../docs/production.md")]
    pub mod production {}

    #[doc = include_str!("../docs/internals.md")]
    pub mod internals {}
}

use cache::Cache;
use inbox::FirstPages;
use session::{Client, Db};

/// A [`Store`] on Cassandra. Cloning is cheap and shares the connections.
///
/// It lives on the tokio runtime on which it was connected. A node that goes away is given up, and
/// found again when it is back, without any call.
///
/// [`health`](Store::health) and the check of the clocks before each write look at what a task of
/// the store found last; they cost no request.
///
/// # Metrics
///
/// Through the `metrics` facade:
///
/// | metric | meaning |
/// | --- | --- |
/// | `messenger_cassandra_clock_difference_seconds` | the difference between this machine's clock and the nodes' |
/// | `messenger_cassandra_retries_total` | requests that were sent again after an error |
/// | `messenger_cassandra_speculative_reads_total` | reads that went to a second node |
/// | `messenger_cassandra_half_logged_batches_total` | sends that did not wait for a node that has died |
/// | `messenger_cassandra_cache_hits_total`, `…_misses_total` | lookups in the write cache |
/// | `messenger_cassandra_leftovers_deleted_total` | deleted rows of inboxes that were left over |
///
/// [`Measured`](messenger_core::store::Measured) adds the latency and the errors of each call, as for
/// every store. Each operation has a `tracing` span of level `DEBUG`.
#[derive(Clone, Debug)]
pub struct CassandraStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Arc<Db>,
    cache: Cache,
    first_pages: FirstPages,
}

impl CassandraStore {
    /// Connects to a cluster whose keyspace has the tables.
    ///
    /// # Errors
    ///
    /// Within the connect timeout, with what to change: no node can be reached or the listener is
    /// not Cassandra ([`Unavailable`](messenger_core::ErrorKind::Unavailable) or `Timeout`); a wrong
    /// password, an unknown datacenter, no tables (run [`migrate`](Self::migrate)), tables of
    /// another version, or a replication in which majorities do not meet (`Invalid`).
    pub async fn connect(config: &CassandraConfig) -> Result<Self, Error> {
        Self::open(config, session::open(config)).await
    }

    /// Creates a store on a session that the service has already, instead of opening one.
    ///
    /// The session's addresses, credentials, TLS and keep-alive are used; nodes, credentials and
    /// addresses of the configuration are not. Everything else applies: each statement brings its
    /// own execution profile. The session must fetch schema metadata of the keyspace, as it does by
    /// default, and have been built with the `scylla` crate in version 1.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub async fn from_session(
        session: Arc<Session>,
        config: &CassandraConfig,
    ) -> Result<Self, Error> {
        Self::open(config, async { Client::new(session, config) }).await
    }

    async fn open(
        config: &CassandraConfig,
        client: impl Future<Output = Result<Client, Error>>,
    ) -> Result<Self, Error> {
        let started = Instant::now();
        let open = async { Db::open(client.await?, config).await };
        let db = within(config, config.connect_timeout, open).await?;
        // A warning about clocks comes before the first call; nothing else waits for this look.
        let left = config.connect_timeout.saturating_sub(started.elapsed());
        let _ = tokio::time::timeout(left, db.monitor.first_look()).await;
        Ok(Self {
            inner: Arc::new(Inner {
                db: Arc::new(db),
                cache: Cache::new(config.write_cache),
                first_pages: FirstPages::default(),
            }),
        })
    }

    /// Creates the keyspace and tables if they do not exist, and upgrades tables of any earlier
    /// version: missing tables and columns are added, and options that came with a later version
    /// are set. It may run at every start, and in several processes at once; if nothing is missing,
    /// it is one read in the local datacenter.
    ///
    /// Servers of the version before go on meanwhile and may be restarted. When all servers have
    /// been replaced, call [`finish_upgrade`](Self::finish_upgrade).
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect); also if the cluster has too few nodes for the
    /// replication, if the user lacks the right to create or alter, or if the tables need a newer
    /// program (`Invalid`).
    pub async fn migrate(config: &CassandraConfig) -> Result<(), Error> {
        let client = within(config, config.connect_timeout, session::open(config)).await?;
        within(config, schema::LIMIT, schema::migrate(&client, config)).await
    }

    /// Ends an upgrade: servers of earlier versions can no longer connect. Shortcuts that such a
    /// server would break are used from the next [`connect`](Self::connect) on, so call it when no
    /// server of an earlier version is left. New tables need it not.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub async fn finish_upgrade(config: &CassandraConfig) -> Result<(), Error> {
        let client = within(config, config.connect_timeout, session::open(config)).await?;
        let finish = schema::finish_upgrade(&client, &config.keyspace);
        within(config, schema::LIMIT, finish).await
    }

    /// Brings back what a user's inbox lost: after a restore, or when data of the tables was lost
    /// otherwise. Returns the number of the user's conversations. Sends and reads may go on meanwhile.
    ///
    /// A conversation is found through rows of two indexes; one whose rows were lost is not listed
    /// until someone writes in it, or until this was called.
    ///
    /// # Errors
    ///
    /// When a part could not be read or written in time. Calling it again is safe.
    pub async fn rebuild_inbox(&self, user: &UserId) -> Result<u64, Error> {
        named("rebuild_inbox", inbox::rebuild(self.db(), user)).await
    }

    fn db(&self) -> &Arc<Db> {
        &self.inner.db
    }

    /// Runs a read with its deadline.
    async fn read<T>(
        &self,
        operation: &'static str,
        read: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let late = || error::timed_out().of_read();
        named(operation, self.db().deadline().bound(read, late)).await
    }

    /// Runs a read of an inbox with its deadline.
    async fn read_inbox<T>(
        &self,
        operation: &'static str,
        read: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let late = || error::inbox_timed_out().of_read();
        named(operation, self.db().deadline().bound(read, late)).await
    }
}

/// Each method is one call into the room that it is named after.
#[async_trait]
impl Store for CassandraStore {
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        named("put", write::put(&self.inner, key, message)).await
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        named("mark", write::mark(&self.inner, key, marker)).await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        self.read("message", history::message(self.db(), conversation, id))
            .await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let page = history::page(&self.inner, conversation, below, limit);
        self.read("history", page).await
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        let log = history::log(&self.inner, conversation, above, limit);
        self.read("history_log", log).await
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        let settle = self.settle();
        let page = async {
            match below {
                None => inbox::first_page(&self.inner, user, limit, settle).await,
                Some(_) => inbox::page(&self.inner, user, below, limit).await,
            }
        };
        self.read_inbox("inbox", page).await
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        let log = inbox::log(&self.inner, user, above, limit);
        self.read_inbox("inbox_log", log).await
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        self.read("entry", inbox::entry(self.db(), user, conversation))
            .await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.read("conversation", conversations::conversation(self.db(), id))
            .await
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        self.read("users", users::page(self.db(), after, limit))
            .await
    }

    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        let count = history::unread(&self.inner, conversation, reader, above, cap);
        self.read("unread", count).await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        let late = || error::timed_out().of_write(Outcome::Unknown);
        let reserve = idempotency::reserve(self.db(), reservation);
        named("reserve", self.db().deadline().bound(reserve, late)).await
    }

    async fn health(&self) -> Result<(), Error> {
        named("health", async { self.db().monitor.health() }).await
    }

    fn settle(&self) -> Duration {
        clock::settle(self.db().timeout)
    }

    /// The settle time covers writes whose futures were dropped.
    fn in_flight(&self) -> Option<LogKey> {
        None
    }

    /// Several processes write to the tables, and none of them knows the greatest revision.
    fn newest(&self) -> Option<Revision> {
        None
    }
}

/// Names the operation in its error and in a span.
async fn named<T>(
    operation: &'static str,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    future
        .instrument(tracing::debug_span!("cassandra", operation))
        .await
        .map_err(|error| {
            tracing::debug!(%error, source = ?std::error::Error::source(&error), "failed");
            error.with_operation(operation)
        })
}

async fn within<T>(
    config: &CassandraConfig,
    limit: Duration,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, future).await {
        Ok(result) => result,
        Err(_) => Err(error::connect_timeout(&config.nodes, limit)),
    }
}
