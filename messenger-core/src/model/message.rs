//! Messages and their versions.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Content, Participants};
use crate::error::{Error, ErrorKind, Subject};
use crate::ids::{ConversationId, MessageId, Revision, UserId};
use crate::time::Timestamp;

/// A message to be sent: sender, receiver and content. It has no id yet.
///
/// ```
/// use messenger_core::{ErrorKind, NewMessage};
///
/// let hello = NewMessage::new("alice".parse()?, "bob".parse()?, "Hello")?;
/// assert_eq!(hello.content().as_str(), "Hello");
///
/// let error = NewMessage::new("alice".parse()?, "alice".parse()?, "Me again").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// # Ok::<(), messenger_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewMessage {
    sender_id: UserId,
    receiver_id: UserId,
    content: Content,
}

impl NewMessage {
    /// Creates a message from one user to another.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if sender and receiver are the same user, and the errors of
    /// [`Content::new`].
    pub fn new(
        sender_id: UserId,
        receiver_id: UserId,
        content: impl Into<Arc<str>> + AsRef<str>,
    ) -> Result<Self, Error> {
        let content = Content::new(content)?;
        Self::with_content(sender_id, receiver_id, content)
    }

    /// Creates a message from one user to another, with a content that was parsed already.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if sender and receiver are the same user.
    pub(crate) fn with_content(
        sender_id: UserId,
        receiver_id: UserId,
        content: Content,
    ) -> Result<Self, Error> {
        if sender_id == receiver_id {
            return Err(Error::about(
                ErrorKind::Invalid,
                Subject::Participants,
                "sender and receiver must be two different users",
            ));
        }
        Ok(Self {
            sender_id,
            receiver_id,
            content,
        })
    }

    /// Returns the user who sends.
    pub fn sender_id(&self) -> &UserId {
        &self.sender_id
    }

    /// Returns the user who receives.
    pub fn receiver_id(&self) -> &UserId {
        &self.receiver_id
    }

    /// Returns the text.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Returns the id of the conversation that the message will be in.
    pub fn conversation_id(&self) -> ConversationId {
        ConversationId::direct(&self.sender_id, &self.receiver_id)
    }

    /// Returns the first version of the message under this id. [`Messenger`](crate::Messenger) does
    /// this; tests of stores do it too.
    pub fn with_id(self, id: MessageId) -> Message {
        Message {
            id,
            conversation_id: self.conversation_id(),
            sender_id: self.sender_id,
            receiver_id: self.receiver_id,
            revision: id.into(),
            content: Some(self.content),
        }
    }
}

impl<'de> Deserialize<'de> for NewMessage {
    /// Reads `{"sender_id", "receiver_id", "content"}`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Json {
            sender_id: UserId,
            receiver_id: UserId,
            content: Content,
        }
        let json = Json::deserialize(deserializer)?;
        Self::with_content(json.sender_id, json.receiver_id, json.content)
            .map_err(serde::de::Error::custom)
    }
}

/// A message in one of its versions. Cloning shares the text.
///
/// JSON: `{"id", "conversation_id", "sender_id", "receiver_id", "content", "created_at",
/// "revision"}`, and `"edited_at"` if it was edited. If it was unsent, `content` is `null` and there
/// is an `"unsent_at"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    id: MessageId,
    conversation_id: ConversationId,
    sender_id: UserId,
    receiver_id: UserId,
    revision: Revision,
    content: Option<Content>,
}

/// The version of a message. **The greatest version is the message.**
///
/// An unsent version is greater than every other, so unsending is final. Of two edits, the later
/// one is greater, in whatever order they reach a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a store must be able to write it"
)]
pub struct Version {
    /// `true` if the message is unsent. Compared first.
    pub unsent: bool,
    /// The revision.
    pub revision: Revision,
}

/// The parts of a [`Message`], from which a store builds it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a store must be able to write it"
)]
pub struct MessageParts {
    /// The id of the message.
    pub id: MessageId,
    /// The conversation it is in.
    pub conversation_id: ConversationId,
    /// The user who sent it.
    pub sender_id: UserId,
    /// The user who received it.
    pub receiver_id: UserId,
    /// The revision of this version.
    pub revision: Revision,
    /// The text; `None` if the message is unsent.
    pub content: Option<Content>,
}

impl Message {
    /// Builds a message from the parts that a store has kept. The store is responsible for parts
    /// that belong together; only [`NewMessage::with_id`] derives the conversation.
    pub fn from_parts(parts: MessageParts) -> Self {
        let MessageParts {
            id,
            conversation_id,
            sender_id,
            receiver_id,
            revision,
            content,
        } = parts;
        Self {
            id,
            conversation_id,
            sender_id,
            receiver_id,
            revision,
            content,
        }
    }

    /// Returns the id of the message, which is also its place in lists.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Returns the id of the conversation it is in.
    pub fn conversation_id(&self) -> ConversationId {
        self.conversation_id
    }

    /// Returns the user who sent it.
    pub fn sender_id(&self) -> &UserId {
        &self.sender_id
    }

    /// Returns the user who received it.
    pub fn receiver_id(&self) -> &UserId {
        &self.receiver_id
    }

    /// Returns the two users of its conversation.
    pub fn participants(&self) -> Participants {
        Participants::direct(self.sender_id.clone(), self.receiver_id.clone())
    }

    /// Returns whether a user is one of the two.
    pub fn has_participant(&self, user: &UserId) -> bool {
        self.sender_id == *user || self.receiver_id == *user
    }

    /// Returns the text; `None` if the message is unsent.
    pub fn content(&self) -> Option<&Content> {
        self.content.as_ref()
    }

    /// Returns the revision: the id of the message if it was never changed.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns the version: the greatest one is the message.
    pub fn version(&self) -> Version {
        Version {
            unsent: self.is_unsent(),
            revision: self.revision,
        }
    }

    /// Returns whether this is the version that was sent, neither edited nor unsent.
    pub fn is_original(&self) -> bool {
        !self.is_unsent() && self.revision == self.id.into()
    }

    /// Returns whether the message is unsent.
    pub fn is_unsent(&self) -> bool {
        self.content.is_none()
    }

    /// Returns the time it was created at: the millisecond of the id.
    pub fn created_at(&self) -> Timestamp {
        self.id.timestamp()
    }

    /// Returns the time of the last edit; `None` if it was not edited, or is unsent.
    pub fn edited_at(&self) -> Option<Timestamp> {
        (!self.is_unsent() && !self.is_original()).then(|| self.revision.timestamp())
    }

    /// Returns the time it was unsent at.
    pub fn unsent_at(&self) -> Option<Timestamp> {
        self.is_unsent().then(|| self.revision.timestamp())
    }

    /// Returns the message with another text under a new revision. [`Messenger`](crate::Messenger)
    /// checks the rules of editing; tests of stores use it too.
    #[must_use]
    pub fn edited(&self, revision: Revision, content: Content) -> Self {
        Self {
            revision,
            content: Some(content),
            ..self.clone()
        }
    }

    /// Returns the message without its text under a new revision.
    #[must_use]
    pub fn unsent(&self, revision: Revision) -> Self {
        Self {
            revision,
            content: None,
            ..self.clone()
        }
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            id: MessageId,
            conversation_id: ConversationId,
            sender_id: &'a UserId,
            receiver_id: &'a UserId,
            content: Option<&'a Content>,
            created_at: Timestamp,
            #[serde(skip_serializing_if = "Option::is_none")]
            edited_at: Option<Timestamp>,
            #[serde(skip_serializing_if = "Option::is_none")]
            unsent_at: Option<Timestamp>,
            revision: Revision,
        }
        Json {
            id: self.id,
            conversation_id: self.conversation_id,
            sender_id: &self.sender_id,
            receiver_id: &self.receiver_id,
            content: self.content.as_ref(),
            created_at: self.created_at(),
            edited_at: self.edited_at(),
            unsent_at: self.unsent_at(),
            revision: self.revision,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Message {
    /// Ignores the times: they are in the id and the revision.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Json {
            id: MessageId,
            conversation_id: ConversationId,
            sender_id: UserId,
            receiver_id: UserId,
            content: Option<Content>,
            revision: Revision,
        }
        let json = Json::deserialize(deserializer)?;
        Ok(Self {
            id: json.id,
            conversation_id: json.conversation_id,
            sender_id: json.sender_id,
            receiver_id: json.receiver_id,
            revision: json.revision,
            content: json.content,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(random: u8) -> MessageId {
        format!("0190a5a0-0000-7000-8000-0000000000{random:02x}")
            .parse()
            .unwrap()
    }

    fn hello() -> Message {
        NewMessage::new("alice".parse().unwrap(), "bob".parse().unwrap(), "Hello")
            .unwrap()
            .with_id(id(1))
    }

    #[test]
    fn an_unsent_version_is_greater_than_any_edit() {
        let edited = hello().edited(id(9).into(), Content::new("Hi").unwrap());
        let unsent = hello().unsent(id(2).into());
        assert!(hello().version() < edited.version());
        assert!(edited.version() < unsent.version());
    }

    #[test]
    fn json_shows_what_became_of_a_message() {
        let json = |message: &Message| serde_json::to_value(message).unwrap();
        let edited = hello().edited(id(9).into(), Content::new("Hi").unwrap());
        let unsent = hello().unsent(id(9).into());

        assert_eq!(json(&hello())["content"], "Hello");
        assert!(json(&hello()).get("edited_at").is_none());
        assert!(json(&edited).get("edited_at").is_some());
        assert!(json(&unsent)["content"].is_null());
        assert!(json(&unsent).get("edited_at").is_none());
        assert!(json(&unsent).get("unsent_at").is_some());

        for message in [hello(), edited, unsent] {
            let text = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
        }
    }
}
