//! Messages, and the text in them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_segmentation::UnicodeSegmentation;

use crate::{ConversationId, Error, ErrorKind, MessageId, Subject, Timestamp, UserId};

/// The text of a message: 1 to 20,000 bytes of UTF-8, not only white space. Cloning shares it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Content(Arc<str>);

impl Content {
    /// The longest content, in bytes. A message is written to three rows in one batch, which
    /// Cassandra refuses over 50 KiB.
    pub const MAX_LEN: usize = 20_000;

    /// Takes a text as content.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] when it is empty or only white space, [`ErrorKind::TooLarge`] beyond
    /// [`MAX_LEN`](Self::MAX_LEN).
    pub fn new(text: impl Into<Arc<str>> + AsRef<str>) -> Result<Self, Error> {
        let len = text.as_ref().len();
        if len > Self::MAX_LEN {
            return Err(Error::about(
                ErrorKind::TooLarge,
                Subject::Content,
                format!("content must have at most 20000 bytes of UTF-8, not {len}"),
            ));
        }
        if text.as_ref().trim().is_empty() {
            return Err(Error::about(
                ErrorKind::Invalid,
                Subject::Content,
                "content must not be empty or only white space",
            ));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The beginning of the text, as lists of conversations show it.
    pub fn preview(&self) -> Preview {
        let cut = preview_len(&self.0);
        if cut == self.0.len() {
            return Preview(Arc::clone(&self.0));
        }
        Preview(self.0[..cut].into())
    }
}

/// The beginning of a message's text: at most 200 bytes, cut where a character as people see it
/// (an extended grapheme cluster, UAX #29) ends. A first cluster that is longer by itself is cut
/// between code points.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Preview(Arc<str>);

impl Preview {
    /// The longest preview, in bytes.
    pub const MAX_LEN: usize = 200;

    /// Takes a preview back that a store has kept; a longer text is cut as a content's is.
    pub fn from_stored(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let cut = preview_len(&text);
        if cut == text.len() {
            Self(text)
        } else {
            Self(text[..cut].into())
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn preview_len(text: &str) -> usize {
    if text.len() <= Preview::MAX_LEN {
        return text.len();
    }
    // The cluster that crosses the limit is the last one looked at, so a long text costs no more
    // than a short one, unless it is all one cluster: that is looked at only up to a bound.
    let head = &text[..text.floor_char_boundary(4 * Preview::MAX_LEN)];
    let cut = head
        .grapheme_indices(true)
        .map(|(start, cluster)| start + cluster.len())
        .take_while(|&end| end <= Preview::MAX_LEN)
        .last();
    cut.unwrap_or_else(|| text.floor_char_boundary(Preview::MAX_LEN))
}

macro_rules! text {
    ($type:ident) => {
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

text!(Content);
text!(Preview);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Preview {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_stored(String::deserialize(deserializer)?))
    }
}

/// A message that is to be sent: who, to whom, what. It has no id yet.
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
    /// A message from one user to another.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] when sender and receiver are the same, and the errors of
    /// [`Content::new`].
    pub fn new(
        sender_id: UserId,
        receiver_id: UserId,
        content: impl Into<Arc<str>> + AsRef<str>,
    ) -> Result<Self, Error> {
        if sender_id == receiver_id {
            return Err(Error::about(
                ErrorKind::Invalid,
                Subject::Participants,
                "sender and receiver must be two different users",
            ));
        }
        let content = Content::new(content)?;
        Ok(Self {
            sender_id,
            receiver_id,
            content,
        })
    }

    /// Who writes.
    pub fn sender_id(&self) -> &UserId {
        &self.sender_id
    }

    /// Who is written to.
    pub fn receiver_id(&self) -> &UserId {
        &self.receiver_id
    }

    /// The text.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The conversation that the message will be in.
    pub fn conversation_id(&self) -> ConversationId {
        ConversationId::direct(&self.sender_id, &self.receiver_id)
    }

    /// The message under this id. [`Messenger`](crate::Messenger) does this; tests of stores do it
    /// too.
    pub fn with_id(self, id: MessageId) -> Message {
        Message {
            id,
            conversation_id: self.conversation_id(),
            sender_id: self.sender_id,
            receiver_id: self.receiver_id,
            content: self.content,
        }
    }
}

/// A message that was sent. Cloning shares the text.
///
/// In JSON: `{"id", "conversation_id", "sender_id", "receiver_id", "content", "created_at"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    id: MessageId,
    conversation_id: ConversationId,
    sender_id: UserId,
    receiver_id: UserId,
    content: Content,
}

/// The parts of a [`Message`], for a store that puts it together from a row.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a store must be able to write it"
)]
pub struct MessageParts {
    /// The message's id.
    pub id: MessageId,
    /// The conversation it is in.
    pub conversation_id: ConversationId,
    /// Who wrote it.
    pub sender_id: UserId,
    /// Who it was written to.
    pub receiver_id: UserId,
    /// The text.
    pub content: Content,
}

impl Message {
    /// Puts a message together from what a store has kept. Whether the parts belong together is
    /// the store's business; only [`NewMessage::with_id`] derives the conversation.
    pub fn from_parts(parts: MessageParts) -> Self {
        let MessageParts {
            id,
            conversation_id,
            sender_id,
            receiver_id,
            content,
        } = parts;
        Self {
            id,
            conversation_id,
            sender_id,
            receiver_id,
            content,
        }
    }

    /// The message's id, and its place in every order.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// The conversation it is in.
    pub fn conversation_id(&self) -> ConversationId {
        self.conversation_id
    }

    /// Who wrote it.
    pub fn sender_id(&self) -> &UserId {
        &self.sender_id
    }

    /// Who it was written to.
    pub fn receiver_id(&self) -> &UserId {
        &self.receiver_id
    }

    /// The text.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// When it was made: the id's millisecond.
    pub fn created_at(&self) -> Timestamp {
        self.id.created_at()
    }
}

/// The shape of a message in JSON.
#[derive(Serialize)]
struct MessageJson<'a> {
    id: MessageId,
    conversation_id: ConversationId,
    sender_id: &'a UserId,
    receiver_id: &'a UserId,
    content: &'a Content,
    created_at: Timestamp,
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        MessageJson {
            id: self.id,
            conversation_id: self.conversation_id,
            sender_id: &self.sender_id,
            receiver_id: &self.receiver_id,
            content: &self.content,
            created_at: self.created_at(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Message {
    /// `created_at` is not read: it is in the id.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Json {
            id: MessageId,
            conversation_id: ConversationId,
            sender_id: UserId,
            receiver_id: UserId,
            content: Content,
        }
        let Json {
            id,
            conversation_id,
            sender_id,
            receiver_id,
            content,
        } = Json::deserialize(deserializer)?;
        Ok(Self {
            id,
            conversation_id,
            sender_id,
            receiver_id,
            content,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_has_its_bounds() {
        assert!(Content::new("x".repeat(20_000)).is_ok());
        assert_eq!(
            Content::new("x".repeat(20_001)).unwrap_err().kind(),
            ErrorKind::TooLarge
        );
        // U+3000 and U+00A0 are white space, and so is a tab.
        for text in ["", " ", "\t\n", "\u{3000}\u{a0}"] {
            assert_eq!(
                Content::new(text).unwrap_err().kind(),
                ErrorKind::Invalid,
                "{text:?}"
            );
        }
        assert_eq!(Content::new(" x ").unwrap().as_str(), " x ");
    }

    #[test]
    fn a_preview_never_cuts_a_grapheme() {
        let family = "👨‍👩‍👧‍👦"; // 25 bytes, one cluster
        let text = format!("{}{family}", "x".repeat(180));
        assert_eq!(
            Content::new(text).unwrap().preview().as_str(),
            "x".repeat(180)
        );

        let accents = "e\u{301}".repeat(100); // 300 bytes, three to a cluster
        let preview = Content::new(accents).unwrap().preview();
        assert_eq!(preview.as_str().len(), 198);
    }

    #[test]
    fn one_endless_grapheme_is_cut_between_code_points() {
        let text = format!("e{}", "\u{301}".repeat(9_000));
        let preview = Content::new(text).unwrap().preview();
        assert_eq!(preview.as_str().len(), 199);
    }

    #[test]
    fn a_short_text_is_shared_with_its_preview() {
        let content = Content::new("hello").unwrap();
        assert!(Arc::ptr_eq(&content.0, &content.preview().0));
    }
}
