//! Rows of `messages`.

use messenger_core::{
    Content, ConversationId, Error, Message, MessageId, MessageParts, Revision, UserId,
};
use scylla::DeserializeRow;
use uuid::Uuid;

use crate::error;

/// A row as it is stored: the first text, and the greatest later version (unsent, revision, text).
/// Both cells are written at the same timestamp, so neither covers the other.
#[derive(DeserializeRow)]
pub(super) struct MessageRow<'a> {
    pub(super) id: Uuid,
    sender_id: Option<&'a str>,
    receiver_id: Option<&'a str>,
    content: Option<&'a str>,
    edit: Option<(bool, Uuid, &'a str)>,
}

impl MessageRow<'_> {
    /// Returns the message in its greatest version; `None` if the row holds no version.
    pub(super) fn decode(&self, conversation_id: ConversationId) -> Result<Option<Message>, Error> {
        let (Some(sender), Some(receiver)) = (self.sender_id, self.receiver_id) else {
            return Ok(None);
        };
        let first = self.content.map(|text| (false, self.id, text));
        // Compared as `Version` is: unsent first, then the revision.
        let Some((unsent, revision, text)) = first.max(self.edit) else {
            return Ok(None);
        };
        let parts = || {
            Ok::<_, Error>(MessageParts {
                id: MessageId::from_uuid(self.id)?,
                conversation_id,
                sender_id: UserId::new(sender)?,
                receiver_id: UserId::new(receiver)?,
                revision: Revision::from_uuid(revision)?,
                // An unsent message has no text, whatever the row holds.
                content: (!unsent).then(|| Content::new(text)).transpose()?,
            })
        };
        parts()
            .map(|parts| Some(Message::from_parts(parts)))
            .map_err(invalid)
    }
}

pub(super) fn invalid(source: Error) -> Error {
    error::corrupt("a stored message is not a valid one", source)
}
