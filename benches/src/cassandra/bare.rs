//! The baseline: the statements of the store, sent as the driver's documentation does.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::{try_join, try_join_all};
use messenger_core::{ConversationId, LogKey, Message, Position, ReadMarker, Timestamp, UserId};
use parking_lot::Mutex;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::row::DeserializeRow;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row as CqlRow};
use uuid::Uuid;

use super::rows::{self, Rows};
use crate::operation::{Operation, Source, Target};
use crate::page::{PageRead, Range, Row};

/// Above every message id.
const HIGHEST: Uuid = Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff);

/// The number of buckets that are listed at a time.
const BUCKETS: i32 = 16;

/// The index rows that are read at a time, at first and at most, and the entries.
const INDEX_ROWS: [usize; 2] = [128, 1024];
const ENTRIES: usize = 50;

/// Message id, sender, receiver, content, and the edit: unsent, revision and text.
type MessageRow = (Uuid, String, String, String, Option<(bool, Uuid, String)>);

impl Row for MessageRow {
    fn id(&self) -> Uuid {
        self.0
    }
}

/// The columns of [`MessageRow`].
const MESSAGE: &str = "SELECT id, sender_id, receiver_id, content, edit FROM messages \
    WHERE conversation_id = ? AND bucket = ?";

/// The columns of an inbox entry: conversation, participants, the last message as version 1 writes
/// it, the last message, both markers, the log key, and the static columns.
type EntryRow = (
    Uuid,
    Option<Vec<String>>,
    Option<CqlValue>,
    Option<(Uuid, bool, Uuid, String, String)>,
    Option<Uuid>,
    Option<Uuid>,
    Option<Uuid>,
    Option<Uuid>,
    Option<i64>,
);

impl Row for EntryRow {
    fn id(&self) -> Uuid {
        self.3.as_ref().map_or(Uuid::nil(), |last| last.0)
    }
}

/// The columns of [`EntryRow`].
const ENTRY: &str = "SELECT conversation_id, participants, head, last_message, read_up_to, \
    seen_up_to, changed, latest, imported FROM inbox_heads WHERE user_id = ?";

/// The static columns of an inbox, which every change to it changes.
type Stamp = (Option<Uuid>, Option<i64>);

/// The driver with the prepared statements.
pub(super) struct Bare {
    session: Session,
    warm: Batch,
    cold: Batch,
    edit: Batch,
    mark: Batch,
    reserve: PreparedStatement,
    participants: PreparedStatement,
    entry: PreparedStatement,
    entries: PreparedStatement,
    recency: PreparedStatement,
    insert_recency: PreparedStatement,
    buckets: PreparedStatement,
    buckets_log: PreparedStatement,
    change_buckets: PreparedStatement,
    messages: PreparedStatement,
    messages_log: PreparedStatement,
    changes: PreparedStatement,
    stamp: PreparedStatement,
    /// The first pages that were read, each with its stamp.
    first_pages: Mutex<HashMap<UserId, (Stamp, Vec<EntryRow>)>>,
}

impl Bare {
    pub(super) async fn connect(nodes: &[String], keyspace: &str) -> Result<Self> {
        let session = SessionBuilder::new().known_nodes(nodes).build().await?;
        session.use_keyspace(keyspace, false).await?;
        let prepare = async |cql: &str| {
            let mut statement = session.prepare(cql).await?;
            statement.set_is_idempotent(true);
            anyhow::Ok(statement)
        };
        let insert = async |row: &str| {
            let values = vec!["?"; row.split(',').count()].join(", ");
            prepare(&format!(
                "INSERT INTO {row} VALUES ({values}) USING TIMESTAMP ?"
            ))
            .await
        };
        let message =
            insert("messages (conversation_id, bucket, id, sender_id, receiver_id, content)")
                .await?;
        let head = insert(
            "inbox_heads (user_id, conversation_id, participants, last_message, changed, latest)",
        )
        .await?;
        let edit =
            insert("messages (conversation_id, bucket, id, sender_id, receiver_id, edit)").await?;
        let change = insert("message_changes (conversation_id, bucket, key, message_id)").await?;
        let version =
            insert("inbox_heads (user_id, conversation_id, participants, head, last_message)")
                .await?;
        let update = async |cells: &str| {
            prepare(&format!(
                "UPDATE inbox_heads USING TIMESTAMP ? SET {cells} \
                 WHERE user_id = ? AND conversation_id = ?"
            ))
            .await
        };
        let log = update("changed = ?, latest = ?").await?;
        let (read, seen) = (
            update("read_up_to = ?").await?,
            update("seen_up_to = ?").await?,
        );
        let conversation = insert("conversations (conversation_id, participants)").await?;
        let bucket = insert("message_buckets (conversation_id, bucket)").await?;
        Ok(Self {
            warm: batch(&[&message, &head, &head]),
            cold: batch(&[&message, &head, &head, &conversation, &bucket]),
            edit: batch(&[&edit, &change, &version, &log, &version, &log]),
            mark: batch(&[&read, &log, &seen, &log]),
            reserve: prepare(
                "INSERT INTO idempotency_keys (sender_id, key, message_id, fingerprint) \
                 VALUES (?, ?, ?, ?) IF NOT EXISTS USING TTL 86400",
            )
            .await?,
            participants: prepare(
                "SELECT participants FROM conversations WHERE conversation_id = ?",
            )
            .await?,
            entry: prepare(&format!("{ENTRY} AND conversation_id = ?")).await?,
            entries: prepare(&format!("{ENTRY} AND conversation_id IN ?")).await?,
            recency: prepare(
                "SELECT epoch, conversation_id FROM inbox_recency WHERE user_id = ? \
                 AND (epoch, conversation_id) < (?, ?) \
                 ORDER BY epoch DESC, conversation_id DESC LIMIT ?",
            )
            .await?,
            insert_recency: insert("inbox_recency (user_id, epoch, conversation_id)").await?,
            buckets: prepare(
                "SELECT bucket FROM message_buckets WHERE conversation_id = ? \
                 AND bucket >= ? AND bucket <= ? ORDER BY bucket DESC LIMIT ?",
            )
            .await?,
            buckets_log: prepare(
                "SELECT bucket FROM message_buckets WHERE conversation_id = ? \
                 AND bucket >= ? ORDER BY bucket ASC LIMIT ?",
            )
            .await?,
            change_buckets: prepare(
                "SELECT bucket FROM change_buckets WHERE conversation_id = ? \
                 AND bucket >= ? ORDER BY bucket ASC LIMIT ?",
            )
            .await?,
            messages: prepare(&format!(
                "{MESSAGE} AND id > ? AND id < ? ORDER BY id DESC LIMIT ?"
            ))
            .await?,
            messages_log: prepare(&format!("{MESSAGE} AND id > ? ORDER BY id ASC LIMIT ?")).await?,
            changes: prepare(
                "SELECT key, message_id FROM message_changes WHERE conversation_id = ? \
                 AND bucket = ? AND key > ? ORDER BY key ASC LIMIT ?",
            )
            .await?,
            stamp: prepare("SELECT DISTINCT latest, imported FROM inbox_heads WHERE user_id = ?")
                .await?,
            first_pages: Mutex::default(),
            session,
        })
    }

    async fn read(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<QueryRowsResult> {
        let result = self.session.execute_unpaged(statement, values).await?;
        Ok(result.into_rows_result()?)
    }

    async fn rows<T: for<'a> DeserializeRow<'a, 'a>>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<Vec<T>> {
        let rows = self.read(statement, values).await?;
        Ok(rows.rows()?.collect::<Result<_, _>>()?)
    }

    /// Appends to a conversation that exists: one batch of three rows.
    async fn append(&self, message: &Message) -> Result<()> {
        let rows = Rows::new(message);
        let [one, other] = rows.users;
        let values = (rows.message(), rows.head(one), rows.head(other));
        self.session.batch(&self.warm, values).await?;
        Ok(())
    }

    /// Edits a message of a conversation that exists: one batch of four partitions.
    async fn edit(&self, message: &Message) -> Result<()> {
        let rows = Rows::new(message);
        let [one, other] = rows.users;
        let values = (
            rows.edit(),
            rows.change(),
            rows.version(one),
            rows.logged(one),
            rows.version(other),
            rows.logged(other),
        );
        self.session.batch(&self.edit, values).await?;
        Ok(())
    }

    /// Moves a read marker: one batch of a row in each inbox.
    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<()> {
        let (id, up_to) = (marker.conversation.id().as_uuid(), marker.up_to);
        let users = marker.conversation.participants();
        let other = users.iter().find(|user| **user != marker.reader);
        let (reader, other) = (
            marker.reader.as_str(),
            other.context("nobody else")?.as_str(),
        );
        let cell = |user| (rows::micros(up_to), up_to.as_uuid(), user, id);
        let values = (
            cell(reader),
            rows::logged(key, reader, id),
            cell(other),
            rows::logged(key, other, id),
        );
        self.session.batch(&self.mark, values).await?;
        Ok(())
    }

    /// Reads the newest messages below a position: the list of buckets, then each bucket until there
    /// are enough.
    async fn history(
        &self,
        id: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<MessageRow>> {
        let id = id.as_uuid();
        let to = below.map_or(i32::MAX, rows::bucket);
        let below = below.map_or(HIGHEST, Position::as_uuid);
        let values = (id, i32::MIN, to, BUCKETS);
        let mut page = Vec::with_capacity(limit);
        for (bucket,) in self.rows::<(i32,)>(&self.buckets, values).await? {
            let missing = (limit - page.len()) as i32;
            let values = (id, bucket, Position::MIN.as_uuid(), below, missing);
            page.extend(self.rows::<MessageRow>(&self.messages, values).await?);
            if page.len() == limit {
                break;
            }
        }
        Ok(page)
    }

    /// Reads the log above a position. No message was changed, so there are no changes to merge. In
    /// the newest bucket they are read at the same time as the messages; otherwise the lists of both
    /// kinds of buckets are read first.
    async fn log(
        &self,
        id: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<MessageRow>> {
        let id = id.as_uuid();
        let first = rows::bucket(above);
        if first == rows::bucket(Position::start_of(Timestamp::now())) {
            let values = (id, first, above.as_uuid(), limit as i32);
            let messages = self.rows::<MessageRow>(&self.messages_log, values);
            let changes = self.rows::<(Uuid, Uuid)>(&self.changes, values);
            return Ok(try_join(messages, changes).await?.0);
        }
        let values = (id, first, BUCKETS);
        let buckets = self.rows::<(i32,)>(&self.buckets_log, values);
        let change_buckets = self.rows::<(i32,)>(&self.change_buckets, values);
        let (buckets, _) = try_join(buckets, change_buckets).await?;
        let mut page = Vec::with_capacity(limit);
        for (bucket,) in buckets {
            let values = (id, bucket, above.as_uuid(), (limit - page.len()) as i32);
            page.extend(self.rows::<MessageRow>(&self.messages_log, values).await?);
            if page.len() == limit {
                break;
            }
        }
        Ok(page)
    }

    /// Checks the first page of an inbox. As in the store, an inbox whose stamp is still the same is
    /// not read again.
    async fn first_page(&self, user: &UserId, page: &PageRead) -> Result<()> {
        let stamp = self.read(&self.stamp, (user.as_str(),)).await?;
        let stamp = stamp.single_row::<Stamp>()?;
        if let Some((before, rows)) = self.first_pages.lock().get(user)
            && *before == stamp
        {
            return page.check(rows);
        }
        let rows = self.inbox(user, None, page.limit).await?;
        page.check(&rows)?;
        self.first_pages.lock().insert(user.clone(), (stamp, rows));
        Ok(())
    }

    /// Reads a page of an inbox: index rows, more at a time the further it gets, and the entries of
    /// whole epochs, until the page is full at the end of an epoch.
    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<EntryRow>> {
        let mut after = (
            below.map_or(i32::MAX, |below| rows::epoch(below) + 1),
            Uuid::nil(),
        );
        let (mut index, mut count) = (Vec::<(i32, Uuid)>::new(), INDEX_ROWS[0]);
        let mut is_last = false;
        let mut page = Vec::with_capacity(2 * limit);
        loop {
            if index.is_empty() {
                let values = (user.as_str(), after.0, after.1, count as i32);
                index = self.rows(&self.recency, values).await?;
                is_last = index.len() < count;
                after = index.last().copied().unwrap_or(after);
                count = INDEX_ROWS[1].min(2 * count);
            }
            let starts_epoch = |&at: &usize| index[at].0 != index[at - 1].0;
            let missing = (limit - page.len()).max(1);
            let end = (missing..index.len()).find(starts_epoch);
            let ids: Vec<Uuid> = index
                .drain(..end.unwrap_or(index.len()))
                .map(|(_, id)| id)
                .collect();
            let entries = ids
                .chunks(ENTRIES)
                .map(|ids| self.rows::<EntryRow>(&self.entries, (user.as_str(), ids)));
            page.extend(try_join_all(entries).await?.into_iter().flatten());
            page.retain(|row| below.is_none_or(|below| row.id() < below.as_uuid()));
            page.sort_unstable_by_key(|row| Reverse(row.id()));
            page.truncate(limit);
            if is_last && index.is_empty() || end.is_some() && page.len() == limit {
                return Ok(page);
            }
        }
    }

    /// Reads the participants of a conversation.
    async fn conversation(&self, id: ConversationId) -> Result<()> {
        let rows = self.read(&self.participants, (id.as_uuid(),)).await?;
        let (users,) = rows.first_row::<(Vec<String>,)>()?;
        ensure!(users.len() == 2, "it has no two participants");
        Ok(())
    }
}

fn batch(statements: &[&PreparedStatement]) -> Batch {
    let mut batch = Batch::new(BatchType::Logged);
    batch.set_is_idempotent(true);
    for &statement in statements {
        batch.append_statement(statement.clone());
    }
    batch
}

impl Target<Operation> for Bare {
    async fn call(&self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Page(source, page) => match (source, page.range) {
                (Source::History(id), Range::Older { below }) => {
                    page.check(&self.history(*id, below, page.limit).await?)
                }
                (Source::History(id), Range::Newer { above }) => {
                    page.check(&self.log(*id, above, page.limit).await?)
                }
                (Source::Inbox(user), Range::Older { below: None }) => {
                    self.first_page(user, page).await
                }
                (Source::Inbox(user), Range::Older { below }) => {
                    page.check(&self.inbox(user, below, page.limit).await?)
                }
                (Source::Inbox(_), Range::Newer { .. }) => {
                    bail!("newer pages of inboxes are not read")
                }
            },
            Operation::Conversation(id) => self.conversation(*id).await,
            Operation::Append(message) => self.append(message).await,
            Operation::Edit(message) => self.edit(message).await,
            Operation::Mark(mark) => self.mark(mark.0, &mark.1).await,
            // A lightweight transaction, then the batch.
            Operation::AppendKeyed(keyed) => {
                let (message, reservation) = &**keyed;
                let values = (
                    reservation.sender_id.as_str(),
                    reservation.key.as_str(),
                    reservation.claim.message_id.as_uuid(),
                    reservation.claim.fingerprint.as_uuid(),
                );
                let rows = self.read(&self.reserve, values).await?;
                let row = rows.single_row::<CqlRow>()?;
                let applied = row.columns.first() == Some(&Some(CqlValue::Boolean(true)));
                ensure!(applied, "the key was used before");
                self.append(message).await
            }
        }
    }
}

/// Appends the first message of two users: two reads, two writes, and a batch of five rows.
#[derive(Clone)]
pub(super) struct BareFirst(pub(super) Arc<Bare>);

impl BareFirst {
    async fn check_new(&self, user: &str, conversation: Uuid) -> Result<()> {
        let found = self.0.read(&self.0.entry, (user, conversation)).await?;
        ensure!(found.rows_num() == 0, "these users are not new");
        Ok(())
    }
}

impl Target<Operation> for BareFirst {
    async fn call(&self, operation: &Operation) -> Result<()> {
        let Operation::Append(message) = operation else {
            bail!("only first messages are appended here");
        };
        let bare = &self.0;
        let rows = Rows::new(message);
        let [one, other] = rows.users;
        try_join(self.check_new(one, rows.id), self.check_new(other, rows.id)).await?;
        let nominate = |user| {
            let row = rows.recency(user);
            bare.session.execute_unpaged(&bare.insert_recency, row)
        };
        try_join(nominate(one), nominate(other)).await?;
        let values = (
            rows.message(),
            rows.head(one),
            rows.head(other),
            rows.conversation(),
            rows.bucket(),
        );
        bare.session.batch(&bare.cold, values).await?;
        Ok(())
    }
}
