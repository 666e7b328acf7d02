//! The position up to which a user has read a conversation.

use super::Conversation;
use crate::ids::{MessageId, UserId};

/// A statement that a user has read a conversation up to a message. A marker only moves forward:
/// the greatest message id counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadMarker {
    /// The conversation.
    pub conversation: Conversation,
    /// The user who has read.
    pub reader: UserId,
    /// The last message that was read.
    pub up_to: MessageId,
}

impl ReadMarker {
    /// Creates a marker.
    pub fn new(conversation: Conversation, reader: UserId, up_to: MessageId) -> Self {
        Self {
            conversation,
            reader,
            up_to,
        }
    }
}
