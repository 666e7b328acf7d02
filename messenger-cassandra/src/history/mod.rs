//! Histories: one partition for each bucket, and lists of the buckets that exist.
//!
//! # Older pages
//!
//! A page reads the newest bucket that may hold its first message. If the write cache knows that the
//! bucket is there, it is read at once, and a page that it fills costs one statement. Otherwise the
//! list of buckets is read at the same time. If the bucket does not fill the page, the next ones are
//! read in waves of two, then four, so that a sparse history costs few round trips and a dense one
//! reads no row too many.
//!
//! That a bucket is the newest one follows from the clock: no message lies further ahead than
//! [`Clock::MAX_AHEAD`](messenger_core::Clock::MAX_AHEAD) and the tolerated difference of clocks.
//!
//! # The log
//!
//! A message stands in the log at its id and, if it was changed or sent late, at each log key of a
//! change. Changes have rows of their own, `message_changes`, in the bucket of the key. A page merges
//! the messages and the changes above its bound, and then reads the messages that the changes name:
//! in this order, because the rows of a batch become visible one by one. A change whose message is
//! not there yet was not acknowledged, and is left out.
//!
//! No change is left out because its message shows a later version already: the row of that version
//! may not be there yet, and then a follower who passed would miss it.

use futures_util::future::try_join_all;
use messenger_core::{ConversationId, Error, Message, MessageId, Position, UserId};
use scylla::response::query_result::QueryRowsResult;
use scylla::statement::prepared::PreparedStatement;
use scylla::{DeserializeRow, SerializeRow};
use uuid::Uuid;

use crate::Inner;
use crate::error;
use crate::session::Db;
use crate::window::Bucket;

mod buckets;
mod log;
mod message;

pub(crate) use log::log;

use message::MessageRow;

/// The greatest number of buckets that are read at the same time.
const WAVE: usize = 4;

/// Above every message id. (Bounds are exclusive, and no time is that late.)
const MAX: Uuid = Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff);

#[derive(SerializeRow)]
struct MessageKey {
    conversation_id: Uuid,
    bucket: i32,
    id: Uuid,
}

#[derive(SerializeRow)]
struct Between {
    conversation_id: Uuid,
    bucket: i32,
    above: Uuid,
    below: Uuid,
    count: i32,
}

#[derive(DeserializeRow)]
struct SenderRow<'a> {
    id: Uuid,
    sender_id: Option<&'a str>,
    edit: Option<(bool, Uuid, &'a str)>,
}

pub(crate) async fn message(
    db: &Db,
    conversation: ConversationId,
    id: MessageId,
) -> Result<Option<Message>, Error> {
    let key = MessageKey {
        conversation_id: conversation.as_uuid(),
        bucket: db.windows.bucket(id).0,
        id: id.as_uuid(),
    };
    let rows = db.read(&db.statements.message, key).await?;
    let row = rows
        .maybe_first_row::<MessageRow<'_>>()
        .map_err(error::undecodable)?;
    row.map_or(Ok(None), |row| row.decode(conversation))
}

/// Returns the newest messages below a position.
pub(crate) async fn page(
    inner: &Inner,
    conversation: ConversationId,
    below: Option<Position>,
    limit: usize,
) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::with_capacity(limit);
    let descent = Descent {
        inner,
        conversation,
        statement: &inner.db.statements.messages_newest,
        above: Position::MIN,
        below: below.map_or(MAX, Position::as_uuid),
    };
    let highest = below.map(|below| inner.db.windows.bucket(below));
    descent
        .run(highest, limit, |rows| {
            let mut last = None;
            for row in rows.rows::<MessageRow<'_>>().map_err(error::undecodable)? {
                let row = row.map_err(error::undecodable_row)?;
                last = Some(row.id);
                messages.extend(row.decode(conversation)?);
            }
            Ok(Visited {
                last,
                missing: limit.saturating_sub(messages.len()),
            })
        })
        .await?;
    messages.truncate(limit);
    Ok(messages)
}

/// Counts the messages above a position that others sent and that are not unsent, up to a cap. It
/// reads the reader's own messages too, because their rows lie between the others.
pub(crate) async fn unread(
    inner: &Inner,
    conversation: ConversationId,
    reader: &UserId,
    above: Option<Position>,
    cap: usize,
) -> Result<usize, Error> {
    let mut count = 0;
    let descent = Descent {
        inner,
        conversation,
        statement: &inner.db.statements.senders_newest,
        above: above.unwrap_or(Position::MIN),
        below: MAX,
    };
    descent
        .run(None, cap, |rows| {
            let mut last = None;
            for row in rows.rows::<SenderRow<'_>>().map_err(error::undecodable)? {
                let row = row.map_err(error::undecodable_row)?;
                last = Some(row.id);
                let is_unsent = row.edit.is_some_and(|(unsent, ..)| unsent);
                let is_others = row.sender_id.is_some_and(|sender| reader != sender);
                count += usize::from(is_others && !is_unsent);
            }
            Ok(Visited {
                last,
                missing: cap.saturating_sub(count),
            })
        })
        .await?;
    Ok(count.min(cap))
}

/// Reads a history newest first, bucket by bucket, until there are enough items.
struct Descent<'a> {
    inner: &'a Inner,
    conversation: ConversationId,
    statement: &'a PreparedStatement,
    above: Position,
    below: Uuid,
}

/// The result of a visit of rows.
struct Visited {
    /// The last row.
    last: Option<Uuid>,
    /// The number of items that are still missing.
    missing: usize,
}

impl Descent<'_> {
    async fn run(
        &self,
        highest: Option<Bucket>,
        limit: usize,
        mut visit: impl FnMut(&QueryRowsResult) -> Result<Visited, Error>,
    ) -> Result<(), Error> {
        let db = &*self.inner.db;
        let lowest = db.windows.bucket(self.above);
        let mut highest = highest.unwrap_or(Bucket::MAX);
        let mut missing = limit;

        // The newest bucket that can be there, and the newest that is likely to be.
        let newest = highest.min(db.newest_bucket());
        let mut facts = self.inner.cache.get(self.conversation);
        let likely = facts.bucket.filter(|&bucket| bucket <= newest);
        let likely = likely.unwrap_or(newest).max(lowest);

        let mut read = None;
        if likely == newest && facts.bucket == Some(newest) {
            let rows = self.read(newest, self.below, limit).await?;
            missing = self.finish(newest, rows, missing, &mut visit).await?;
            if missing == 0 {
                return Ok(());
            }
            highest = newest.previous();
        }
        let mut listed = if highest < newest {
            buckets::newest(db, self.conversation, lowest, highest).await?
        } else {
            let list = buckets::newest(db, self.conversation, lowest, highest);
            let (listed, rows) = tokio::try_join!(list, self.read(likely, self.below, limit))?;
            read = Some((likely, rows));
            let known = facts.bucket.max(listed.first().copied());
            if known != facts.bucket {
                facts.bucket = known;
                self.inner.cache.put(self.conversation, facts);
            }
            listed
        };
        let mut wave = 1;
        loop {
            for some in waves(&listed, &mut wave) {
                let reads = some.iter().map(|&bucket| {
                    let ready = read.take_if(|(read, _)| *read == bucket);
                    async move {
                        match ready {
                            Some((_, rows)) => Ok(rows),
                            None => self.read(bucket, self.below, missing).await,
                        }
                    }
                });
                let rows = try_join_all(reads).await?;
                for (&bucket, rows) in some.iter().zip(rows) {
                    missing = self.finish(bucket, rows, missing, &mut visit).await?;
                    if missing == 0 {
                        return Ok(());
                    }
                }
            }
            match listed.last() {
                Some(&last) if listed.len() == buckets::LISTED => {
                    listed =
                        buckets::newest(db, self.conversation, lowest, last.previous()).await?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Visits the first rows of a bucket, and reads on in it while rows are there that are no items.
    async fn finish(
        &self,
        bucket: Bucket,
        mut rows: QueryRowsResult,
        mut asked: usize,
        visit: &mut impl FnMut(&QueryRowsResult) -> Result<Visited, Error>,
    ) -> Result<usize, Error> {
        loop {
            let visited = visit(&rows)?;
            match visited.last {
                Some(last) if visited.missing > 0 && rows.rows_num() >= asked => {
                    asked = visited.missing;
                    rows = self.read(bucket, last, asked).await?;
                }
                _ => return Ok(visited.missing),
            }
        }
    }

    async fn read(
        &self,
        bucket: Bucket,
        below: Uuid,
        limit: usize,
    ) -> Result<QueryRowsResult, Error> {
        let values = Between {
            conversation_id: self.conversation.as_uuid(),
            bucket: bucket.0,
            above: self.above.as_uuid(),
            below,
            // At most `store::MAX_LIMIT`.
            count: limit as i32,
        };
        self.inner.db.read(self.statement, values).await
    }
}

/// Cuts a list of buckets into waves that are read at once, each twice as large as the one before.
fn waves<'a, T>(buckets: &'a [T], wave: &'a mut usize) -> impl Iterator<Item = &'a [T]> {
    let mut rest = buckets;
    std::iter::from_fn(move || {
        let (some, later) = rest.split_at((*wave).min(rest.len()));
        rest = later;
        *wave = (*wave * 2).min(WAVE);
        (!some.is_empty()).then_some(some)
    })
}
