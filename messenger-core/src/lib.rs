#![doc = "placeholder"]
mod clock;
mod conversation;
mod cursor;
mod error;
mod id;
mod idempotency;
mod import;
mod in_flight;
mod message;
mod messenger;
mod page;
pub mod store;
mod time;
mod walk;

pub use clock::Clock;
pub use conversation::{Conversation, LastMessage, Participants};
pub use cursor::{Cursor, Position};
pub use error::{Error, ErrorKind, Outcome, Subject};
pub use id::{ConversationId, MessageId, UserId};
pub use idempotency::{Claim, Fingerprint, IdempotencyKey, Reservation};
pub use import::Import;
pub use message::{Content, Message, MessageParts, NewMessage, Preview};
pub use messenger::{Messenger, Sent};
pub use page::{HistoryQuery, InboxQuery, Limit, Page};
pub use store::{Order, Slice, Store};
pub use time::Timestamp;
