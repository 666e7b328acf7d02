//! A conversation as one of its users sees it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Conversation, Message, Participants, Preview, Version};
use crate::ids::{ConversationId, MessageId, Position, Revision, UserId};
use crate::time::Timestamp;

/// An entry of a user's inbox: a conversation with its last message, and how far it was read.
///
/// Its place in the inbox is the id of the last message.
///
/// JSON: `{"id", "kind", "participants", "last_message", "read_up_to", "seen_up_to"}`, and
/// `"unread"` if it was asked for. The markers are message ids or `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxEntry {
    #[serde(flatten)]
    conversation: Conversation,
    last_message: LastMessage,
    read_up_to: Option<MessageId>,
    seen_up_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unread: Option<Unread>,
}

impl InboxEntry {
    /// Builds an entry with no read markers.
    pub fn new(conversation: Conversation, last_message: LastMessage) -> Self {
        Self {
            conversation,
            last_message,
            read_up_to: None,
            seen_up_to: None,
            unread: None,
        }
    }

    /// Sets the position up to which the user has read, and the one up to which the other
    /// participant has.
    #[must_use]
    pub fn with_markers(mut self, read: Option<MessageId>, seen: Option<MessageId>) -> Self {
        self.read_up_to = read;
        self.seen_up_to = seen;
        self
    }

    pub(crate) fn with_unread(mut self, unread: Unread) -> Self {
        self.unread = Some(unread);
        self
    }

    /// Returns the conversation.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// Returns the id of the conversation.
    pub fn id(&self) -> ConversationId {
        self.conversation.id()
    }

    /// Returns the users who take part.
    pub fn participants(&self) -> &Participants {
        self.conversation.participants()
    }

    /// Returns the message with the greatest id, in its greatest version.
    pub fn last_message(&self) -> &LastMessage {
        &self.last_message
    }

    /// Returns the place of the entry in the inbox: the position of its last message.
    pub fn place(&self) -> Position {
        self.last_message.id.into()
    }

    /// Returns the message up to which the user has read; `None` if the user has read none.
    pub fn read_up_to(&self) -> Option<MessageId> {
        self.read_up_to
    }

    /// Returns the message up to which the other participant has read.
    pub fn seen_up_to(&self) -> Option<MessageId> {
        self.seen_up_to
    }

    /// Returns the number of unread messages; `None` if it was not asked for.
    pub fn unread(&self) -> Option<Unread> {
        self.unread
    }
}

/// The number of messages above a user's read marker that others sent and that are not unsent.
///
/// JSON: `{"count", "capped"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unread {
    /// The number, at most [`Unread::CAP`].
    pub count: usize,
    /// `true` if there are more than that.
    pub capped: bool,
}

impl Unread {
    /// The greatest number that is counted.
    pub const CAP: usize = 100;

    /// Returns the number of unread messages from a count that stopped at one more than the cap.
    pub(crate) fn of_count(count: usize) -> Self {
        Self {
            count: count.min(Self::CAP),
            capped: count > Self::CAP,
        }
    }
}

/// The last message of a conversation, as an inbox shows it.
///
/// JSON: `{"id", "sender_id", "preview", "created_at", "revision"}`. If it was unsent, `preview` is
/// `null`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LastMessage {
    id: MessageId,
    sender_id: UserId,
    revision: Revision,
    preview: Option<Preview>,
}

impl LastMessage {
    /// Builds a last message from the parts that a store has kept. An unsent one has no preview.
    pub fn from_parts(
        id: MessageId,
        sender_id: UserId,
        revision: Revision,
        preview: Option<Preview>,
    ) -> Self {
        Self {
            id,
            sender_id,
            revision,
            preview,
        }
    }

    /// Returns the part of a message that an inbox shows.
    pub fn of(message: &Message) -> Self {
        Self {
            id: message.id(),
            sender_id: message.sender_id().clone(),
            revision: message.revision(),
            preview: message.content().map(|content| content.preview()),
        }
    }

    /// Returns the id of the message, which is also the entry's place in an inbox.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Returns the user who sent it.
    pub fn sender_id(&self) -> &UserId {
        &self.sender_id
    }

    /// Returns the revision: the id of the message if it was never changed.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns the version. Of two states of one message, the greater version is the newer one.
    pub fn version(&self) -> Version {
        Version {
            unsent: self.is_unsent(),
            revision: self.revision,
        }
    }

    /// Returns whether the message is unsent.
    pub fn is_unsent(&self) -> bool {
        self.preview.is_none()
    }

    /// Returns the beginning of its text; `None` if it is unsent.
    pub fn preview(&self) -> Option<&Preview> {
        self.preview.as_ref()
    }

    /// Returns the time it was created at: the millisecond of the id.
    pub fn created_at(&self) -> Timestamp {
        self.id.timestamp()
    }
}

impl Serialize for LastMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            id: MessageId,
            sender_id: &'a UserId,
            preview: Option<&'a Preview>,
            created_at: Timestamp,
            revision: Revision,
        }
        Json {
            id: self.id,
            sender_id: &self.sender_id,
            preview: self.preview.as_ref(),
            created_at: self.created_at(),
            revision: self.revision,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LastMessage {
    /// Ignores `created_at`: it is in the id.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Json {
            id: MessageId,
            sender_id: UserId,
            preview: Option<Preview>,
            revision: Revision,
        }
        let json = Json::deserialize(deserializer)?;
        Ok(Self {
            id: json.id,
            sender_id: json.sender_id,
            revision: json.revision,
            preview: json.preview,
        })
    }
}
