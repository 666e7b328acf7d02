//! Conversations, their messages, and the log of a history.

use messenger_core::{
    Content, Conversation, ConversationId, LogKey, Logged, Message, MessageId, MessageParts,
    Participants, Position, ReadMarker, Revision, UserId, Version,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use crate::columns::{Columns as _, upper_bound};
use crate::error::{Failure, Result};
use crate::inbox;

/// Writes a version of a message, within a transaction.
pub(crate) fn put(connection: &Connection, key: LogKey, message: &Message) -> Result<()> {
    put_message(connection, key, message)?;
    let id = message.id();
    let conversation = message.conversation_id().as_uuid();
    let before = connection
        .prepare_cached("SELECT last, log_key FROM conversations WHERE id = ?1")?
        .query_row(params![conversation], |row| {
            Ok((row.message_id("last"), row.log_key("log_key")))
        })
        .optional()?;

    let participants = message.participants();
    let [first, second] = participants.as_slice() else {
        return Err(Failure::Corrupt("a conversation has two participants"));
    };
    let key = key.max(id.into());
    let Some((last, log_key)) = before else {
        connection
            .prepare_cached(
                "INSERT INTO conversations (id, first, second, last, log_key)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                conversation,
                first.as_str(),
                second.as_str(),
                id.as_uuid(),
                key.as_uuid()
            ])?;
        let listed = inbox::Listed { place: id, key };
        return inbox::list(connection, &participants, conversation, None, listed);
    };

    let before = inbox::Listed {
        place: last?,
        key: log_key?,
    };
    let changed = key != id.into();
    let listed = inbox::Listed {
        place: before.place.max(id),
        // A message that is older than the last one and was not changed is an import: it is not
        // logged in the inbox.
        key: if changed || id > before.place {
            before.key.max(key)
        } else {
            before.key
        },
    };
    if listed == before {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE conversations SET last = ?2, log_key = ?3 WHERE id = ?1")?
        .execute(params![
            conversation,
            listed.place.as_uuid(),
            listed.key.as_uuid()
        ])?;
    inbox::list(
        connection,
        &participants,
        conversation,
        Some(before),
        listed,
    )
}

/// Keeps the version if it is the greatest of its message, and moves the message up in the log.
fn put_message(connection: &Connection, key: LogKey, message: &Message) -> Result<()> {
    let (conversation, id) = (message.conversation_id().as_uuid(), message.id());
    let sender = i64::from(message.sender_id() > message.receiver_id());
    let inserted = connection
        .prepare_cached(
            "INSERT INTO messages (conversation, id, sender, content, revision)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            conversation,
            id.as_uuid(),
            sender,
            message.content().map(Content::as_str),
            stored_revision(message),
        ])?;
    let log_key = (key != id.into()).then_some(key);
    if inserted == 1 {
        if let Some(key) = log_key {
            log(connection, conversation, id, None, key)?;
        }
        return Ok(());
    }

    let (version, logged) = connection
        .prepare_cached(
            "SELECT revision, content IS NULL AS unsent, log_key FROM messages
             WHERE conversation = ?1 AND id = ?2",
        )?
        .query_row(params![conversation, id.as_uuid()], |row| {
            let unsent = row.get("unsent")?;
            let logged: Option<Uuid> = row.get("log_key")?;
            Ok((
                row.optional_revision("revision").map(|revision| Version {
                    unsent,
                    revision: revision.unwrap_or(id.into()),
                }),
                logged,
            ))
        })?;
    if message.version() > version? {
        connection
            .prepare_cached(
                "UPDATE messages SET content = ?3, revision = ?4
                 WHERE conversation = ?1 AND id = ?2",
            )?
            .execute(params![
                conversation,
                id.as_uuid(),
                message.content().map(Content::as_str),
                stored_revision(message),
            ])?;
    }
    if let Some(key) = log_key
        && Some(key.as_uuid()) > logged
    {
        log(connection, conversation, id, logged, key)?;
    }
    Ok(())
}

fn stored_revision(message: &Message) -> Option<Uuid> {
    let revision = message.revision();
    (revision != message.id().into()).then(|| revision.as_uuid())
}

/// Moves a message in the log to a greater key. The key before can go: a reader who has not passed
/// the new one finds the message there, as it is now.
fn log(
    connection: &Connection,
    conversation: Uuid,
    id: MessageId,
    before: Option<Uuid>,
    key: LogKey,
) -> Result<()> {
    if let Some(before) = before {
        connection
            .prepare_cached("DELETE FROM changes WHERE conversation = ?1 AND log_key = ?2")?
            .execute(params![conversation, before])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO changes (conversation, log_key, id) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![conversation, key.as_uuid(), id.as_uuid()])?;
    connection
        .prepare_cached("UPDATE messages SET log_key = ?3 WHERE conversation = ?1 AND id = ?2")?
        .execute(params![conversation, id.as_uuid(), key.as_uuid()])?;
    Ok(())
}

/// Moves a read marker forward, within a transaction.
pub(crate) fn mark(connection: &Connection, key: LogKey, marker: &ReadMarker) -> Result<()> {
    let conversation = marker.conversation.id().as_uuid();
    let participants = marker.conversation.participants();
    // max() of SQLite is NULL if one of its arguments is, hence coalesce().
    let sql = if participants.as_slice().first() == Some(&marker.reader) {
        "UPDATE conversations SET read_first = max(coalesce(read_first, ?2), ?2),
         log_key = max(log_key, ?3) WHERE id = ?1 RETURNING last, log_key"
    } else {
        "UPDATE conversations SET read_second = max(coalesce(read_second, ?2), ?2),
         log_key = max(log_key, ?3) WHERE id = ?1 RETURNING last, log_key"
    };
    let listed = connection
        .prepare_cached(sql)?
        .query_row(
            params![conversation, marker.up_to.as_uuid(), key.as_uuid()],
            |row| Ok((row.message_id("last"), row.log_key("log_key"))),
        )
        .optional()?;
    let Some((place, key)) = listed else {
        return Ok(());
    };
    inbox::relog(connection, participants, place?, key?)
}

/// The columns of a message, from `messages` as `m` and `conversations` as `c`: those that
/// [`message_of`] reads, in their order.
macro_rules! message_columns {
    () => {
        "m.id, m.sender, m.content, m.revision, c.id, c.first, c.second"
    };
}

/// The position of a column behind those of a message.
const AFTER_MESSAGE: usize = 7;

/// Returns a message of a row that begins with the columns above. All rows of a conversation have the
/// same two users, so only the first row's are decoded.
fn message_of(row: &Row<'_>, users: &mut Option<[UserId; 2]>) -> Result<Message> {
    let [first, second] = match users {
        Some(users) => users,
        unknown => unknown.insert([row.user_id(5)?, row.user_id(6)?]),
    };
    let (sender_id, receiver_id) = match row.get::<_, i64>(1)? {
        0 => (first.clone(), second.clone()),
        _ => (second.clone(), first.clone()),
    };
    let id = row.message_id(0)?;
    Ok(Message::from_parts(MessageParts {
        id,
        conversation_id: row.get::<_, Uuid>(4)?.into(),
        sender_id,
        receiver_id,
        revision: row.optional_revision(3)?.unwrap_or(Revision::from(id)),
        content: row.content(2)?,
    }))
}

pub(crate) fn message(
    connection: &Connection,
    conversation: ConversationId,
    id: MessageId,
) -> Result<Option<Message>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        message_columns!(),
        " FROM messages m CROSS JOIN conversations c ON c.id = m.conversation
          WHERE m.conversation = ?1 AND m.id = ?2"
    ))?;
    let mut rows = statement.query(params![conversation.as_uuid(), id.as_uuid()])?;
    let row = rows.next()?;
    row.map(|row| message_of(row, &mut None)).transpose()
}

pub(crate) fn page(
    connection: &Connection,
    conversation: ConversationId,
    below: Option<Position>,
    limit: usize,
) -> Result<Vec<Message>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        message_columns!(),
        " FROM messages m CROSS JOIN conversations c ON c.id = m.conversation
          WHERE m.conversation = ?1 AND m.id < ?2 ORDER BY m.id DESC LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![
        conversation.as_uuid(),
        upper_bound(below),
        limit as i64
    ])?;
    let (mut messages, mut users) = (Vec::with_capacity(limit), None);
    while let Some(row) = rows.next()? {
        messages.push(message_of(row, &mut users)?);
    }
    Ok(messages)
}

/// Reads the log: the messages at their ids, and the changed ones at their log keys, merged by key.
/// Each half is a range of a primary key, so SQLite merges them without sorting.
pub(crate) fn log_page(
    connection: &Connection,
    conversation: ConversationId,
    above: Position,
    limit: usize,
) -> Result<Vec<Logged<Message>>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        message_columns!(),
        ", m.id AS key
         FROM messages m CROSS JOIN conversations c ON c.id = m.conversation
         WHERE m.conversation = ?1 AND m.id > ?2
         UNION ALL
         SELECT ",
        message_columns!(),
        ", l.log_key AS key
         FROM changes l CROSS JOIN messages m ON m.conversation = l.conversation AND m.id = l.id
         CROSS JOIN conversations c ON c.id = l.conversation
         WHERE l.conversation = ?1 AND l.log_key > ?2
         ORDER BY key LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![
        conversation.as_uuid(),
        above.as_uuid(),
        limit as i64
    ])?;
    let (mut log, mut users) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        log.push(Logged {
            key: row.log_key(AFTER_MESSAGE)?,
            item: message_of(row, &mut users)?,
        });
    }
    Ok(log)
}

pub(crate) fn conversation(
    connection: &Connection,
    id: ConversationId,
) -> Result<Option<Conversation>> {
    let participants = connection
        .prepare_cached("SELECT first, second FROM conversations WHERE id = ?1")?
        .query_row(params![id.as_uuid()], |row| {
            Ok((row.user_id("first"), row.user_id("second")))
        })
        .optional()?;
    let Some((first, second)) = participants else {
        return Ok(None);
    };
    let participants = Participants::direct(first?, second?);
    Ok(Some(Conversation::direct(id, participants)))
}

pub(crate) fn unread(
    connection: &Connection,
    conversation: ConversationId,
    reader: &UserId,
    above: Option<Position>,
    cap: usize,
) -> Result<usize> {
    let count: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM (
                 SELECT 1 FROM messages
                 WHERE conversation = ?1 AND id > ?3 AND content IS NOT NULL AND sender IS NOT (
                     SELECT CASE ?2 WHEN first THEN 0 WHEN second THEN 1 END
                     FROM conversations WHERE id = ?1)
                 LIMIT ?4)",
        )?
        .query_row(
            params![
                conversation.as_uuid(),
                reader.as_str(),
                above.map_or(Uuid::nil(), Position::as_uuid),
                cap as i64
            ],
            |row| row.get(0),
        )?;
    usize::try_from(count).map_err(|_| Failure::Corrupt("a count is negative"))
}
