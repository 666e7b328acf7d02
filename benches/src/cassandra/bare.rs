//! The baseline: the statements of the store, sent as the driver's documentation does.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join;
use messenger_core::{ConversationId, Message, Order, Position, Slice, UserId};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row};
use uuid::Uuid;

use super::rows::{self, Head, Rows};
use crate::calls::Calls;
use crate::pages::{self, PageCall, READ};
use crate::sends::Keyed;

/// The driver, with the statements.
pub(super) struct Bare {
    session: Session,
    warm: Batch,
    cold: Batch,
    claim_key: PreparedStatement,
    participants: PreparedStatement,
    head: PreparedStatement,
    heads: PreparedStatement,
    recency: PreparedStatement,
    insert_recency: PreparedStatement,
    buckets_newest: PreparedStatement,
    buckets_oldest: PreparedStatement,
    messages_newest: PreparedStatement,
    messages_oldest: PreparedStatement,
}

impl Bare {
    pub(super) async fn prepare(nodes: &[String], keyspace: &str) -> Result<Self> {
        let session = SessionBuilder::new().known_nodes(nodes).build().await?;
        let prepare = async |cql: &str| {
            let mut statement = session.prepare(cql.replace("{}", keyspace)).await?;
            statement.set_is_idempotent(true);
            Ok::<_, anyhow::Error>(statement)
        };
        let message = prepare(
            "INSERT INTO {}.messages (conversation_id, bucket, id, sender_id, receiver_id, \
             content) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
        )
        .await?;
        let insert_head = prepare(
            "INSERT INTO {}.inbox_heads (user_id, conversation_id, participants, head) \
             VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
        )
        .await?;
        let conversation = prepare(
            "INSERT INTO {}.conversations (conversation_id, participants) VALUES (?, ?) \
             USING TIMESTAMP ?",
        )
        .await?;
        let bucket = prepare(
            "INSERT INTO {}.message_buckets (conversation_id, bucket) VALUES (?, ?) \
             USING TIMESTAMP ?",
        )
        .await?;
        Ok(Self {
            warm: batch(&[&message, &insert_head, &insert_head]),
            cold: batch(&[&message, &insert_head, &insert_head, &conversation, &bucket]),
            claim_key: prepare(
                "INSERT INTO {}.idempotency_keys (sender_id, key, message_id, fingerprint) \
                 VALUES (?, ?, ?, ?) IF NOT EXISTS USING TTL 86400",
            )
            .await?,
            participants: prepare(
                "SELECT participants FROM {}.conversations WHERE conversation_id = ?",
            )
            .await?,
            head: prepare(
                "SELECT conversation_id, participants, head FROM {}.inbox_heads \
                 WHERE user_id = ? AND conversation_id = ?",
            )
            .await?,
            heads: prepare(
                "SELECT conversation_id, participants, head FROM {}.inbox_heads \
                 WHERE user_id = ? AND conversation_id IN ?",
            )
            .await?,
            recency: prepare(
                "SELECT epoch, conversation_id FROM {}.inbox_recency WHERE user_id = ? \
                 AND (epoch, conversation_id) < (?, ?) AND (epoch) >= (?) \
                 ORDER BY epoch DESC, conversation_id DESC LIMIT ?",
            )
            .await?,
            insert_recency: prepare(
                "INSERT INTO {}.inbox_recency (user_id, epoch, conversation_id) \
                 VALUES (?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
            buckets_newest: prepare(
                "SELECT bucket FROM {}.message_buckets WHERE conversation_id = ? \
                 AND bucket >= ? AND bucket <= ? ORDER BY bucket DESC LIMIT ?",
            )
            .await?,
            buckets_oldest: prepare(
                "SELECT bucket FROM {}.message_buckets WHERE conversation_id = ? \
                 AND bucket >= ? AND bucket <= ? ORDER BY bucket ASC LIMIT ?",
            )
            .await?,
            messages_newest: prepare(
                "SELECT id, sender_id, receiver_id, content FROM {}.messages \
                 WHERE conversation_id = ? AND bucket = ? AND id > ? AND id < ? \
                 ORDER BY id DESC LIMIT ?",
            )
            .await?,
            messages_oldest: prepare(
                "SELECT id, sender_id, receiver_id, content FROM {}.messages \
                 WHERE conversation_id = ? AND bucket = ? AND id > ? AND id < ? \
                 ORDER BY id ASC LIMIT ?",
            )
            .await?,
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

    async fn append(&self, message: &Message) -> Result<()> {
        let row = Rows::of(message);
        let [one, other] = row.users;
        let values = (row.message(), row.head(one), row.head(other));
        self.session.batch(&self.warm, values).await?;
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

/// Messages to a conversation that is known: one batch of three rows.
pub(super) struct BareAppend(pub(super) Arc<Bare>);

impl Calls<Message> for BareAppend {
    async fn call(&self, message: &Message) -> Result<()> {
        self.0.append(message).await
    }
}

/// The first messages of new users: two reads, two writes, and a batch of five rows.
pub(super) struct BareFirst(pub(super) Arc<Bare>);

impl BareFirst {
    async fn look(&self, user: &str, conversation: Uuid) -> Result<()> {
        let found = self.0.read(&self.0.head, (user, conversation)).await?;
        let head = found.maybe_first_row::<(Uuid, Vec<&str>, Head<'_>)>()?;
        ensure!(head.is_none(), "these users are not new");
        Ok(())
    }
}

impl Calls<Message> for BareFirst {
    async fn call(&self, message: &Message) -> Result<()> {
        let Bare {
            session,
            cold,
            insert_recency,
            ..
        } = &*self.0;
        let row = Rows::of(message);
        let [one, other] = row.users;
        try_join(self.look(one, row.id), self.look(other, row.id)).await?;
        let nominate = |user| session.execute_unpaged(insert_recency, row.recency(user));
        try_join(nominate(one), nominate(other)).await?;
        let values = (
            row.message(),
            row.head(one),
            row.head(other),
            row.conversation(),
            row.bucket(),
        );
        session.batch(cold, values).await?;
        Ok(())
    }
}

/// Messages under a key: a lightweight transaction, then the batch.
pub(super) struct BareKeyed(pub(super) Arc<Bare>);

impl Calls<Keyed> for BareKeyed {
    async fn call(
        &self,
        Keyed {
            message,
            reservation,
        }: &Keyed,
    ) -> Result<()> {
        let values = (
            reservation.sender_id.as_str(),
            reservation.key.as_str(),
            reservation.claim.message_id.as_uuid(),
            reservation.claim.fingerprint.as_uuid(),
        );
        let rows = self.0.read(&self.0.claim_key, values).await?;
        let row = rows.single_row::<Row>()?;
        let applied = row.columns.first() == Some(&Some(CqlValue::Boolean(true)));
        ensure!(applied, "the key was claimed before");
        self.0.append(message).await
    }
}

/// Pages of a conversation's messages: which buckets there are, then the messages of each until
/// there are enough.
pub(super) struct BareHistory {
    bare: Arc<Bare>,
    id: Uuid,
}

/// Message id, sender, receiver and content.
type MessageRow = (Uuid, String, String, String);

impl pages::Row for MessageRow {
    fn place(&self) -> Uuid {
        self.0
    }
}

impl BareHistory {
    pub(super) fn new(bare: &Arc<Bare>, conversation: ConversationId) -> Self {
        Self {
            bare: Arc::clone(bare),
            id: conversation.as_uuid(),
        }
    }

    async fn buckets(&self, slice: Slice) -> Result<Vec<i32>> {
        let statement = match slice.order {
            Order::NewestFirst => &self.bare.buckets_newest,
            Order::OldestFirst => &self.bare.buckets_oldest,
        };
        let from = slice.above.map_or(0, rows::bucket);
        let to = slice.below.map_or(i32::MAX, rows::bucket);
        let rows = self.bare.read(statement, (self.id, from, to, 16)).await?;
        let buckets = rows
            .rows::<(i32,)>()?
            .map(|row| row.map(|(bucket,)| bucket));
        Ok(buckets.collect::<Result<_, _>>()?)
    }

    async fn messages(&self, slice: Slice) -> Result<Vec<MessageRow>> {
        let statement = match slice.order {
            Order::NewestFirst => &self.bare.messages_newest,
            Order::OldestFirst => &self.bare.messages_oldest,
        };
        let above = slice.above.unwrap_or(Position::MIN).as_uuid();
        let below = slice.below.map_or(HIGHEST, Position::as_uuid);
        let mut page = Vec::with_capacity(slice.limit);
        for bucket in self.buckets(slice).await? {
            let missing = (slice.limit - page.len()) as i32;
            let values = (self.id, bucket, above, below, missing);
            let rows = self.bare.read(statement, values).await?;
            for row in rows.rows::<MessageRow>()? {
                page.push(row?);
            }
            if page.len() == slice.limit {
                break;
            }
        }
        Ok(page)
    }
}

/// Above every message id.
const HIGHEST: Uuid = Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff);

impl Calls<PageCall> for BareHistory {
    async fn call(&self, page: &PageCall) -> Result<()> {
        page.check(&self.messages(page.slice).await?)
    }
}

/// Pages of a user's conversations, towards older ones: one read of their recency, which is enough
/// where six are active in an epoch, and one of their heads.
pub(super) struct BareInbox {
    bare: Arc<Bare>,
    user: UserId,
}

/// Conversation, participants and head.
type HeadRow = (Uuid, Vec<String>, (Uuid, i32, String, String));

impl pages::Row for HeadRow {
    fn place(&self) -> Uuid {
        self.2.0
    }
}

impl BareInbox {
    pub(super) fn new(bare: &Arc<Bare>, user: &UserId) -> Self {
        Self {
            bare: Arc::clone(bare),
            user: user.clone(),
        }
    }

    async fn nominated(&self, slice: Slice) -> Result<Vec<Uuid>> {
        let behind = slice.below.map_or(i32::MAX, |below| rows::epoch(below) + 1);
        let values = (
            self.user.as_str(),
            behind,
            Uuid::nil(),
            i32::MIN,
            2 * READ as i32,
        );
        let rows = self.bare.read(&self.bare.recency, values).await?;
        let ids = rows.rows::<(i32, Uuid)>()?.map(|row| row.map(|(_, id)| id));
        Ok(ids.collect::<Result<_, _>>()?)
    }

    async fn conversations(&self, slice: Slice) -> Result<Vec<HeadRow>> {
        let values = (self.user.as_str(), self.nominated(slice).await?);
        let rows = self.bare.read(&self.bare.heads, values).await?;
        let mut page = Vec::with_capacity(2 * READ);
        for row in rows.rows::<HeadRow>()? {
            page.push(row?);
        }
        page.retain(|row| slice.below.is_none_or(|below| row.2.0 < below.as_uuid()));
        page.sort_unstable_by_key(|row| std::cmp::Reverse(row.2.0));
        page.truncate(slice.limit);
        Ok(page)
    }
}

impl Calls<PageCall> for BareInbox {
    async fn call(&self, page: &PageCall) -> Result<()> {
        page.check(&self.conversations(page.slice).await?)
    }
}

/// Conversations by their ids: whose one is, then its head.
pub(super) struct BareConversations(pub(super) Arc<Bare>);

impl Calls<ConversationId> for BareConversations {
    async fn call(&self, id: &ConversationId) -> Result<()> {
        let Bare {
            participants, head, ..
        } = &*self.0;
        let id = id.as_uuid();
        let rows = self.0.read(participants, (id,)).await?;
        let (users,) = rows.first_row::<(Vec<&str>,)>()?;
        let user = users.first().context("it has no participants")?;
        let rows = self.0.read(head, (user, id)).await?;
        let (found, ..) = rows.first_row::<HeadRow>()?;
        ensure!(found == id, "another conversation");
        Ok(())
    }
}
