//! The log of a history: messages by id, and changes by log key.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join_all;
use messenger_core::{ConversationId, Error, LogKey, Logged, Message, MessageId, Position};
use scylla::{DeserializeRow, SerializeRow};
use uuid::Uuid;

use super::buckets::{self, LogBucket};
use super::message::{MessageRow, invalid};
use super::waves;
use crate::Inner;
use crate::error;
use crate::session::Db;
use crate::window::Bucket;

#[derive(SerializeRow)]
struct Above {
    conversation_id: Uuid,
    bucket: i32,
    above: Uuid,
    count: i32,
}

#[derive(SerializeRow)]
struct Ids {
    conversation_id: Uuid,
    bucket: i32,
    ids: Vec<Uuid>,
}

#[derive(DeserializeRow)]
struct ChangeRow {
    key: Uuid,
    message_id: Uuid,
}

/// Returns the first items of the log above a key. A message stands at each of its keys.
pub(crate) async fn log(
    inner: &Inner,
    conversation: ConversationId,
    above: Position,
    limit: usize,
) -> Result<Vec<Logged<Message>>, Error> {
    let db = &*inner.db;
    let reader = Reader { db, conversation };
    let mut items = Vec::new();
    let first = db.windows.bucket(above);
    let newest = db.newest_bucket();
    let mut listed = if first >= newest {
        // No list is needed: no later bucket can be there.
        vec![LogBucket {
            bucket: first,
            has_messages: true,
            has_changes: true,
        }]
    } else {
        buckets::oldest(db, conversation, first).await?
    };
    let mut wave = 1;
    while let Some(&last) = listed.last() {
        for some in waves(&listed, &mut wave) {
            let missing = limit - items.len();
            let reads = some
                .iter()
                .map(|&bucket| reader.read(bucket, above.as_uuid(), missing));
            let parts = try_join_all(reads).await?;
            for (&bucket, part) in some.iter().zip(parts) {
                reader.finish(bucket, part, limit, &mut items).await?;
                if items.len() == limit {
                    return Ok(items);
                }
            }
        }
        if last.bucket >= newest {
            break;
        }
        listed = buckets::oldest(db, conversation, last.bucket.next()).await?;
    }
    Ok(items)
}

/// Reads the log of a conversation.
struct Reader<'a> {
    db: &'a Db,
    conversation: ConversationId,
}

/// A part of the log in one bucket.
#[derive(Default)]
struct Part {
    /// The key of each item, and the message.
    keys: BTreeMap<Uuid, Uuid>,
    /// The messages that were read with their own keys.
    messages: HashMap<Uuid, Message>,
    /// The messages that a change names.
    changed: Vec<Uuid>,
    /// The key up to which everything was read; `None` if that is the end of the bucket.
    reach: Option<Uuid>,
}

impl Reader<'_> {
    /// Adds the items of a part, and reads on in its bucket while changes are there whose messages
    /// are not.
    async fn finish(
        &self,
        bucket: LogBucket,
        mut part: Part,
        limit: usize,
        items: &mut Vec<Logged<Message>>,
    ) -> Result<(), Error> {
        loop {
            // After the changes: what a change says is in the message that is read now.
            let changed = self.by_id(&part.changed).await?;
            part.messages.extend(changed);
            for (key, id) in part.keys {
                if items.len() < limit
                    && let Some(message) = part.messages.get(&id)
                {
                    items.push(Logged {
                        key: LogKey::from_uuid(key).map_err(invalid)?,
                        item: message.clone(),
                    });
                }
            }
            match part.reach {
                Some(reach) if items.len() < limit => {
                    part = self.read(bucket, reach, limit - items.len()).await?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Reads messages and changes at the same time.
    async fn read(&self, bucket: LogBucket, above: Uuid, limit: usize) -> Result<Part, Error> {
        let read = async |is_there: bool, statement| {
            let values = Above {
                conversation_id: self.conversation.as_uuid(),
                bucket: bucket.bucket.0,
                above,
                // At most `store::MAX_LIMIT`.
                count: limit as i32,
            };
            match is_there {
                true => self.db.read(statement, values).await.map(Some),
                false => Ok(None),
            }
        };
        let statements = &self.db.statements;
        let (messages, changes) = tokio::try_join!(
            read(bucket.has_messages, &statements.messages_oldest),
            read(bucket.has_changes, &statements.changes_oldest),
        )?;
        let mut part = Part::default();
        let mut cuts = Vec::new();
        if let Some(rows) = messages {
            let mut last = None;
            for row in rows.rows::<MessageRow<'_>>().map_err(error::undecodable)? {
                let row = row.map_err(error::undecodable_row)?;
                last = Some(row.id);
                if let Some(message) = row.decode(self.conversation)? {
                    part.keys.insert(row.id, row.id);
                    part.messages.insert(row.id, message);
                }
            }
            cuts.extend(last.filter(|_| rows.rows_num() == limit));
        }
        if let Some(rows) = changes {
            let mut last = None;
            for row in rows.rows::<ChangeRow>().map_err(error::undecodable)? {
                let row = row.map_err(error::undecodable_row)?;
                last = Some(row.key);
                part.keys.insert(row.key, row.message_id);
                part.changed.push(row.message_id);
            }
            cuts.extend(last.filter(|_| rows.rows_num() == limit));
        }
        // A read that was cut off says nothing about what comes after its last row.
        part.reach = cuts.into_iter().min();
        if let Some(reach) = part.reach {
            part.keys.retain(|&key, _| key <= reach);
        }
        Ok(part)
    }

    /// Returns the messages with these ids that are there.
    async fn by_id(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Message>, Error> {
        let mut buckets = BTreeMap::<Bucket, Vec<Uuid>>::new();
        for &id in ids {
            let bucket = self
                .db
                .windows
                .bucket(MessageId::from_uuid(id).map_err(invalid)?);
            buckets.entry(bucket).or_default().push(id);
        }
        let reads = buckets.into_iter().map(|(bucket, ids)| {
            let values = Ids {
                conversation_id: self.conversation.as_uuid(),
                bucket: bucket.0,
                ids,
            };
            self.db.read(&self.db.statements.messages_by_id, values)
        });
        let mut messages = HashMap::new();
        for rows in try_join_all(reads).await? {
            for row in rows.rows::<MessageRow<'_>>().map_err(error::undecodable)? {
                let row = row.map_err(error::undecodable_row)?;
                if let Some(message) = row.decode(self.conversation)? {
                    messages.insert(row.id, message);
                }
            }
        }
        Ok(messages)
    }
}
