//! The baseline: the statements of the store, sent as the driver's documentation does.

use std::cmp::Reverse;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use futures_util::future::try_join;
use messenger_core::{ConversationId, Message, Position, UserId};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row as CqlRow};
use uuid::Uuid;

use super::rows::{self, Rows};
use crate::operation::{Operation, Source, Target};
use crate::page::{PageRead, READ, Range, Row};

/// Above every message id.
const HIGHEST: Uuid = Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff);

/// Message id, sender, receiver, content, and the edit: unsent, revision and text.
type MessageRow = (Uuid, String, String, String, Option<(bool, Uuid, String)>);

impl Row for MessageRow {
    fn id(&self) -> Uuid {
        self.0
    }
}

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

/// The driver with the prepared statements.
pub(super) struct Bare {
    session: Session,
    warm: Batch,
    cold: Batch,
    reserve: PreparedStatement,
    participants: PreparedStatement,
    head: PreparedStatement,
    heads: PreparedStatement,
    recency: PreparedStatement,
    insert_recency: PreparedStatement,
    change_buckets: PreparedStatement,
    /// Newest first, and oldest first.
    buckets: [PreparedStatement; 2],
    messages: [PreparedStatement; 2],
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
        let conversation = insert("conversations (conversation_id, participants)").await?;
        let bucket = insert("message_buckets (conversation_id, bucket)").await?;
        let buckets = async |order: &str| {
            prepare(&format!(
                "SELECT bucket FROM message_buckets WHERE conversation_id = ? \
                 AND bucket >= ? AND bucket <= ? ORDER BY bucket {order} LIMIT ?",
            ))
            .await
        };
        let messages = async |order: &str| {
            prepare(&format!(
                "SELECT id, sender_id, receiver_id, content, edit FROM messages \
                 WHERE conversation_id = ? AND bucket = ? AND id > ? AND id < ? \
                 ORDER BY id {order} LIMIT ?",
            ))
            .await
        };
        Ok(Self {
            warm: batch(&[&message, &head, &head]),
            cold: batch(&[&message, &head, &head, &conversation, &bucket]),
            reserve: prepare(
                "INSERT INTO idempotency_keys (sender_id, key, message_id, fingerprint) \
                 VALUES (?, ?, ?, ?) IF NOT EXISTS USING TTL 86400",
            )
            .await?,
            participants: prepare(
                "SELECT participants FROM conversations WHERE conversation_id = ?",
            )
            .await?,
            head: prepare(&format!("{ENTRY} AND conversation_id = ?")).await?,
            heads: prepare(&format!("{ENTRY} AND conversation_id IN ?")).await?,
            change_buckets: prepare(
                "SELECT bucket FROM change_buckets WHERE conversation_id = ? AND bucket >= ? \
                 ORDER BY bucket ASC LIMIT ?",
            )
            .await?,
            recency: prepare(
                "SELECT epoch, conversation_id FROM inbox_recency WHERE user_id = ? \
                 AND (epoch, conversation_id) < (?, ?) AND (epoch) >= (?) \
                 ORDER BY epoch DESC, conversation_id DESC LIMIT ?",
            )
            .await?,
            insert_recency: insert("inbox_recency (user_id, epoch, conversation_id)").await?,
            buckets: [buckets("DESC").await?, buckets("ASC").await?],
            messages: [messages("DESC").await?, messages("ASC").await?],
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

    /// Appends to a conversation that exists: one batch of three rows.
    async fn append(&self, message: &Message) -> Result<()> {
        let rows = Rows::new(message);
        let [one, other] = rows.users;
        let values = (rows.message(), rows.head(one), rows.head(other));
        self.session.batch(&self.warm, values).await?;
        Ok(())
    }

    /// Reads a page of messages: the list of buckets, then each bucket until there are enough. A newer
    /// page also asks for the buckets of changes, of which there are none here.
    async fn history(&self, id: ConversationId, read: &PageRead) -> Result<Vec<MessageRow>> {
        let id = id.as_uuid();
        let (order, above, below) = match read.range {
            Range::Older { below } => (0, Position::MIN, below),
            Range::Newer { above } => (1, above, None),
        };
        let from = match read.range {
            Range::Older { .. } => 0,
            Range::Newer { above } => rows::bucket(above),
        };
        let to = below.map_or(i32::MAX, rows::bucket);
        let buckets = self.read(&self.buckets[order], (id, from, to, 16));
        let buckets = match read.range {
            Range::Older { .. } => buckets.await?,
            Range::Newer { .. } => {
                let changes = self.read(&self.change_buckets, (id, from, 16));
                try_join(buckets, changes).await?.0
            }
        };
        let (above, below) = (above.as_uuid(), below.map_or(HIGHEST, Position::as_uuid));
        let mut page = Vec::with_capacity(read.limit);
        for bucket in buckets.rows::<(i32,)>()? {
            let (bucket,) = bucket?;
            let missing = (read.limit - page.len()) as i32;
            let values = (id, bucket, above, below, missing);
            let rows = self.read(&self.messages[order], values).await?;
            for row in rows.rows::<MessageRow>()? {
                page.push(row?);
            }
            if page.len() == read.limit {
                break;
            }
        }
        Ok(page)
    }

    /// Reads a page of conversations: one read of their recency, which is enough if six are active
    /// in an epoch, and one of their heads.
    async fn inbox(&self, user: &UserId, read: &PageRead) -> Result<Vec<EntryRow>> {
        let Range::Older { below } = read.range else {
            bail!("only older pages of inboxes are read here");
        };
        let after = below.map_or(i32::MAX, |below| rows::epoch(below) + 1);
        let values = (user.as_str(), after, Uuid::nil(), i32::MIN, 2 * READ as i32);
        let recency = self.read(&self.recency, values).await?;
        let ids = recency.rows::<(i32, Uuid)>()?;
        let ids = ids.map(|row| row.map(|(_, id)| id));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let heads = self.read(&self.heads, (user.as_str(), ids)).await?;
        let mut page = Vec::with_capacity(2 * READ);
        for row in heads.rows::<EntryRow>()? {
            page.push(row?);
        }
        page.retain(|row| below.is_none_or(|below| row.id() < below.as_uuid()));
        page.sort_unstable_by_key(|row| Reverse(row.id()));
        page.truncate(read.limit);
        Ok(page)
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
            Operation::Page(Source::History(conversation), page) => {
                page.check(&self.history(*conversation, page).await?)
            }
            Operation::Page(Source::Inbox(user), page) => {
                page.check(&self.inbox(user, page).await?)
            }
            Operation::Conversation(id) => self.conversation(*id).await,
            Operation::Append(message) => self.append(message).await,
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
        let found = self.0.read(&self.0.head, (user, conversation)).await?;
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
