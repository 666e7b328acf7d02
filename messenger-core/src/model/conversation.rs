//! Conversations and their participants.

use serde::{Deserialize, Deserializer, Serialize};

use super::Message;
use crate::ids::{ConversationId, UserId};

/// A conversation: an entity of its own, which exists from its first message on. How one user sees
/// it is an [`InboxEntry`](crate::InboxEntry).
///
/// JSON: `{"id", "kind", "participants"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Conversation {
    id: ConversationId,
    kind: ConversationKind,
    participants: Participants,
}

/// The kind of a [`Conversation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConversationKind {
    /// The conversation of two users.
    Direct,
}

impl Conversation {
    /// Builds a direct conversation from the parts that a store has kept.
    pub fn direct(id: ConversationId, participants: Participants) -> Self {
        Self {
            id,
            kind: ConversationKind::Direct,
            participants,
        }
    }

    /// Returns the conversation that a message is in.
    pub fn of(message: &Message) -> Self {
        Self::direct(message.conversation_id(), message.participants())
    }

    /// Returns the id of the conversation.
    pub fn id(&self) -> ConversationId {
        self.id
    }

    /// Returns the kind of the conversation.
    pub fn kind(&self) -> ConversationKind {
        self.kind
    }

    /// Returns the users who take part.
    pub fn participants(&self) -> &Participants {
        &self.participants
    }
}

/// The users of a conversation, sorted by id. Today there are always two; groups will have more.
///
/// JSON: an array of user ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Participants([UserId; 2]);

impl Participants {
    /// Returns the participants of a direct conversation, given in either order.
    pub fn direct(one: UserId, other: UserId) -> Self {
        if one <= other {
            Self([one, other])
        } else {
            Self([other, one])
        }
    }

    /// Returns the users, sorted by id.
    pub fn as_slice(&self) -> &[UserId] {
        &self.0
    }

    /// Returns an iterator over the users, sorted by id.
    pub fn iter(&self) -> std::slice::Iter<'_, UserId> {
        self.0.iter()
    }

    /// Returns whether a user takes part.
    pub fn contains(&self, user: &UserId) -> bool {
        self.0.contains(user)
    }

    /// Returns the other user of a direct conversation; `None` if the user takes no part.
    pub fn other_than(&self, user: &UserId) -> Option<&UserId> {
        match &self.0 {
            [one, other] if one == user => Some(other),
            [one, other] if other == user => Some(one),
            _ => None,
        }
    }
}

impl<'a> IntoIterator for &'a Participants {
    type Item = &'a UserId;
    type IntoIter = std::slice::Iter<'a, UserId>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'de> Deserialize<'de> for Participants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [one, other] = <[UserId; 2]>::deserialize(deserializer)?;
        Ok(Self::direct(one, other))
    }
}
