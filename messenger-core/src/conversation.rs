//! Conversations, as inboxes list them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ConversationId, Message, MessageId, Preview, Timestamp, UserId};

/// A conversation with its last message. It exists from its first message on, and has one shape
/// wherever it is given: in an inbox and by its id.
///
/// In JSON:
/// `{"id", "participants", "last_message": {"id", "sender_id", "preview", "created_at"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Conversation {
    id: ConversationId,
    participants: Participants,
    last_message: LastMessage,
}

impl Conversation {
    /// Puts a conversation together from what a store has kept.
    pub fn from_parts(
        id: ConversationId,
        participants: Participants,
        last_message: LastMessage,
    ) -> Self {
        Self {
            id,
            participants,
            last_message,
        }
    }

    /// The conversation as it is while this is its last message.
    pub fn of(message: &Message) -> Self {
        Self {
            id: message.conversation_id(),
            participants: Participants::of(message),
            last_message: LastMessage::of(message),
        }
    }

    /// The conversation's id.
    pub fn id(&self) -> ConversationId {
        self.id
    }

    /// Who takes part, sorted by id.
    pub fn participants(&self) -> &[UserId] {
        self.participants.as_slice()
    }

    /// The message with the greatest id.
    pub fn last_message(&self) -> &LastMessage {
        &self.last_message
    }
}

/// The users of a conversation, sorted by id. Today there are always two; groups will have more,
/// so nothing outside of this type counts on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Participants([UserId; 2]);

impl Participants {
    /// The two users of a direct conversation, in whichever order they are named.
    pub fn direct(one: UserId, other: UserId) -> Self {
        if one <= other {
            Self([one, other])
        } else {
            Self([other, one])
        }
    }

    /// Sender and receiver of a message.
    pub fn of(message: &Message) -> Self {
        Self::direct(message.sender_id().clone(), message.receiver_id().clone())
    }

    /// The users, sorted by id.
    pub fn as_slice(&self) -> &[UserId] {
        &self.0
    }

    /// The other user of a direct conversation; `None` for someone who takes no part.
    pub fn other_than(&self, user: &UserId) -> Option<&UserId> {
        match &self.0 {
            [one, other] if one == user => Some(other),
            [one, other] if other == user => Some(one),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Participants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [one, other] = <[UserId; 2]>::deserialize(deserializer)?;
        Ok(Self::direct(one, other))
    }
}

/// The last message of a conversation, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LastMessage {
    id: MessageId,
    sender_id: UserId,
    preview: Preview,
}

impl LastMessage {
    /// Puts a last message together from what a store has kept.
    pub fn from_parts(id: MessageId, sender_id: UserId, preview: Preview) -> Self {
        Self {
            id,
            sender_id,
            preview,
        }
    }

    /// What lists show of this message.
    pub fn of(message: &Message) -> Self {
        Self {
            id: message.id(),
            sender_id: message.sender_id().clone(),
            preview: message.content().preview(),
        }
    }

    /// The message's id, which is also the conversation's place in an inbox.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Who wrote it.
    pub fn sender_id(&self) -> &UserId {
        &self.sender_id
    }

    /// The beginning of its text.
    pub fn preview(&self) -> &Preview {
        &self.preview
    }

    /// When it was made: the id's millisecond.
    pub fn created_at(&self) -> Timestamp {
        self.id.created_at()
    }
}

impl Serialize for LastMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            id: MessageId,
            sender_id: &'a UserId,
            preview: &'a Preview,
            created_at: Timestamp,
        }
        Json {
            id: self.id,
            sender_id: &self.sender_id,
            preview: &self.preview,
            created_at: self.created_at(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LastMessage {
    /// `created_at` is not read: it is in the id.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Json {
            id: MessageId,
            sender_id: UserId,
            preview: Preview,
        }
        let Json {
            id,
            sender_id,
            preview,
        } = Json::deserialize(deserializer)?;
        Ok(Self {
            id,
            sender_id,
            preview,
        })
    }
}
