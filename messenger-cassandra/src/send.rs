//! A send: one logged batch, and before it what an inbox needs to find it.
//!
//! # The order of the writes
//!
//! 1. *Nominate.* For each participant the recency row of the message's epoch is there before the
//!    head is sent: written and acknowledged, or known to be (see
//!    [`InboxFacts::covers`](crate::seen::InboxFacts::covers)). A writer who remembers nothing of
//!    the conversation reads both heads first, for a head of this epoch or a later one had its row.
//! 2. *Apply.* The message and the head in each inbox, in one logged batch: all or nothing, also
//!    when the client or the coordinator dies. The first message of a conversation or of a bucket
//!    brings their rows along in the same batch.
//! 3. *Tidy.* Once the heads are acknowledged, the recency rows that the conversation has left are
//!    deleted, by a task that nobody waits for. What it misses is left over, changes no page, and
//!    is deleted by whoever reads it.
//!
//! # Dropped futures
//!
//! Dropped in the first step, a recency row may be there without its head, or before it. Such a
//! row nominates a conversation that is placed by its head or not at all; it is in no view, and is
//! the row that the next attempt needs. So an error in the first step is `NotApplied`, whatever
//! became of the row. Dropped in the second step, the batch is on its way or is not: all views or
//! none. Dropped later, all is there.

use std::sync::Arc;

use futures_util::future::try_join_all;
use messenger_core::{Conversation, ConversationId, Error, Message, Outcome, UserId};
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use scylla::statement::prepared::PreparedStatement;
use uuid::Uuid;

use crate::conversations::{self, FIRST_REVISION};
use crate::error;
use crate::inbox::{self, RecencyRow};
use crate::seen::{InboxFacts, Known, Seen};
use crate::session::Db;
use crate::window::{Bucket, Epoch, write_timestamp};

/// What a send writes, worked out once.
struct Send<'a> {
    db: &'a Arc<Db>,
    message: &'a Message,
    conversation: Conversation,
    bucket: Bucket,
    epoch: Epoch,
}

pub(crate) async fn append(db: &Arc<Db>, seen: &Seen, message: &Message) -> Result<(), Error> {
    let send = Send {
        db,
        message,
        conversation: Conversation::of(message),
        bucket: db.windows.bucket(message.id()),
        epoch: db.windows.epoch(message.id()),
    };
    let deadline = db.deadline();
    let not_applied = |error: Error| error.with_outcome(Outcome::NotApplied);
    let before = deadline
        .bound(send.nominate(seen), || error::timed_out().of_read())
        .await
        .map_err(not_applied)?;
    deadline
        .bound(send.apply(&before), || {
            error::timed_out().of_write(Outcome::Unknown)
        })
        .await?;
    send.remember(seen, &before);
    send.tidy(&before);
    Ok(())
}

impl Send<'_> {
    fn id(&self) -> ConversationId {
        self.conversation.id()
    }

    fn participants(&self) -> &[UserId] {
        self.conversation.participants()
    }

    /// Step 1. Gives what is known now.
    async fn nominate(&self, seen: &Seen) -> Result<Known, Error> {
        let mut known = match seen.get(self.id()) {
            Some(known) => {
                metrics::counter!("messenger_cassandra_seen_hits_total").increment(1);
                known
            }
            None => {
                metrics::counter!("messenger_cassandra_seen_misses_total").increment(1);
                self.look().await?
            }
        };
        let users = self.participants().iter().zip(&known.inboxes);
        let missing: Vec<&UserId> = users
            .filter(|(_, facts)| !facts.covers(self.epoch))
            .map(|(user, _)| user)
            .collect();
        if !missing.is_empty() {
            let row = |user| RecencyRow::new(user, self.epoch, self.id());
            let rows: Vec<RecencyRow> = missing.into_iter().map(row).collect();
            try_join_all(rows.iter().map(|row| row.insert(self.db))).await?;
            for facts in &mut known.inboxes {
                if !facts.covers(self.epoch) {
                    facts.row = Some(self.epoch);
                }
            }
            seen.put(self.id(), known.clone());
        }
        Ok(known)
    }

    /// Reads both heads: a cold writer must know which rows the conversation leaves.
    async fn look(&self) -> Result<Known, Error> {
        let users = self.participants().iter();
        let reads = users.map(|user| conversations::head(self.db, user, self.id()));
        let heads = try_join_all(reads).await?;
        let facts = |head: Option<Conversation>| InboxFacts {
            head: head.map(|head| self.db.windows.epoch(head.last_message().id())),
            ..InboxFacts::default()
        };
        Ok(Known {
            inboxes: heads.into_iter().map(facts).collect(),
            ..Known::default()
        })
    }

    /// Step 2.
    async fn apply(&self, known: &Known) -> Result<(), Error> {
        let statements = &self.db.statements;
        let row = |statement, row| (statement, row);
        let mut rows: Vec<(&PreparedStatement, Row<'_>)> = Vec::with_capacity(5);
        rows.push(row(&statements.insert_message, Row::Message(self)));
        for user in self.participants() {
            rows.push(row(&statements.insert_head, Row::Head(self, user)));
        }
        if !known.conversation {
            rows.push(row(
                &statements.insert_conversation,
                Row::Conversation(self),
            ));
        }
        if known.bucket != Some(self.bucket) {
            rows.push(row(&statements.insert_bucket, Row::Bucket(self)));
        }
        self.db.batch(rows).await
    }

    /// After the batch was acknowledged: its rows are there, and its heads are, or greater ones.
    fn remember(&self, seen: &Seen, before: &Known) {
        let inboxes = before.inboxes.iter().map(|facts| {
            let head = facts.head.max(Some(self.epoch));
            InboxFacts {
                head,
                // A row that the head has left is about to be deleted.
                row: facts.row.filter(|&row| Some(row) >= head),
            }
        });
        seen.put(
            self.id(),
            Known {
                conversation: true,
                bucket: Some(self.bucket),
                inboxes: inboxes.collect(),
            },
        );
    }

    /// Step 3. The heads that this batch brought are acknowledged now, so what lies before them
    /// may go: the row of the head that was there before. (A row that may not exist is not
    /// deleted: each deletion is a tombstone.)
    fn tidy(&self, before: &Known) {
        let users = self.participants().iter().zip(&before.inboxes);
        let left = users.filter_map(|(user, facts)| {
            let epoch = facts.head.filter(|&epoch| epoch < self.epoch)?;
            Some(RecencyRow::new(user, epoch, self.id()))
        });
        inbox::delete_later(self.db, left.collect());
    }

    fn timestamp(&self) -> i64 {
        write_timestamp(self.message.id())
    }
}

/// A row of the batch, which takes values of one type for all of its statements.
enum Row<'a> {
    Message(&'a Send<'a>),
    Head(&'a Send<'a>, &'a UserId),
    Conversation(&'a Send<'a>),
    Bucket(&'a Send<'a>),
}

impl SerializeRow for Row<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        match self {
            Self::Message(send) => send.message_row().serialize(context, writer),
            Self::Head(send, user) => send.head_row(user).serialize(context, writer),
            Self::Conversation(send) => send.conversation_row().serialize(context, writer),
            Self::Bucket(send) => send.bucket_row().serialize(context, writer),
        }
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// User, conversation, participants, head (id, revision, sender, preview) and timestamp.
type HeadRow<'a> = (
    &'a str,
    Uuid,
    Vec<&'a str>,
    (Uuid, i32, &'a str, &'a str),
    i64,
);

/// The values of the rows, as their statements take them.
impl Send<'_> {
    fn message_row(&self) -> (Uuid, i32, Uuid, &str, &str, &str, i64) {
        let message = self.message;
        (
            self.id().as_uuid(),
            self.bucket.0,
            message.id().as_uuid(),
            message.sender_id().as_str(),
            message.receiver_id().as_str(),
            message.content().as_str(),
            self.timestamp(),
        )
    }

    fn head_row<'a>(&'a self, user: &'a UserId) -> HeadRow<'a> {
        let last = self.conversation.last_message();
        let head = (
            last.id().as_uuid(),
            FIRST_REVISION,
            last.sender_id().as_str(),
            last.preview().as_str(),
        );
        (
            user.as_str(),
            self.id().as_uuid(),
            self.names(),
            head,
            self.timestamp(),
        )
    }

    fn conversation_row(&self) -> (Uuid, Vec<&str>, i64) {
        (self.id().as_uuid(), self.names(), self.timestamp())
    }

    fn bucket_row(&self) -> (Uuid, i32, i64) {
        (self.id().as_uuid(), self.bucket.0, self.timestamp())
    }

    fn names(&self) -> Vec<&str> {
        self.participants().iter().map(UserId::as_str).collect()
    }
}
