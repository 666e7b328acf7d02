//! Conversations and their heads: the last message, as inboxes list it.

use futures_util::future::try_join_all;
use messenger_core::{
    Conversation, ConversationId, Error, LastMessage, MessageId, Participants, Preview, UserId,
};
use scylla::response::query_result::QueryRowsResult;
use uuid::Uuid;

use crate::error;
use crate::session::Db;

/// How many heads one query asks for at most. All lie in one partition, but the replica seeks each.
const AT_ONCE: usize = 50;

/// The revision of a head whose message was never edited.
pub(crate) const FIRST_REVISION: i32 = 0;

/// A row of `inbox_heads`: conversation, participants, and id, revision, sender and preview.
type Row<'a> = (Uuid, Vec<&'a str>, (Uuid, i32, &'a str, &'a str));

/// The conversation: whose it is, and its head from the inbox of one of them.
pub(crate) async fn conversation(
    db: &Db,
    id: ConversationId,
) -> Result<Option<Conversation>, Error> {
    let rows = db
        .read(&db.statements.participants, (id.as_uuid(),))
        .await?;
    let row = rows
        .maybe_first_row::<(Vec<&str>,)>()
        .map_err(error::undecodable)?;
    let Some((users,)) = row else {
        return Ok(None);
    };
    let participants = participants(&users).map_err(invalid)?;
    match participants.as_slice().first() {
        Some(user) => head(db, user, id).await,
        None => Ok(None),
    }
}

/// One conversation's head in a user's inbox.
pub(crate) async fn head(
    db: &Db,
    user: &UserId,
    conversation: ConversationId,
) -> Result<Option<Conversation>, Error> {
    let key = (user.as_str(), conversation.as_uuid());
    let rows = db.read(&db.statements.head, key).await?;
    Ok(decode(&rows)?.pop())
}

/// These conversations' heads in a user's inbox, in any order, as far as they have one.
pub(crate) async fn heads(
    db: &Db,
    user: &UserId,
    conversations: &[Uuid],
) -> Result<Vec<Conversation>, Error> {
    let reads = conversations
        .chunks(AT_ONCE)
        .map(|chunk| db.read(&db.statements.heads, (user.as_str(), chunk)));
    let mut heads = Vec::with_capacity(conversations.len());
    for rows in try_join_all(reads).await? {
        heads.append(&mut decode(&rows)?);
    }
    Ok(heads)
}

/// Up to `limit` heads of a user, in the order of the conversation ids, behind one.
pub(crate) async fn heads_behind(
    db: &Db,
    user: &UserId,
    last: Option<ConversationId>,
    limit: i32,
) -> Result<Vec<Conversation>, Error> {
    let rows = match last {
        Some(last) => {
            let values = (user.as_str(), last.as_uuid(), limit);
            db.read(&db.statements.heads_behind, values).await?
        }
        None => {
            let values = (user.as_str(), limit);
            db.read(&db.statements.heads_first, values).await?
        }
    };
    decode(&rows)
}

fn decode(rows: &QueryRowsResult) -> Result<Vec<Conversation>, Error> {
    let rows = rows.rows::<Row<'_>>().map_err(error::undecodable)?;
    rows.map(|row| assemble(row.map_err(error::undecodable_row)?).map_err(invalid))
        .collect()
}

fn assemble((conversation, users, head): Row<'_>) -> Result<Conversation, Error> {
    let (id, _revision, sender, preview) = head;
    Ok(Conversation::from_parts(
        conversation.into(),
        participants(&users)?,
        LastMessage::from_parts(
            MessageId::from_uuid(id)?,
            UserId::new(sender)?,
            Preview::from_stored(preview),
        ),
    ))
}

fn participants(users: &[&str]) -> Result<Participants, Error> {
    let &[one, other] = users else {
        return Err(Error::new(
            messenger_core::ErrorKind::Corrupt,
            format!("a conversation has {} participants, not two", users.len()),
        ));
    };
    Ok(Participants::direct(UserId::new(one)?, UserId::new(other)?))
}

fn invalid(source: Error) -> Error {
    error::corrupt("a stored conversation is not a valid one", source)
}
