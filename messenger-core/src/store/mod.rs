//! The contract between the messenger and a store.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Error;
use crate::ids::{ConversationId, LogKey, MessageId, Position, Revision, UserId};
use crate::model::{Claim, Conversation, InboxEntry, Message, ReadMarker, Reservation};

mod forward;
mod measured;
mod wrapped;

pub use measured::Measured;
pub use wrapped::{Wrap, Wrapped};

/// The greatest limit that a store is asked for: a full page, and one item that shows whether there
/// are more.
pub const MAX_LIMIT: usize = crate::paging::Limit::MAX.get() + 1;

/// The greatest age of a log key when [`Store::put`] or [`Store::mark`] is called. The
/// [`Messenger`](crate::Messenger) makes a fresh key if more time has passed.
pub const MAX_KEY_AGE: Duration = Duration::from_millis(500);

/// An item of a log, with its log key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a store must be able to write it"
)]
pub struct Logged<T> {
    /// The place of the change in the log.
    pub key: LogKey,
    /// The item as it is now.
    pub item: T,
}

/// Keeps messages and read markers, and shows them as histories and inboxes.
///
/// A store moves plain positions and rows. It never sees a cursor or an unchecked limit: the
/// [`Messenger`](crate::Messenger) above it applies those rules, once for all stores.
///
/// # Terms
///
/// - The **place** of a message in a history is its id. The place of an entry in an inbox is the id
///   of its last message.
/// - The **log** of a list is what catching up follows. Every [`put`](Self::put) and
///   [`mark`](Self::mark) has a log key. In the log of a history a message stands at its id and at
///   each log key of a `put` of it. An inbox entry stands once, at the greatest of its place and
///   the log keys of all changes to its conversation: of its messages, also of older ones, and of
///   both read markers. Without changes the log is the list.
/// - The **greatest version** of a message ([`Version`](crate::Version)) is the message.
///
/// # The contract
///
/// Each case of the conformance suite (feature `conformance`) names the rule that it checks.
///
/// 1. **Writes are idempotent.** Repeating a `put` or a `mark`, under the same or another log key,
///    changes nothing but the log.
/// 2. **Read your writes.** After a write returns `Ok`, every read that starts later sees it: in the
///    history, in both inboxes, in the logs, and by id.
/// 3. **Histories are totally ordered by id.** Bounds are exclusive. At any limit nothing is missing
///    and nothing is returned twice.
/// 4. **The order of writes does not matter.** Any permutation of the same versions and markers
///    yields the same histories, inboxes and entries. A version is complete by itself: an edit may
///    arrive before the message it edits, or without it.
/// 5. **An inbox lists each of the user's conversations exactly once**, at the id of its last
///    message.
/// 6. **Concurrent writes lose nothing.** The message with the greatest id is the last message; the
///    greatest version of a message is its state, in histories and in previews.
/// 7. **Catching up through the log is complete** under concurrent writes, for every write
///    acknowledged within the store's [settle time](Self::settle) of its log key. No change is left
///    out because a later one is known already.
/// 8. **All or nothing, in the end.** A write whose outcome is unknown (a dropped future, a timeout)
///    is eventually in all views or in none. Repeating it completes it.
/// 9. **A reservation of (sender, key) has one winner** under any concurrency, and everyone gets the
///    winner's claim.
/// 10. **What does not exist is empty or `None`**, not an error.
/// 11. **A read returns min(limit, available) items**, whatever buckets, pages or tombstones lie in
///     between.
/// 12. **A page costs what it holds**, not what the history or the inbox holds. A store may add a
///     bound that it states.
/// 13. **An unsend is final and the text is gone.** Once it is acknowledged no read returns the text,
///     and no later write brings it back: not an edit, not a repeated send.
/// 14. **Read markers only move forward.** A `mark` moves the reader's `read_up_to` and the other
///     participant's `seen_up_to`, both or neither. A message does not move them.
/// 15. **The number of unread messages** is that of the messages above a position that others sent
///     and that are not unsent, up to a cap, whatever the order of writes.
/// 16. **A walk over the users finds each of them once**: everyone whose inbox is not empty when it
///     begins, in an order that is the store's own and does not change.
///
/// # What a store may assume
///
/// - `limit` is 1 to [`MAX_LIMIT`], and positions have the form of a UUIDv7.
/// - The conversation of a message is that of its sender and receiver, and they differ.
/// - A log key was made at most [`MAX_KEY_AGE`] before the call, except for imports, whose key is
///   the message's id, and for copies of what another store holds, whose key is the one there. The
///   key of a version that was sent on time is its id; every other key is greater than the message's
///   id.
/// - The reader of a marker takes part in the conversation, and the marker names one of its messages.
///
/// # Errors and dropped futures
///
/// A write that fails says what became of it with [`Error::outcome`](crate::Error::outcome):
/// `NotApplied` only if nothing was written and nothing will be, otherwise `Unknown` (for example if
/// a commit fails). A store has its own time limit: no call waits forever. A row that cannot be
/// decoded is [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt), never an error about the caller's
/// input.
///
/// A future may be dropped at any await, and the process may end there; rule 8 holds then too.
///
/// # Implementing it
///
/// Put `#[async_trait]` (crate `async-trait` 0.1) on the impl. A store with blocking I/O runs it on
/// threads of its own. All methods are required, so that a wrapper cannot forget one. `&S`, `Box<S>`
/// and `Arc<S>` forward, so `Arc<dyn Store>` is a store; [`Wrapped`] forwards and overrides. The
/// example `examples/custom_store.rs` is a small store from end to end.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Writes a version of a message: to its conversation, to the history, to the inbox of each
    /// participant, and to the logs of all three under `key`. Rules 1, 2, 4, 6, 7, 8 and 13.
    ///
    /// # Errors
    ///
    /// With the outcome. An error without an outcome counts as `Unknown`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the version is eventually in all views or in none.
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error>;

    /// Moves a read marker forward, and logs it in both inboxes under `key`. A marker that is behind
    /// the present one changes nothing but the log. Rules 1, 2, 4, 7, 8 and 14.
    ///
    /// # Errors
    ///
    /// As for [`put`](Self::put).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the marker is eventually in both inboxes or in none.
    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error>;

    /// Returns the message with this id in this conversation. Rules 2, 6, 10 and 13.
    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error>;

    /// Returns up to `limit` messages of a conversation with ids below a position, or the newest
    /// ones without it, newest first. Rules 2, 3, 6, 10, 11, 12 and 13.
    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error>;

    /// Returns the first `limit` items of the log of a history with keys above a position, in
    /// ascending order of the key. A message that stands there at several keys may be returned at
    /// each of them, or only at the greatest, always as it is now. Rules 2, 7, 10, 11, 12 and 13.
    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error>;

    /// Returns up to `limit` entries of a user's inbox with places below a position, or the first
    /// ones without it, greatest place first. Rules 2, 5, 6, 10, 11, 12 and 13.
    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error>;

    /// Returns the first `limit` entries of the log of an inbox with keys above a position, in
    /// ascending order of the key, each entry once. Rules 2, 5, 7, 10, 11, 12 and 13.
    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error>;

    /// Returns a conversation as one of its users sees it; `None` if it does not exist or the user
    /// takes no part. Rules 2, 6, 10, 13 and 14.
    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error>;

    /// Returns a conversation; `None` until it has a message. Rules 2 and 10.
    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error>;

    /// Returns up to `limit` users whose inboxes are not empty: those that come after a user in the
    /// store's own order, or the first ones without it. For tools that walk over everything, such as
    /// a copy; the [`Messenger`](crate::Messenger) does not call it. Rules 2, 10, 11, 12 and 16.
    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error>;

    /// Returns the number of messages with ids above a position that were sent by others than the
    /// reader and are not unsent. Counting stops at `cap`, which is 1 to [`MAX_LIMIT`]. Rules 2, 10
    /// and 15.
    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error>;

    /// Claims an idempotency key for a message, and returns the claim that holds the key: this one
    /// or an earlier one. A store states how long and how many keys it keeps; clients expect 24
    /// hours. Rule 9.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the key may be claimed. A later call returns the claim.
    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error>;

    /// Checks that the store can take calls now.
    ///
    /// # Errors
    ///
    /// If it cannot, with the cause.
    async fn health(&self) -> Result<(), Error>;

    /// Returns how long after a log key was made, in **another** process, its change may still
    /// become visible. Zero for a store that only this process writes to. Otherwise the sum of
    /// [`MAX_KEY_AGE`], the write timeout, and twice the tolerated difference between a clock and
    /// the true time.
    fn settle(&self) -> Duration;

    /// Returns the smallest log key of the writes in **this** process that may still become visible
    /// although their futures were dropped; `None` if there are none. A store that hands writes to
    /// a thread of its own, which finishes them in any case, needs it. For a store with a settle
    /// time, which covers dropped futures too, it is `None`.
    fn in_flight(&self) -> Option<LogKey>;

    /// Returns the greatest revision or log key that the store held when it was opened; `None` if
    /// it was empty or does not know. The [`Messenger`](crate::Messenger) starts its clock above it,
    /// so that a system clock that stepped back between two runs cannot make ids below positions
    /// already handed out. Only a durable store that one process writes to needs it.
    fn newest(&self) -> Option<Revision>;
}
