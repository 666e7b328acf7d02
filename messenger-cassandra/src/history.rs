//! Histories: one partition for each bucket, and a list of the buckets that exist.
//!
//! A page reads which buckets lie within its bounds, then the messages of the first of them: two
//! round trips where that bucket fills the page. Where it does not, the next buckets are read in
//! waves of two, then four, at the same time, so that a sparse history costs few round trips and a
//! dense one reads no row too many.

use futures_util::future::try_join_all;
use messenger_core::{
    Content, ConversationId, Error, Message, MessageId, MessageParts, Order, Position, Slice,
    UserId,
};
use scylla::response::query_result::QueryRowsResult;
use uuid::Uuid;

use crate::error;
use crate::session::Db;
use crate::window::Bucket;

/// How many buckets are listed at a time, and how many are read at once at most.
const LISTED: usize = 16;
const WAVE: usize = 4;

/// Above every message id. (Bounds are exclusive, and no time is that late.)
const MAX: Uuid = Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff);

pub(crate) async fn message(
    db: &Db,
    conversation: ConversationId,
    id: MessageId,
) -> Result<Option<Message>, Error> {
    let bucket = db.windows.bucket(id);
    let key = (conversation.as_uuid(), bucket.0, id.as_uuid());
    let rows = db.read(&db.statements.message, key).await?;
    let row = rows
        .maybe_first_row::<(&str, &str, &str)>()
        .map_err(error::undecodable)?;
    row.map(|(sender, receiver, content)| {
        assemble(conversation, id.as_uuid(), sender, receiver, content)
    })
    .transpose()
}

pub(crate) async fn page(
    db: &Db,
    conversation: ConversationId,
    slice: Slice,
) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::with_capacity(slice.limit);
    let mut range = Range::of(db, slice);
    loop {
        let listed = buckets(db, conversation, range, slice.order).await?;
        let mut rest = listed.as_slice();
        let mut wave = 1;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(wave.min(rest.len()));
            let missing = slice.limit - messages.len();
            let reads = now
                .iter()
                .map(|&bucket| read(db, conversation, bucket, slice, missing));
            for rows in try_join_all(reads).await? {
                collect(conversation, &rows, slice.limit, &mut messages)?;
            }
            if messages.len() == slice.limit {
                return Ok(messages);
            }
            rest = later;
            wave = (wave * 2).min(WAVE);
        }
        match listed.last() {
            Some(&last) if listed.len() == LISTED => range = range.behind(last, slice.order),
            _ => return Ok(messages),
        }
    }
}

/// The buckets that a slice can have messages in, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: i32,
    to: i32,
}

impl Range {
    fn of(db: &Db, slice: Slice) -> Self {
        let bucket = |position: Position| db.windows.bucket(position).0;
        Self {
            from: slice.above.map_or(0, bucket),
            to: slice.below.map_or(i32::MAX, bucket),
        }
    }

    fn behind(self, last: Bucket, order: Order) -> Self {
        match order {
            Order::NewestFirst => Self {
                to: last.0 - 1,
                ..self
            },
            Order::OldestFirst => Self {
                from: last.0.saturating_add(1),
                ..self
            },
        }
    }
}

async fn buckets(
    db: &Db,
    conversation: ConversationId,
    range: Range,
    order: Order,
) -> Result<Vec<Bucket>, Error> {
    let statement = match order {
        Order::NewestFirst => &db.statements.buckets_newest,
        Order::OldestFirst => &db.statements.buckets_oldest,
    };
    let values = (conversation.as_uuid(), range.from, range.to, LISTED as i32);
    let rows = db.read(statement, values).await?;
    let rows = rows.rows::<(i32,)>().map_err(error::undecodable)?;
    rows.map(|row| row.map(|(bucket,)| Bucket(bucket)))
        .collect::<Result<_, _>>()
        .map_err(error::undecodable_row)
}

async fn read(
    db: &Db,
    conversation: ConversationId,
    bucket: Bucket,
    slice: Slice,
    limit: usize,
) -> Result<QueryRowsResult, Error> {
    let statement = match slice.order {
        Order::NewestFirst => &db.statements.messages_newest,
        Order::OldestFirst => &db.statements.messages_oldest,
    };
    let above = slice.above.unwrap_or(Position::MIN).as_uuid();
    let below = slice.below.map_or(MAX, Position::as_uuid);
    // At most `Slice::MAX_LIMIT`.
    let values = (conversation.as_uuid(), bucket.0, above, below, limit as i32);
    db.read(statement, values).await
}

fn collect(
    conversation: ConversationId,
    rows: &QueryRowsResult,
    limit: usize,
    messages: &mut Vec<Message>,
) -> Result<(), Error> {
    let rows = rows
        .rows::<(Uuid, &str, &str, &str)>()
        .map_err(error::undecodable)?;
    for row in rows.take(limit - messages.len()) {
        let (id, sender, receiver, content) = row.map_err(error::undecodable_row)?;
        messages.push(assemble(conversation, id, sender, receiver, content)?);
    }
    Ok(())
}

fn assemble(
    conversation_id: ConversationId,
    id: Uuid,
    sender: &str,
    receiver: &str,
    content: &str,
) -> Result<Message, Error> {
    let parts = || {
        Ok::<_, Error>(MessageParts {
            id: MessageId::from_uuid(id)?,
            conversation_id,
            sender_id: UserId::new(sender)?,
            receiver_id: UserId::new(receiver)?,
            content: Content::new(content)?,
        })
    };
    parts()
        .map(Message::from_parts)
        .map_err(|source| error::corrupt("a stored message is not a valid one", source))
}
