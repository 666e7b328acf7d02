//! One-to-one messages, conversations and inboxes on a pluggable store.
//!
//! A service creates one [`Messenger`] over a [`Store`] and can send, edit and unsend messages, read
//! histories and inboxes page by page at a constant cost, move read markers, and catch up without
//! missing anything. `messenger-sqlite` is a durable store on one machine, `messenger-cassandra` one
//! for what outgrows it, and `messenger-memory` one for tests and trials; `messenger-http` serves the
//! same calls over HTTP.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), messenger_core::Error> {
//! use messenger_core::{Content, HistoryQuery, InboxQuery, Limit, Messenger, NewMessage, UserId};
//! use messenger_memory::MemoryStore;
//!
//! let messenger = Messenger::new(MemoryStore::new());
//! let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
//!
//! // Send. The first message of two users creates their conversation.
//! for text in ["Hello", "Are you there?", "It wroks!"] {
//!     messenger.send(NewMessage::new(alice.clone(), bob.clone(), text)?).await?;
//! }
//!
//! // An inbox lists conversations, those with the most recent messages first.
//! let inbox = messenger.inbox(&bob, InboxQuery::new().with_unread(true)).await?;
//! let entry = &inbox.items[0];
//! assert_eq!(entry.participants().other_than(&bob), Some(&alice));
//! assert_eq!(entry.unread().map(|unread| unread.count), Some(3));
//!
//! // A history is read page by page, newest first. `next` leads to older messages.
//! let two = HistoryQuery::new().with_limit(Limit::new(2)?);
//! let newest = messenger.history(entry.id(), two).await?;
//! let older = messenger.history(entry.id(), two.with_cursor(newest.next)).await?;
//! assert_eq!(older.items[0].content().map(Content::as_str), Some("Hello"));
//! assert!(older.next.is_none());
//!
//! // The sender may edit a message, or unsend it. The receiver marks what was read.
//! let last = &newest.items[0];
//! messenger.edit(entry.id(), last.id(), &alice, "It works!".parse()?).await?;
//! messenger.mark_read(entry.id(), &bob, last.id()).await?;
//!
//! // Catch up: `prev` of the newest page leads to everything that has changed since.
//! let news = messenger.history(entry.id(), two.with_cursor(newest.prev)).await?;
//! assert_eq!(news.items[0].content().map(Content::as_str), Some("It works!"));
//! # Ok(())
//! # }
//! ```
//!
//! # In reading order
//!
//! - [`UserId`], [`ConversationId`], [`MessageId`]: an identifier is parsed once and is valid then.
//! - [`NewMessage`], [`Message`], [`Conversation`], [`InboxEntry`]: the model, with JSON by serde.
//! - [`Messenger`]: the calls. [`send_once`](Messenger::send_once) takes an [`IdempotencyKey`];
//!   [`import`](Messenger::import) takes past messages.
//! - [`Actor`]: the same calls, limited to what one user may do; [`Policy`] narrows them further.
//! - [`HistoryQuery`], [`InboxQuery`], [`Limit`], [`Page`], [`Cursor`]: reading lists. See
//!   [catching up](#catching-up).
//! - [`Error`]: its [kind](Error::kind), whether a [retry](Error::is_retryable) can help, and, for
//!   writes, the [outcome](Error::outcome).
//! - [`store`]: the contract for those who write a store; `conformance` (feature `conformance`) is
//!   the suite that checks it. The guides say [how to write one](guides::writing_a_store), and
//!   [how the messenger is built](guides::architecture).
//!
//! # Glossary
//!
//! | term | meaning |
//! | --- | --- |
//! | conversation | two users and the messages between them; an entity of its own |
//! | history | the list of a conversation's messages, ordered by id |
//! | inbox | the list of a user's conversations, ordered by their last messages |
//! | entry | a conversation as one user's inbox shows it |
//! | last message | the message of a conversation with the greatest id |
//! | preview | the beginning of the last message's text |
//! | version | a state of a message: sent, edited or unsent; the greatest one is the message |
//! | revision | the UUIDv7 that tells the versions of a message apart |
//! | unsend | to remove the text of a message for everyone, for good; the message keeps its place |
//! | read marker | the position up to which a user has read a conversation; it only moves forward |
//! | unread | messages above the user's marker that others sent and that are not unsent |
//! | place | the position of an item in its list: the id of the message, or of the last message |
//! | log | the order of changes that catching up follows: an item stands at its place and at the keys of its changes |
//! | log key | the place of a change in the log; a UUIDv7 made with the change |
//! | position | an id, or a point between two ids |
//! | cursor | a position in one list from which to continue: opaque, stateless, without expiry |
//! | `next`, `prev` | the cursors of a page: to older items, and to everything that changes later |
//! | settled | a position below which nothing new can appear in a log |
//! | settle time | how long after its log key was made a change may still become visible elsewhere |
//! | late send | a keyed send that is repeated so late that readers have caught up beyond its id; it gets a fresh log key |
//! | actor | a messenger that acts as one user, and does only what that user may do |
//! | policy | a hook that may refuse the writes of actors |
//! | import | a message with a past timestamp; it does not appear in catch-up |
//!
//! # Catching up
//!
//! A client keeps the `prev` cursor of the newest page that it has. From time to time it reads with
//! that cursor, merges the items into what it has, and keeps the new `prev`; while pages are full it
//! reads again at once. Any server can serve it, at any time later.
//!
//! Items may be returned more than once, so a client merges: of two states of a message the one with
//! the greater [`Version`] wins (an unsent message stays unsent, otherwise the greater revision);
//! the last message of an entry merges by id and then version; read markers only move forward. No
//! acknowledged change is missed, although keys are made before their changes become visible and the
//! clocks of servers differ.
//!
//! # Retries
//!
//! Repeating a read, an edit, an unsend or a read marker is safe. Repeating a send makes another
//! message, unless both calls are [`send_once`](Messenger::send_once) under the same key.
//!
//! # Features
//!
//! - `conformance`: the conformance suite for stores. It needs tokio and proptest; use it in
//!   dev-dependencies.
//!
//! - `live`: [`Messenger`] follows lists as streams. It needs tokio's timers.
//!
//! # Foreign types
//!
//! The API shows types of `uuid` (1), `chrono` (0.4, conversions of [`Timestamp`]), `serde` (1, its
//! traits), `futures_core` (0.3, `Stream`) and `async_trait` (0.1, the shape of [`Store`]'s methods).

#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod error;
mod ids;
mod messenger;
mod model;
mod paging;
pub mod store;
mod time;

#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;

#[cfg(doc)]
pub mod guides {
    //! Guides: how the messenger is built, and how to write a store.

    #[doc = include_str!("../docs/architecture.md")]
    pub mod architecture {}

    #[doc = include_str!("../docs/writing-a-store.md")]
    pub mod writing_a_store {}
}

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;

pub use clock::Clock;
pub use error::{Error, ErrorKind, Outcome, Subject};
pub use ids::{ConversationId, LogKey, MessageId, Position, Revision, UserId};
#[cfg(feature = "live")]
#[cfg_attr(docsrs, doc(cfg(feature = "live")))]
pub use messenger::Batch;
pub use messenger::{Action, Actor, Decision, Messenger, MessengerOptions, Policy, Prepared, Sent};
pub use model::{
    Claim, Content, Conversation, ConversationKind, Fingerprint, IdempotencyKey, Import,
    InboxEntry, LastMessage, Message, MessageParts, NewMessage, Participants, Preview, ReadMarker,
    Reservation, Unread, Version,
};
pub use paging::{Cursor, HistoryQuery, InboxQuery, Limit, Page};
pub use store::{Logged, Store};
pub use time::Timestamp;
