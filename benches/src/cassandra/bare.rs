//! The baseline: the statements of the store, sent as the driver's documentation does.

use std::cmp::Reverse;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join;
use messenger_core::{ConversationId, Message, Order, Position, Slice, UserId};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row as CqlRow};
use uuid::Uuid;

use super::rows::{self, Head, Rows};
use crate::operation::{Operation, Source, Target};
use crate::page::{READ, Row};

/// Above every message id.
const HIGHEST: Uuid = Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff);

/// Message id, sender, receiver and content.
type MessageRow = (Uuid, String, String, String);

impl Row for MessageRow {
    fn id(&self) -> Uuid {
        self.0
    }
}

/// Conversation, participants and head.
type HeadRow = (Uuid, Vec<String>, (Uuid, i32, String, String));

impl Row for HeadRow {
    fn id(&self) -> Uuid {
        self.2.0
    }
}

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
        let head = insert("inbox_heads (user_id, conversation_id, participants, head)").await?;
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
                "SELECT id, sender_id, receiver_id, content FROM messages \
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
            head: prepare(
                "SELECT conversation_id, participants, head FROM inbox_heads \
                 WHERE user_id = ? AND conversation_id = ?",
            )
            .await?,
            heads: prepare(
                "SELECT conversation_id, participants, head FROM inbox_heads \
                 WHERE user_id = ? AND conversation_id IN ?",
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

    /// Reads a page of messages: the list of buckets, then each bucket until there are enough.
    async fn history(&self, conversation: ConversationId, slice: Slice) -> Result<Vec<MessageRow>> {
        let order = match slice.order {
            Order::NewestFirst => 0,
            Order::OldestFirst => 1,
        };
        let id = conversation.as_uuid();
        let from = slice.above.map_or(0, rows::bucket);
        let to = slice.below.map_or(i32::MAX, rows::bucket);
        let buckets = self.read(&self.buckets[order], (id, from, to, 16)).await?;
        let above = slice.above.unwrap_or(Position::MIN).as_uuid();
        let below = slice.below.map_or(HIGHEST, Position::as_uuid);
        let mut page = Vec::with_capacity(slice.limit);
        for bucket in buckets.rows::<(i32,)>()? {
            let (bucket,) = bucket?;
            let missing = (slice.limit - page.len()) as i32;
            let values = (id, bucket, above, below, missing);
            let rows = self.read(&self.messages[order], values).await?;
            for row in rows.rows::<MessageRow>()? {
                page.push(row?);
            }
            if page.len() == slice.limit {
                break;
            }
        }
        Ok(page)
    }

    /// Reads a page of conversations: one read of their recency, which is enough where six are
    /// active in an epoch, and one of their heads.
    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<HeadRow>> {
        let after = slice.below.map_or(i32::MAX, |below| rows::epoch(below) + 1);
        let values = (user.as_str(), after, Uuid::nil(), i32::MIN, 2 * READ as i32);
        let recency = self.read(&self.recency, values).await?;
        let ids = recency.rows::<(i32, Uuid)>()?;
        let ids = ids.map(|row| row.map(|(_, id)| id));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let heads = self.read(&self.heads, (user.as_str(), ids)).await?;
        let mut page = Vec::with_capacity(2 * READ);
        for row in heads.rows::<HeadRow>()? {
            page.push(row?);
        }
        page.retain(|row| slice.below.is_none_or(|below| row.id() < below.as_uuid()));
        page.sort_unstable_by_key(|row| Reverse(row.id()));
        page.truncate(slice.limit);
        Ok(page)
    }

    /// Reads a conversation: its participants, then its head in one of their inboxes.
    async fn conversation(&self, id: ConversationId) -> Result<HeadRow> {
        let id = id.as_uuid();
        let rows = self.read(&self.participants, (id,)).await?;
        let (users,) = rows.first_row::<(Vec<&str>,)>()?;
        let user = users.first().context("it has no participants")?;
        let rows = self.read(&self.head, (user, id)).await?;
        Ok(rows.first_row()?)
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
                page.check(&self.history(*conversation, page.slice).await?)
            }
            Operation::Page(Source::Inbox(user), page) => {
                page.check(&self.inbox(user, page.slice).await?)
            }
            Operation::Conversation(id) => {
                let (found, ..) = self.conversation(*id).await?;
                ensure!(found == id.as_uuid(), "another conversation");
                Ok(())
            }
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
        let head = found.maybe_first_row::<(Uuid, Vec<&str>, Head<'_>)>()?;
        ensure!(head.is_none(), "these users are not new");
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
