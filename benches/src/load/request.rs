//! What is asked of the server: paths, and messages to send.

use messenger_core::{ConversationId, MessageId, UserId};
use rand::{Rng, RngExt as _};
use serde::Serialize;

/// What people write is the beginning of this.
const TEXT: &str = "It is quiet on the square at this hour. Shall we meet at the fountain? I can be \
                    there at half past five, and there will be time for the market on the way home.";

/// A message to send.
#[derive(Debug, Serialize)]
pub(super) struct Letter {
    sender_id: UserId,
    receiver_id: UserId,
    content: &'static str,
}

impl Letter {
    /// A message of a random length.
    pub(super) fn new(from: &UserId, to: &UserId, rng: &mut impl Rng) -> Self {
        Self {
            sender_id: from.clone(),
            receiver_id: to.clone(),
            content: &TEXT[..rng.random_range(1..=TEXT.len())],
        }
    }

    /// The body of its request.
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts are JSON")
    }
}

/// The first page of an inbox.
pub(super) fn inbox(user: &UserId, limit: usize) -> String {
    format!("/api/conversations/user/{user}?limit={limit}")
}

/// A conversation.
pub(super) fn conversation(id: ConversationId) -> String {
    format!("/api/conversations/{id}")
}

/// A page of a history: the first one, or the one that a cursor leads to. (A cursor has no
/// character that a query would have to escape.)
pub(super) fn history(id: ConversationId, limit: usize, cursor: Option<&str>) -> String {
    let mut path = format!("/api/messages/conversation/{id}?limit={limit}");
    if let Some(cursor) = cursor {
        path.extend(["&cursor=", cursor]);
    }
    path
}

/// The first page of a history before a time in UTC, as the server writes it.
pub(super) fn before(id: ConversationId, limit: usize, time: &str) -> String {
    format!("/api/messages/conversation/{id}/before?before_timestamp={time}&limit={limit}")
}

/// One message.
pub(super) fn message(conversation: ConversationId, id: MessageId) -> String {
    format!("/api/messages/conversation/{conversation}/{id}")
}
