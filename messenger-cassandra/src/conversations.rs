//! Conversations: the users who take part. The id of a conversation is a hash of them, so they
//! cannot be read from it.

use messenger_core::{Conversation, ConversationId, Error, ErrorKind, Participants, UserId};
use scylla::DeserializeRow;
use scylla::SerializeRow;
use uuid::Uuid;

use crate::error;
use crate::session::Db;

#[derive(SerializeRow)]
struct ConversationKey {
    conversation_id: Uuid,
}

#[derive(DeserializeRow)]
struct ConversationRow<'a> {
    participants: Vec<&'a str>,
}

pub(crate) async fn conversation(
    db: &Db,
    id: ConversationId,
) -> Result<Option<Conversation>, Error> {
    let key = ConversationKey {
        conversation_id: id.as_uuid(),
    };
    let rows = db.read(&db.statements.participants, key).await?;
    let row = rows
        .maybe_first_row::<ConversationRow<'_>>()
        .map_err(error::undecodable)?;
    let conversation =
        |row: ConversationRow<'_>| Ok(Conversation::direct(id, participants(&row.participants)?));
    row.map(conversation).transpose().map_err(invalid)
}

/// Returns the users whose ids a row holds.
pub(crate) fn participants(users: &[&str]) -> Result<Participants, Error> {
    let &[one, other] = users else {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!("a conversation has {} participants, not two", users.len()),
        ));
    };
    Ok(Participants::direct(UserId::new(one)?, UserId::new(other)?))
}

pub(crate) fn invalid(source: Error) -> Error {
    error::corrupt("a stored conversation is not a valid one", source)
}
