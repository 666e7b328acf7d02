//! The lists of buckets: the partitions that a history has.

use messenger_core::{ConversationId, Error};
use scylla::response::query_result::QueryRowsResult;
use scylla::{DeserializeRow, SerializeRow};
use uuid::Uuid;

use crate::error;
use crate::session::Db;
use crate::window::Bucket;

/// The number of buckets that are listed at a time.
pub(super) const LISTED: usize = 16;

#[derive(SerializeRow)]
struct Between {
    conversation_id: Uuid,
    lowest: i32,
    highest: i32,
    count: i32,
}

#[derive(SerializeRow)]
struct AtLeast {
    conversation_id: Uuid,
    lowest: i32,
    count: i32,
}

#[derive(DeserializeRow)]
struct BucketRow {
    bucket: i32,
}

/// Returns the buckets with messages between two, both included, newest first.
pub(super) async fn newest(
    db: &Db,
    conversation: ConversationId,
    lowest: Bucket,
    highest: Bucket,
) -> Result<Vec<Bucket>, Error> {
    let values = Between {
        conversation_id: conversation.as_uuid(),
        lowest: lowest.0,
        highest: highest.0,
        count: LISTED as i32,
    };
    decode(&db.read(&db.statements.buckets_newest, values).await?)
}

/// A bucket of the log, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogBucket {
    pub(super) bucket: Bucket,
    pub(super) has_messages: bool,
    pub(super) has_changes: bool,
}

/// Returns the buckets with messages or changes from one on, oldest first: all of them up to the last
/// one that is returned. If there are no more, the list is empty.
pub(super) async fn oldest(
    db: &Db,
    conversation: ConversationId,
    lowest: Bucket,
) -> Result<Vec<LogBucket>, Error> {
    let list = async |statement| {
        let values = AtLeast {
            conversation_id: conversation.as_uuid(),
            lowest: lowest.0,
            count: LISTED as i32,
        };
        decode(&db.read(statement, values).await?)
    };
    let (messages, changes) = tokio::try_join!(
        list(&db.statements.buckets_oldest),
        list(&db.statements.change_buckets_oldest),
    )?;
    // A list that was cut off says nothing about what comes after its last bucket.
    let cut = [&messages, &changes]
        .into_iter()
        .filter(|list| list.len() == LISTED)
        .filter_map(|list| list.last().copied())
        .min();
    let mut buckets = [messages.as_slice(), &changes].concat();
    buckets.retain(|&bucket| cut.is_none_or(|cut| bucket <= cut));
    buckets.sort_unstable();
    buckets.dedup();
    let of_log = |bucket| LogBucket {
        bucket,
        has_messages: messages.contains(&bucket),
        has_changes: changes.contains(&bucket),
    };
    Ok(buckets.into_iter().map(of_log).collect())
}

fn decode(rows: &QueryRowsResult) -> Result<Vec<Bucket>, Error> {
    let rows = rows.rows::<BucketRow>().map_err(error::undecodable)?;
    rows.map(|row| row.map(|row| Bucket(row.bucket)))
        .collect::<Result<_, _>>()
        .map_err(error::undecodable_row)
}
