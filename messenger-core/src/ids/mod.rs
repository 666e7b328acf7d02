//! Identifiers. An identifier that exists is valid: it is parsed once, at the edge, and never
//! checked again.

mod conversation;
mod message;
mod position;
mod user;
pub(crate) mod uuid_v7;

pub use conversation::ConversationId;
pub use message::{LogKey, MessageId, Revision};
pub use position::Position;
pub use user::UserId;

use uuid::Uuid;

/// Parses only the hyphenated form, so that an id has one spelling in a URL, apart from case.
fn parse_hyphenated(text: &str) -> Option<Uuid> {
    (text.len() == 36)
        .then(|| Uuid::try_parse(text).ok())
        .flatten()
}

/// Displays, reads and writes an id as its hyphenated text, in lower case and without allocating.
macro_rules! as_hyphenated_text {
    ($id:ident) => {
        impl std::fmt::Display for $id {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::fmt::Debug for $id {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($id), "({})"), self.0)
            }
        }

        impl From<$id> for uuid::Uuid {
            fn from(id: $id) -> Self {
                id.0
            }
        }

        impl serde::Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = uuid::Uuid::encode_buffer();
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut buffer))
            }
        }

        impl<'de> serde::Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
use as_hyphenated_text;
