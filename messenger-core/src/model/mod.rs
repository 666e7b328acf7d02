//! The model: messages and their versions, conversations, inbox entries, read markers.

mod content;
mod conversation;
mod idempotency;
mod import;
mod inbox_entry;
mod message;
mod read_marker;

pub use content::{Content, Preview};
pub use conversation::{Conversation, ConversationKind, Participants};
pub use idempotency::{Claim, Fingerprint, IdempotencyKey, Reservation};
pub use import::Import;
pub use inbox_entry::{InboxEntry, LastMessage, Unread};
pub use message::{Message, MessageParts, NewMessage, Version};
pub use read_marker::ReadMarker;
