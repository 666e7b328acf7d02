//! One-to-one messages, conversations and inboxes, on a store that can be swapped.
//!
//! A service makes one [`Messenger`] over a [`Store`] and has sending, histories and inboxes that
//! page in constant time, keep their order under concurrency, and lose nothing when a reader
//! catches up. `messenger-memory` is a store in ordered maps for tests and single processes;
//! `messenger-cassandra` grows past one machine; `messenger-http` puts the same calls on HTTP.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), messenger_core::Error> {
//! use messenger_core::{HistoryQuery, InboxQuery, Limit, Messenger, NewMessage, UserId};
//! use messenger_memory::MemoryStore;
//!
//! let messenger = Messenger::new(MemoryStore::new());
//! let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
//!
//! // Send. The first message of two users makes their conversation.
//! for text in ["Hello", "Are you there?", "It works!"] {
//!     messenger.send(NewMessage::new(alice.clone(), bob.clone(), text)?).await?;
//! }
//!
//! // An inbox lists conversations, most recent activity first.
//! let inbox = messenger.inbox(&bob, InboxQuery::new()).await?;
//! let conversation = &inbox.items[0];
//! assert_eq!(conversation.last_message().preview().as_str(), "It works!");
//!
//! // A history is read page by page, newest first; `next` leads to what is older.
//! let two = HistoryQuery::new().with_limit(Limit::new(2)?);
//! let newest = messenger.history(conversation.id(), two).await?;
//! assert_eq!(newest.items[1].content().as_str(), "Are you there?");
//! let older = messenger.history(conversation.id(), two.with_cursor(newest.next)).await?;
//! assert_eq!(older.items[0].content().as_str(), "Hello");
//! assert!(older.next.is_none());
//!
//! // Catch up: `prev` of the newest page leads to whatever is sent after it.
//! messenger.send(NewMessage::new(bob.clone(), alice, "I am")?).await?;
//! let news = messenger.history(conversation.id(), two.with_cursor(newest.prev)).await?;
//! assert_eq!(news.items[0].content().as_str(), "I am");
//! # Ok(())
//! # }
//! ```
//!
//! # In reading order
//!
//! - [`UserId`], [`ConversationId`], [`MessageId`]: identifiers are parsed once and then valid.
//!   The id of a conversation follows from its two users; the id of a message is its place in
//!   every order.
//! - [`NewMessage`], [`Message`], [`Conversation`]: the model. Each has its JSON shape in serde.
//! - [`Messenger`]: sends, pages, streams. [`Messenger::send_once`] takes an [`IdempotencyKey`];
//!   [`Messenger::import`] takes messages of the past.
//! - [`HistoryQuery`], [`InboxQuery`], [`Limit`], [`Page`], [`Cursor`]: how lists are read. See
//!   [catching up](#catching-up).
//! - [`Error`]: its [kind](Error::kind), whether a [retry](Error::is_retryable) can help, and for
//!   writes the [outcome](Error::outcome).
//! - [`Store`]: the contract, for those who write a store; `testing` (feature `testing`) is the
//!   suite that checks it.
//!
//! # Catching up
//!
//! A client keeps the `prev` cursor of the newest page that it has. From time to time it asks with
//! that cursor; it gets the items nearest above the cursor and a new `prev`, and asks again at once
//! while pages come full. It may see an item again (it drops ids that it has), and it never misses
//! one, although servers make ids before their messages can be seen and their clocks differ. A
//! cursor has no time limit and needs no session: any server can go on from it.
//!
//! # Features
//!
//! - `testing`: the conformance suite for stores. It needs tokio and proptest.
//!
//! # Foreign types
//!
//! The API shows types of `uuid` (1.x), `serde` (1.x, its traits), `futures_core` (0.3,
//! `Stream`) and `async_trait` (0.1, the shape of [`Store`]'s methods); no others.

mod clock;
mod error;
mod ids;
mod messenger;
mod model;
mod paging;
pub mod store;
mod time;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use clock::Clock;
pub use error::{Error, ErrorKind, Outcome, Subject};
pub use ids::{ConversationId, LogKey, MessageId, Position, Revision, UserId};
pub use messenger::{Messenger, MessengerOptions, Prepared, Sent};
pub use model::{
    Claim, Content, Conversation, ConversationKind, Fingerprint, IdempotencyKey, Import,
    InboxEntry, LastMessage, Message, MessageParts, NewMessage, Participants, Preview, ReadMarker,
    Reservation, Unread, Version,
};
pub use paging::{Cursor, HistoryQuery, InboxQuery, Limit, Page};
pub use store::{Logged, Store};
pub use time::Timestamp;
