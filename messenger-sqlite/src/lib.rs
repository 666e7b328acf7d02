//! A durable messenger [`Store`] in one local directory, on SQLite.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use messenger_core::{InboxQuery, Messenger, NewMessage, UserId};
//! use messenger_sqlite::SqliteStore;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path();
//! let messenger = Messenger::new(SqliteStore::open(path)?);
//! let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
//! messenger.send(NewMessage::new(alice, bob.clone(), "Hello, Bob")?).await?;
//! drop(messenger);
//!
//! // Everything is there when it is opened again.
//! let messenger = Messenger::new(SqliteStore::open(path)?);
//! let inbox = messenger.inbox(&bob, InboxQuery::new()).await?;
//! assert_eq!(inbox.items.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! - A write that was acknowledged is on the disk: its commit was synced (`synchronous = FULL`). A
//!   process that is killed, or a machine that loses power, loses none of them, if the disk keeps
//!   what it has synced.
//! - One process has the directory open. A second one gets an error. The directory is on a local disk,
//!   not on a network file system, because SQLite's write-ahead log needs shared memory.
//! - Nothing is written to a file that is not a database of this crate, is newer than it, or is
//!   damaged.
//!
//! # Cost
//!
//! A page is one statement: a range of a primary key. A thread writes; it takes all writes that wait,
//! up to 4096, into one transaction, so concurrent sends share one sync of the disk. Reads run on
//! threads of their own and do not wait for writes. Counting unread messages reads the messages above
//! the marker, and stops at the cap.
//!
//! # Files
//!
//! `messenger.db` and `messenger.lock`; while it is open or after a crash also `messenger.db-wal` and
//! `messenger.db-shm`. Copy them only while no process has them open; otherwise use
//! [`SqliteStore::backup`]. The text of an unsent message is overwritten in its page where that needs
//! no further I/O; older pages of the write-ahead log may hold it until they are reused, and free pages
//! of the database until `VACUUM`.
//!
//! # Runtime
//!
//! Calls need a tokio runtime with time enabled, for their time limits. Opening and closing a store
//! block the thread.
//!
//! # Metrics
//!
//! | metric | meaning |
//! | --- | --- |
//! | `messenger_sqlite_commit_duration_seconds` | histogram of the duration of transactions |
//! | `messenger_sqlite_commit_writes` | histogram of the writes in a transaction |
//! | `messenger_sqlite_waiting_writes` | writes that wait for the writer |
//! | `messenger_sqlite_wal_pages` | pages in the write-ahead log |
//!
//! [`Measured`](messenger_core::store::Measured) adds the latency and the errors of calls.

mod backup;
mod checkpoint;
mod columns;
mod error;
mod files;
mod history;
mod idempotency;
mod in_flight;
mod inbox;
mod metrics;
mod options;
mod reader;
mod schema;
mod writer;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Claim, Conversation, ConversationId, Error, ErrorKind, InboxEntry, LogKey, Logged, Message,
    MessageId, Position, ReadMarker, Reservation, Revision, Store, Timestamp, UserId,
};
use parking_lot::Mutex;
use rusqlite::Connection;

pub use backup::backup;
pub use options::SqliteOptions;

use checkpoint::Checkpointer;
use files::{Access, Directory};
use in_flight::InFlight;
use metrics::Metrics;
use reader::Readers;
use writer::Writer;

/// A store in one local directory.
///
/// When it is dropped, it finishes the writes that wait, and closes the database; this blocks the
/// thread until they are on the disk.
#[derive(Debug)]
pub struct SqliteStore {
    // In the order in which they are to stop: see `drop`.
    writer: Writer,
    readers: Readers,
    checkpointer: Checkpointer,
    in_flight: InFlight,
    newest: Option<Revision>,
    options: SqliteOptions,
    /// Closed after all others: the last connection moves the write-ahead log into the database and
    /// removes it, and of two that are closed at the same time neither may be the last.
    _last: Mutex<Connection>,
    directory: Directory,
}

impl SqliteStore {
    /// Opens a store in a directory, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if another process has it open or the directory cannot be used;
    /// [`ErrorKind::Corrupt`] if there is a file that is not a database of this crate, is newer than
    /// it, or is damaged. Nothing is overwritten.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, SqliteOptions::new())
    }

    /// Opens a store with options.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, Error> {
        let directory = Directory::open(path.as_ref())?;
        directory.prepare()?;
        let database = directory.database();
        let last = files::open(database, Access::Read).map_err(error::Failure::into_error)?;
        let newest = writer::newest(&last).map_err(error::Failure::into_error)?;

        let metrics = Metrics::new();
        let threads =
            |error| Error::new(ErrorKind::Unavailable, "cannot start a thread").with_source(error);
        let (checkpointer, checkpoints) =
            Checkpointer::start(database, metrics.clone()).map_err(threads)?;
        let (queue, timeout) = (options.queue, options.request_timeout);
        let writer =
            Writer::start(database, queue, timeout, checkpoints, metrics).map_err(threads)?;
        let readers = Readers::start(database, options.readers, queue, timeout).map_err(threads)?;
        Ok(Self {
            writer,
            readers,
            checkpointer,
            in_flight: InFlight::default(),
            newest: newest.map(Revision::from_uuid).transpose()?,
            options,
            _last: Mutex::new(last),
            directory,
        })
    }

    /// Writes a consistent copy of this store to a new file while it is in use: see [`backup()`].
    ///
    /// # Errors
    ///
    /// Those of [`backup()`].
    pub async fn backup(&self, file: impl AsRef<Path>) -> Result<(), Error> {
        backup::write(self.directory.database(), file.as_ref()).await
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.writer.stop();
        self.readers.stop();
        // Ends when the writer's connection, which reports to it, is closed.
        self.checkpointer.stop();
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        let held = self.in_flight.add(key);
        let message = message.clone();
        let work = move |connection: &_| history::put(connection, key, &message);
        let written = self.writer.write(Some((key, held)), work).await;
        written.map_err(|error| error.with_operation("put"))
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        let held = self.in_flight.add(key);
        let marker = marker.clone();
        let work = move |connection: &_| history::mark(connection, key, &marker);
        let written = self.writer.write(Some((key, held)), work).await;
        written.map_err(|error| error.with_operation("mark"))
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let read = move |connection: &_| history::message(connection, conversation, id);
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("message"))
    }

    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let read = move |connection: &_| history::page(connection, conversation, below, limit);
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("history"))
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        let read = move |connection: &_| history::log_page(connection, conversation, above, limit);
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("history_log"))
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        let user = user.clone();
        let read = move |connection: &_| inbox::page(connection, &user, below, limit);
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("inbox"))
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        let user = user.clone();
        let read = move |connection: &_| inbox::log_page(connection, &user, above, limit);
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("inbox_log"))
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        let user = user.clone();
        let read = move |connection: &_| inbox::entry(connection, &user, conversation);
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("entry"))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let read = move |connection: &_| history::conversation(connection, id);
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("conversation"))
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        let after = after.cloned();
        let read = move |connection: &_| inbox::users(connection, after.as_ref(), limit);
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("users"))
    }

    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        let reader = reader.clone();
        let read =
            move |connection: &_| history::unread(connection, conversation, &reader, above, cap);
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("unread"))
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        let (reservation, retention) = (reservation.clone(), self.options.key_retention);
        let work = move |connection: &_| {
            idempotency::reserve(connection, &reservation, Timestamp::now(), retention)
        };
        let written = self.writer.write(None, work).await;
        written.map_err(|error| error.with_operation("reserve"))
    }

    async fn health(&self) -> Result<(), Error> {
        // The writer answers, so it does not hang. If the last transaction failed, it has to write
        // something to know better: otherwise a server that is not ready would get no write that
        // could show that the disk has space again.
        let is_failing = self.writer.is_failing();
        let work = move |connection: &Connection| {
            if is_failing {
                connection.execute("UPDATE newest SET log_key = log_key", ())?;
            }
            Ok(())
        };
        let written = self.writer.write(None, work).await;
        written.map_err(|error| error.with_operation("health"))?;
        let read = |connection: &Connection| {
            Ok(connection.query_row("SELECT 1", (), |row| row.get::<_, i64>(0))?)
        };
        let read = self.readers.read(read).await;
        read.map_err(|error| error.with_operation("health"))?;
        Ok(())
    }

    fn settle(&self) -> Duration {
        Duration::ZERO
    }

    fn in_flight(&self) -> Option<LogKey> {
        self.in_flight.first()
    }

    fn newest(&self) -> Option<Revision> {
        self.newest
    }
}

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
