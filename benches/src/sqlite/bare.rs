//! The baseline: the statements of the store, on connections without threads or queues.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use messenger_core::{Clock, Content, Message, Position};
use messenger_sqlite::SqliteStore;
use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::Mutex;
use rusqlite::{Connection, ToSql, TransactionBehavior, params};
use uuid::Uuid;

use crate::messages::new_message;
use crate::operation::{Operation, Source, StoreTarget, Target};
use crate::page::{Range, Row};
use crate::pair::Workload;
use crate::sends::Conversations;

/// Opens the database of a store with the settings of the store.
pub(super) fn open(directory: &Path) -> Result<Connection> {
    let connection = Connection::open(directory.join("messenger.db"))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "secure_delete", "fast")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// Message id, sender, content, revision, conversation and participants: the first columns of every
/// page. An inbox has three more, which cost next to nothing and are not decoded.
type PageRow = (
    Uuid,
    i64,
    Option<String>,
    Option<Uuid>,
    Uuid,
    String,
    String,
);

impl Row for PageRow {
    fn id(&self) -> Uuid {
        self.0
    }
}

const HISTORY: &str = "
    SELECT m.id, m.sender, m.content, m.revision, c.id, c.first, c.second
    FROM messages m CROSS JOIN conversations c ON c.id = m.conversation
    WHERE m.conversation = ?1 AND m.id < ?2 ORDER BY m.id DESC LIMIT ?3";

const INBOX: &str = "
    SELECT m.id, m.sender, m.content, m.revision, c.id, c.first, c.second, c.read_first,
        c.read_second, c.log_key
    FROM inbox i CROSS JOIN conversations c ON c.id = i.conversation
    CROSS JOIN messages m ON m.conversation = c.id AND m.id = c.last
    WHERE i.user = ?1 AND i.place < ?2 ORDER BY i.place DESC LIMIT ?3";

/// Reads pages of a store's database on the thread of the caller.
pub(super) struct BareReader {
    directory: PathBuf,
    /// Connections that no call uses.
    idle: Mutex<Vec<Connection>>,
}

impl BareReader {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            idle: Mutex::default(),
        }
    }
}

impl BareReader {
    fn read(&self, operation: &Operation) -> Result<()> {
        let Operation::Page(source, page) = operation else {
            bail!("a reader cannot {operation:?}");
        };
        let Range::Older { below } = page.range else {
            bail!("a reader reads no log");
        };
        let (sql, list): (_, &dyn ToSql) = match source {
            Source::History(id) => (HISTORY, &id.as_uuid()),
            Source::Inbox(user) => (INBOX, &user.as_str()),
        };
        let below = below.map_or(Uuid::max(), Position::as_uuid);
        let idle = self.idle.lock().pop();
        let connection = idle.map_or_else(|| open(&self.directory), Ok)?;
        let rows: Vec<PageRow> = connection
            .prepare_cached(sql)?
            .query_map(params![list, below, page.limit as i64], |row| {
                row.try_into()
            })?
            .collect::<Result<_, _>>()?;
        self.idle.lock().push(connection);
        page.check(&rows)
    }
}

impl Target<Operation> for BareReader {
    async fn call(&self, operation: &Operation) -> Result<()> {
        self.read(operation)
    }
}

/// The same calls as an async service makes them: each on a thread for blocking calls, so that a slow disk
/// does not block the runtime.
pub(super) struct Blocking<T>(pub(super) Arc<T>);

impl Target<Operation> for Blocking<BareReader> {
    async fn call(&self, operation: &Operation) -> Result<()> {
        let (reader, operation) = (Arc::clone(&self.0), operation.clone());
        tokio::task::spawn_blocking(move || reader.read(&operation)).await?
    }
}

/// The number of messages in the transactions of the stores in this process, from their metrics.
struct Groups {
    recorder: PrometheusHandle,
    /// The messages and the transactions when the metrics were read last.
    totals: [f64; 2],
    /// The mean of the transactions before that.
    mean: f64,
}

impl Groups {
    fn update(&mut self) -> Result<()> {
        let metrics = self.recorder.render();
        let total = |name: &str| {
            let value = metrics.lines().find_map(|line| line.strip_prefix(name));
            anyhow::Ok(value.context("a store has no metrics")?.trim().parse()?)
        };
        let before = self.totals;
        self.totals = [
            total("messenger_sqlite_commit_writes_sum")?,
            total("messenger_sqlite_commit_writes_count")?,
        ];
        let [messages, transactions] = [0, 1].map(|at| self.totals[at] - before[at]);
        if transactions > 0.0 {
            self.mean = messages / transactions;
        }
        Ok(())
    }
}

/// Sends in one loop. The first of concurrent runs sends what was prepared for all of them.
pub(super) struct BareSends {
    connection: Arc<Mutex<Connection>>,
    conversations: Conversations,
    clock: Clock,
    groups: Mutex<Groups>,
    prepared: Mutex<Vec<Message>>,
}

impl BareSends {
    /// Creates a database with a message in each existing conversation.
    pub(super) async fn create(
        directory: PathBuf,
        conversations: Conversations,
        recorder: PrometheusHandle,
    ) -> Result<Self> {
        let (store, clock) = (SqliteStore::open(&directory)?, Clock::new());
        let store = StoreTarget(Arc::new(store));
        for users in conversations.users() {
            store.call(&Operation::append(users, &clock)?).await?;
        }
        drop(store);
        let (totals, mean) = ([0.0; 2], 1.0);
        let mut groups = Groups {
            recorder,
            totals,
            mean,
        };
        // What was written so far does not count.
        groups.update()?;
        Ok(Self {
            connection: Arc::new(Mutex::new(open(&directory)?)),
            conversations,
            clock,
            groups: Mutex::new(groups),
            prepared: Mutex::default(),
        })
    }
}

#[async_trait]
impl Workload for BareSends {
    async fn prepare(&self, times: u64) -> Result<()> {
        let message = |_| {
            let [sender, receiver] = self.conversations.choose()?;
            Ok(new_message(&sender, &receiver)?.with_id(self.clock.next_id()))
        };
        *self.prepared.lock() = (0..times).map(message).collect::<Result<_>>()?;
        // The store makes checkpoints on another thread. Here they are not measured.
        let checkpoint = "PRAGMA wal_checkpoint(RESTART)";
        self.connection.lock().execute_batch(checkpoint)?;
        self.groups.lock().update()
    }

    async fn run(&self, _times: u64) -> Result<()> {
        let messages = mem::take(&mut *self.prepared.lock());
        let count = messages.len();
        let transactions = (count as f64 / self.groups.lock().mean).round();
        let size = count.div_ceil((transactions as usize).max(1)).max(1);
        let connection = Arc::clone(&self.connection);
        let write = move || {
            let mut connection = connection.lock();
            let mut groups = messages.chunks(size);
            groups.try_for_each(|group| send(&mut connection, group))
        };
        tokio::task::spawn_blocking(write).await?
    }
}

#[async_trait]
impl Workload for Blocking<BareSends> {
    async fn prepare(&self, times: u64) -> Result<()> {
        self.0.prepare(times).await
    }

    async fn run(&self, _times: u64) -> Result<()> {
        let messages = mem::take(&mut *self.0.prepared.lock());
        for message in messages {
            let connection = Arc::clone(&self.0.connection);
            let write = move || send(&mut connection.lock(), &[message]);
            tokio::task::spawn_blocking(write).await??;
        }
        Ok(())
    }
}

/// Sends messages to conversations that exist, in ascending order of their ids, in one transaction.
pub(super) fn send(connection: &mut Connection, messages: &[Message]) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let run = |sql, params: &[&dyn ToSql]| transaction.prepare_cached(sql)?.execute(params);
    for message in messages {
        let (conversation, id) = (message.conversation_id().as_uuid(), message.id().as_uuid());
        let sender = i64::from(message.sender_id() > message.receiver_id());
        let content = message.content().map(Content::as_str);
        run(
            "INSERT INTO messages (conversation, id, sender, content, revision)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            &[&conversation, &id, &sender, &content, &None::<Uuid>],
        )?;
        let (last, _): (Uuid, Uuid) = transaction
            .prepare_cached("SELECT last, log_key FROM conversations WHERE id = ?1")?
            .query_row([conversation], |row| row.try_into())?;
        run(
            "UPDATE conversations SET last = ?2, log_key = ?3 WHERE id = ?1",
            &[&conversation, &id, &id],
        )?;
        for user in &message.participants() {
            let user = user.as_str();
            run(
                "DELETE FROM inbox WHERE user = ?1 AND place = ?2",
                &[&user, &last],
            )?;
            run(
                "INSERT INTO inbox (user, place, conversation, log_key) VALUES (?1, ?2, ?3, ?4)",
                &[&user, &id, &conversation, &id],
            )?;
        }
    }
    let newest = messages.last().context("a transaction has a message")?;
    run(
        "INSERT INTO newest (id, log_key) VALUES (1, ?1)
         ON CONFLICT (id) DO UPDATE SET log_key = max(log_key, excluded.log_key)",
        &[&newest.id().as_uuid()],
    )?;
    Ok(transaction.commit()?)
}
