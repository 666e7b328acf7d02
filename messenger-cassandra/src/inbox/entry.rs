//! Rows of `inbox_heads`: a conversation in one user's inbox.

use futures_util::future::try_join_all;
use messenger_core::{
    Conversation, ConversationId, Error, InboxEntry, LastMessage, LogKey, MessageId, Position,
    Preview, Revision, UserId,
};
use scylla::response::query_result::QueryRowsResult;
use scylla::{DeserializeRow, SerializeRow};
use uuid::Uuid;

use super::Stamp;
use crate::conversations::{invalid, participants};
use crate::error;
use crate::session::Db;

/// The greatest number of entries that one query asks for. All lie in one partition, but the replica seeks each.
const AT_ONCE: usize = 50;

/// The last message in the form of version 1: id, revision, sender, preview. The revision of a
/// message that was sent is [`FIRST_REVISION`]; a cell with another one only covers up an older
/// text.
pub(crate) type HeadV1<'a> = (Uuid, i32, &'a str, &'a str);

/// The last message: id, unsent, revision, sender, preview. One cell, so that it is never torn.
pub(crate) type HeadV2<'a> = (Uuid, bool, Uuid, &'a str, &'a str);

/// The revision of a message that was never changed, in the form of version 1.
pub(crate) const FIRST_REVISION: i32 = 0;

/// A row as it is stored. The conversation is null in a partition that has only static values.
#[derive(DeserializeRow)]
pub(crate) struct EntryRow<'a> {
    conversation_id: Option<Uuid>,
    participants: Option<Vec<&'a str>>,
    head: Option<HeadV1<'a>>,
    last_message: Option<HeadV2<'a>>,
    read_up_to: Option<Uuid>,
    seen_up_to: Option<Uuid>,
    changed: Option<Uuid>,
    latest: Option<Uuid>,
    imported: Option<i64>,
}

/// An entry that has a last message. It is decoded only if it is to be returned.
pub(crate) struct Found<'a> {
    pub(crate) conversation: Uuid,
    /// The id of its last message.
    pub(crate) place: MessageId,
    /// The greatest log key of its changes.
    pub(crate) key: LogKey,
    row: EntryRow<'a>,
}

impl<'a> EntryRow<'a> {
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp::new(self.latest, self.imported)
    }

    /// Returns the entry; `None` if the row has no last message: it is no item then, only a marker or
    /// a static value.
    pub(crate) fn found(self) -> Result<Option<Found<'a>>, Error> {
        let places = [
            self.head.as_ref().map(|head| head.0),
            self.last_message.as_ref().map(|head| head.0),
        ];
        let (Some(conversation), Some(place)) =
            (self.conversation_id, places.into_iter().flatten().max())
        else {
            return Ok(None);
        };
        let place = MessageId::from_uuid(place).map_err(invalid)?;
        let changed = self.changed.map(LogKey::from_uuid).transpose();
        Ok(Some(Found {
            conversation,
            place,
            key: changed
                .map_err(invalid)?
                .max(Some(place.into()))
                .unwrap_or(place.into()),
            row: self,
        }))
    }
}

impl Found<'_> {
    pub(crate) fn decode(&self) -> Result<InboxEntry, Error> {
        let decode = || {
            let users = self.row.participants.as_deref().unwrap_or_default();
            let conversation = Conversation::direct(self.conversation.into(), participants(users)?);
            let id = |id: Option<Uuid>| id.map(MessageId::from_uuid).transpose();
            Ok::<_, Error>(
                InboxEntry::new(conversation, self.last_message()?)
                    .with_markers(id(self.row.read_up_to)?, id(self.row.seen_up_to)?),
            )
        };
        decode().map_err(invalid)
    }

    /// Returns the greater one of both forms: servers of version 1 write only the older one.
    fn last_message(&self) -> Result<LastMessage, Error> {
        let version = |last: &LastMessage| (last.id(), last.version());
        let old = self.row.head.as_ref().map(of_version_1).transpose()?;
        let new = self
            .row
            .last_message
            .as_ref()
            .map(of_version_2)
            .transpose()?;
        let greatest = old.into_iter().chain(new).max_by_key(version);
        greatest.ok_or_else(|| {
            Error::new(
                messenger_core::ErrorKind::Corrupt,
                "a conversation has no last message",
            )
        })
    }
}

fn of_version_1(&(id, _, sender, preview): &HeadV1<'_>) -> Result<LastMessage, Error> {
    let id = MessageId::from_uuid(id)?;
    Ok(LastMessage::from_parts(
        id,
        UserId::new(sender)?,
        id.into(),
        Some(Preview::from_stored(preview)),
    ))
}

fn of_version_2(
    &(id, unsent, revision, sender, preview): &HeadV2<'_>,
) -> Result<LastMessage, Error> {
    Ok(LastMessage::from_parts(
        MessageId::from_uuid(id)?,
        UserId::new(sender)?,
        Revision::from_uuid(revision)?,
        (!unsent).then(|| Preview::from_stored(preview)),
    ))
}

#[derive(SerializeRow)]
struct EntryKey<'a> {
    user_id: &'a str,
    conversation_id: Uuid,
}

#[derive(SerializeRow)]
struct EntryKeys<'a> {
    user_id: &'a str,
    conversation_ids: &'a [Uuid],
}

#[derive(SerializeRow)]
struct EntriesAfter<'a> {
    user_id: &'a str,
    conversation_id: Uuid,
    count: i32,
}

#[derive(SerializeRow)]
struct EntriesFirst<'a> {
    user_id: &'a str,
    count: i32,
}

/// Calls a function for each entry that has a last message, and returns the stamp of all rows.
pub(crate) fn each(
    rows: &QueryRowsResult,
    mut visit: impl FnMut(Found<'_>) -> Result<(), Error>,
) -> Result<Stamp, Error> {
    let mut stamp = Stamp::default();
    for row in rows.rows::<EntryRow<'_>>().map_err(error::undecodable)? {
        let row = row.map_err(error::undecodable_row)?;
        stamp = stamp.max(row.stamp());
        if let Some(found) = row.found()? {
            visit(found)?;
        }
    }
    Ok(stamp)
}

/// Returns one conversation in a user's inbox.
pub(crate) async fn entry(
    db: &Db,
    user: &UserId,
    conversation: ConversationId,
) -> Result<Option<InboxEntry>, Error> {
    let mut entry = None;
    each(&read_one(db, user, conversation).await?, |found| {
        entry = Some(found.decode()?);
        Ok(())
    })?;
    Ok(entry)
}

/// Returns the place and the log key of one conversation in a user's inbox.
pub(crate) async fn place_and_key(
    db: &Db,
    user: &UserId,
    conversation: ConversationId,
) -> Result<Option<(Position, Position)>, Error> {
    let mut known = None;
    each(&read_one(db, user, conversation).await?, |found| {
        known = Some((found.place.into(), found.key.into()));
        Ok(())
    })?;
    Ok(known)
}

async fn read_one(
    db: &Db,
    user: &UserId,
    conversation: ConversationId,
) -> Result<QueryRowsResult, Error> {
    let key = EntryKey {
        user_id: user.as_str(),
        conversation_id: conversation.as_uuid(),
    };
    db.read(&db.statements.entry, key).await
}

/// Reads these conversations in a user's inbox, in any order, several queries at the same time.
pub(crate) async fn read_all(
    db: &Db,
    user: &UserId,
    conversations: &[Uuid],
) -> Result<Vec<QueryRowsResult>, Error> {
    let reads = conversations.chunks(AT_ONCE).map(|chunk| {
        let keys = EntryKeys {
            user_id: user.as_str(),
            conversation_ids: chunk,
        };
        db.read(&db.statements.entries, keys)
    });
    try_join_all(reads).await
}

/// Reads up to `limit` conversations of a user in the order of their ids, after one.
pub(crate) async fn read_after(
    db: &Db,
    user: &UserId,
    after: Option<Uuid>,
    limit: i32,
) -> Result<QueryRowsResult, Error> {
    let user_id = user.as_str();
    match after {
        Some(conversation_id) => {
            let values = EntriesAfter {
                user_id,
                conversation_id,
                count: limit,
            };
            db.read(&db.statements.entries_after, values).await
        }
        None => {
            let values = EntriesFirst {
                user_id,
                count: limit,
            };
            db.read(&db.statements.entries_first, values).await
        }
    }
}
