//! Inboxes and their logs.

use messenger_core::{
    Conversation, ConversationId, InboxEntry, LastMessage, LogKey, Logged, MessageId, Participants,
    Position, Revision, UserId,
};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use crate::columns::{Columns as _, upper_bound};
use crate::error::Result;

/// The place of a conversation in an inbox, and its key in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) place: MessageId,
    pub(crate) key: LogKey,
}

/// Lists a conversation in both inboxes, and no longer where it was.
pub(crate) fn list(
    connection: &Connection,
    participants: &Participants,
    conversation: Uuid,
    before: Option<Listed>,
    listed: Listed,
) -> Result<()> {
    if before.is_some_and(|before| before.place == listed.place) {
        return relog(connection, participants, listed.place, listed.key);
    }
    for user in participants {
        if let Some(before) = before {
            connection
                .prepare_cached("DELETE FROM inbox WHERE user = ?1 AND place = ?2")?
                .execute(params![user.as_str(), before.place.as_uuid()])?;
        }
        connection
            .prepare_cached(
                "INSERT INTO inbox (user, place, conversation, log_key) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                user.as_str(),
                listed.place.as_uuid(),
                conversation,
                listed.key.as_uuid()
            ])?;
    }
    Ok(())
}

/// Moves a conversation to a key in the logs of both inboxes.
pub(crate) fn relog(
    connection: &Connection,
    participants: &Participants,
    place: MessageId,
    key: LogKey,
) -> Result<()> {
    for user in participants {
        connection
            .prepare_cached("UPDATE inbox SET log_key = ?3 WHERE user = ?1 AND place = ?2")?
            .execute(params![user.as_str(), place.as_uuid(), key.as_uuid()])?;
    }
    Ok(())
}

/// Selects entries: `conversations` as `c`, their last messages as `m`, with the columns that
/// [`entry_of`] reads, in their order, and the log key. One statement is one snapshot.
macro_rules! select_entries {
    ($from_inbox:literal, $rest:literal) => {
        concat!(
            "SELECT m.id, m.sender, m.content, m.revision, c.id, c.first, c.second, c.read_first,
                    c.read_second, c.log_key
             FROM ",
            $from_inbox,
            " CROSS JOIN messages m ON m.conversation = c.id AND m.id = c.last ",
            $rest
        )
    };
}

/// The position of the log key.
const LOG_KEY: usize = 9;

/// Returns the entry of a user, of a row that has the columns above.
fn entry_of(row: &Row<'_>, user: &UserId) -> Result<InboxEntry> {
    let [first, second] = [row.user_id(5)?, row.user_id(6)?];
    let sender_id = match row.get::<_, i64>(1)? {
        0 => first.clone(),
        _ => second.clone(),
    };
    let id = row.message_id(0)?;
    let last_message = LastMessage::from_parts(
        id,
        sender_id,
        row.optional_revision(3)?.unwrap_or(Revision::from(id)),
        row.content(2)?.map(|content| content.preview()),
    );
    let read_first = row.optional_message_id(7)?;
    let read_second = row.optional_message_id(8)?;
    let (read, seen) = if *user == first {
        (read_first, read_second)
    } else {
        (read_second, read_first)
    };
    let conversation = Conversation::direct(
        row.get::<_, Uuid>(4)?.into(),
        Participants::direct(first, second),
    );
    Ok(InboxEntry::new(conversation, last_message).with_markers(read, seen))
}

pub(crate) fn page(
    connection: &Connection,
    user: &UserId,
    below: Option<Position>,
    limit: usize,
) -> Result<Vec<InboxEntry>> {
    let mut statement = connection.prepare_cached(select_entries!(
        "inbox i CROSS JOIN conversations c ON c.id = i.conversation",
        "WHERE i.user = ?1 AND i.place < ?2 ORDER BY i.place DESC LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![user.as_str(), upper_bound(below), limit as i64])?;
    let mut entries = Vec::with_capacity(limit);
    while let Some(row) = rows.next()? {
        entries.push(entry_of(row, user)?);
    }
    Ok(entries)
}

pub(crate) fn log_page(
    connection: &Connection,
    user: &UserId,
    above: Position,
    limit: usize,
) -> Result<Vec<Logged<InboxEntry>>> {
    let mut statement = connection.prepare_cached(select_entries!(
        "inbox i INDEXED BY inbox_log CROSS JOIN conversations c ON c.id = i.conversation",
        "WHERE i.user = ?1 AND i.log_key > ?2 ORDER BY i.log_key LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![user.as_str(), above.as_uuid(), limit as i64])?;
    let mut log = Vec::new();
    while let Some(row) = rows.next()? {
        log.push(Logged {
            key: row.log_key(LOG_KEY)?,
            item: entry_of(row, user)?,
        });
    }
    Ok(log)
}

pub(crate) fn entry(
    connection: &Connection,
    user: &UserId,
    conversation: ConversationId,
) -> Result<Option<InboxEntry>> {
    let mut statement = connection.prepare_cached(select_entries!(
        "conversations c",
        "WHERE c.id = ?1 AND ?2 IN (c.first, c.second)"
    ))?;
    let mut rows = statement.query(params![conversation.as_uuid(), user.as_str()])?;
    rows.next()?.map(|row| entry_of(row, user)).transpose()
}

/// Returns users in the order of their ids. Each is one step of the primary key, so that a user with
/// many conversations costs no more than one with a single one.
pub(crate) fn users(
    connection: &Connection,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<UserId>> {
    let mut next = connection
        .prepare_cached("SELECT user FROM inbox WHERE user > ?1 ORDER BY user LIMIT 1")?;
    let mut users: Vec<UserId> = Vec::new();
    while users.len() < limit {
        // No user id is empty, so all of them come after the empty text.
        let after = users.last().or(after).map_or("", UserId::as_str);
        let mut rows = next.query(params![after])?;
        let Some(row) = rows.next()? else { break };
        users.push(row.user_id("user")?);
    }
    Ok(users)
}
