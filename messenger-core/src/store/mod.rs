//! What a store must do.

use std::fmt;
use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;

use crate::{
    Claim, Conversation, ConversationId, Error, Message, MessageId, Position, Reservation, UserId,
};

mod forward;

/// Keeps messages, and the three views of them: histories, inboxes and conversations.
///
/// A store moves plain positions and rows. It never sees a cursor, a page token, or a limit out of
/// bounds: the [`Messenger`](crate::Messenger) above it holds those rules, once for every store.
///
/// # The contract
///
/// Each case of the suite in the `testing` module (feature `testing`) names the rule it checks.
///
/// 1. **Append is idempotent.** The same message appended twice is there once.
/// 2. **Read your writes.** After `append` answers `Ok`, every read that starts later sees the
///    message: in the history, in both inboxes and in the conversation.
/// 3. **Histories are totally ordered by id.** Bounds are exclusive. At any limit nothing is
///    missing and nothing comes twice.
/// 4. **The order of appends does not matter.** Any permutation of the same messages gives the
///    same histories, inboxes and conversations. (Imports of old messages rely on it.)
/// 5. **An inbox lists each of the user's conversations exactly once**, by last message id, newest
///    first.
/// 6. **Concurrent appends lose nothing.** The last message is the one with the greatest id.
/// 7. **Walk and catch-up are complete under concurrent appends**, for every append acknowledged
///    within the store's [settle time](Store::settle) of its id. (Imports of past messages and
///    retries of an old key sort where their id says.)
/// 8. **All or nothing, in the end.** An append whose outcome is unknown (a dropped future, a
///    timeout) is in the end in all views or in none; appending it again makes it all. (The same id
///    with another content is outside of the contract.)
/// 9. **A reservation of (sender, key) has one winner** under any concurrency, and gives everyone
///    the winner's claim.
/// 10. **What does not exist is empty or `None`**, not an error.
/// 11. **A read gives min(limit, available) items**, whatever buckets, pages or tombstones lie
///     between.
/// 12. **A page costs what it holds**, not what the history or the inbox holds. A store may add a
///     bound that it states.
///
/// # What a store may assume
///
/// - `slice.limit` is 1 to [`Slice::MAX_LIMIT`], and positions have the form of a UUIDv7.
/// - A message's conversation is that of its sender and receiver, and they differ.
/// - No id is further in the future than [`Clock::MAX_AHEAD`](crate::Clock::MAX_AHEAD).
///
/// # Errors and dropped futures
///
/// A store says with [`Error::outcome`] what became of a write, and `NotApplied` only when nothing
/// was written and nothing will be. It keeps its own time limit: a call never waits for ever. A
/// future may be dropped at any await, and the process may end there; rule 8 holds then too.
///
/// # Writing one
///
/// Every method is required: a wrapper cannot forget one. `&S`, `Box<S>` and `Arc<S>` forward, so
/// `Arc<dyn Store>` is a store. The suite tells when it is done, and the example
/// `examples/custom_store.rs` is a small one from end to end.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Adds a message: to its conversation's history, to the inbox of each participant, and to the
    /// conversation. Rules 1, 2, 4, 6 and 8.
    ///
    /// # Errors
    ///
    /// With the outcome: `NotApplied` when nothing was and will be written, else `Unknown`. An
    /// error without an outcome counts as `Unknown`.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the message is in the end in all views or in none.
    async fn append(&self, message: &Message) -> Result<(), Error>;

    /// The message with this id in this conversation. Rules 2 and 10.
    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error>;

    /// A slice of the messages of a conversation, in the slice's order. Rules 2, 3, 10, 11
    /// and 12.
    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error>;

    /// A slice of the conversations of a user, placed by their last message's id, in the slice's
    /// order. Rules 2, 5, 10, 11 and 12.
    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error>;

    /// The conversation with its last message; `None` until it has one. Rules 2, 6 and 10.
    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error>;

    /// Claims an idempotency key for a message, and gives the claim that holds it: this one, or an
    /// earlier one. Rule 9. How long and how many keys are kept is the store's to state; 24 hours
    /// is what clients expect.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the key may be claimed. A later call gives the claim.
    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error>;

    /// Whether the store can take calls now.
    ///
    /// # Errors
    ///
    /// When it cannot, with what is wrong.
    async fn health(&self) -> Result<(), Error>;

    /// How long after an id was made, in *another* process, its message may still show. Zero for a
    /// store that only this process writes; else the write timeout plus the tolerated difference
    /// of clocks.
    fn settle(&self) -> Duration;
}

/// Which part of an ordered list is read, and from which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests of stores must be able to write it"
)]
pub struct Slice {
    /// Only items above this position (exclusive).
    pub above: Option<Position>,
    /// Only items below this position (exclusive).
    pub below: Option<Position>,
    /// From which end items are taken, and how they are given.
    pub order: Order,
    /// How many items at most: 1 to [`Slice::MAX_LIMIT`].
    pub limit: usize,
}

impl Slice {
    /// The largest limit: a full page and the one item that tells whether there is more.
    pub const MAX_LIMIT: usize = 101;

    /// The newest items, newest first.
    pub const fn newest(limit: usize) -> Self {
        Self {
            above: None,
            below: None,
            order: Order::NewestFirst,
            limit,
        }
    }

    /// The bounds as a range of message ids, for a store with an ordered map; `None` when no id can
    /// lie between them (a standard map panics on such a range).
    pub fn range(&self) -> Option<(Bound<MessageId>, Bound<MessageId>)> {
        if let (Some(above), Some(below)) = (self.above, self.below)
            && above >= below
        {
            return None;
        }
        let bound = |position: Option<Position>| {
            position.map_or(Bound::Unbounded, |at| Bound::Excluded(at.as_bound()))
        };
        Some((bound(self.above), bound(self.below)))
    }

    /// Whether a position lies within both bounds.
    pub fn contains(&self, position: Position) -> bool {
        self.above.is_none_or(|above| above < position)
            && self.below.is_none_or(|below| position < below)
    }
}

/// From which end of a slice items are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// The greatest ids first.
    NewestFirst,
    /// The smallest ids first.
    OldestFirst,
}
