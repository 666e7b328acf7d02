//! Copies everything from one store to another, and compares the two.
//!
//! The logs hold everything: each message is in the log of its history as it is now, and each
//! conversation in the logs of the inboxes with its markers. Each item is written to the target under the
//! log key that it has in the source. So cursors that clients hold stay valid, and a catch-up that began
//! at the source goes on at the target.
//!
//! All writes are idempotent and only what is missing is written, so an interrupted copy is
//! repeated. The contract of a store has no list of idempotency keys: they are not copied.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::TryStreamExt as _;
use messenger_core::{Error, InboxEntry, Logged, ReadMarker, Store, UserId};
use tokio::sync::Semaphore;

mod command;
mod compare;
mod location;
mod merge;
mod progress;
mod walk;

pub(crate) use command::{Arguments, run};

use crate::retry::retried;
use merge::{Side, merge};
use walk::{history_log, inbox_log, users};

/// The number of users, and of each one's conversations, that are copied or compared at a time.
const USERS: usize = 16;
const CONVERSATIONS: usize = 4;

/// The progress of a copy or a comparison.
#[derive(Debug, Default)]
struct Counts {
    users: AtomicU64,
    conversations: AtomicU64,
    messages: AtomicU64,
}

impl Counts {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [users, conversations, messages] = [&self.users, &self.conversations, &self.messages]
            .map(|counter| counter.load(Ordering::Relaxed));
        write!(
            f,
            "{messages} messages and changes in {conversations} conversations of {users} users"
        )
    }
}

/// Writes everything that the source holds and the target does not.
async fn copy(
    source: &dyn Store,
    target: &dyn Store,
    concurrency: usize,
    counts: &Counts,
) -> Result<(), Error> {
    let copier = Copier {
        source,
        target,
        concurrency,
        writes: Semaphore::new(concurrency),
        counts,
    };
    let copy = |user| copier.user(user);
    users(source).try_for_each_concurrent(USERS, copy).await
}

/// Returns whether the user is the first participant. Each conversation is in two inboxes, and is copied
/// and compared with the first participant only.
fn is_first(entry: &InboxEntry, user: &UserId) -> bool {
    entry.participants().as_slice().first() == Some(user)
}

struct Copier<'a> {
    source: &'a dyn Store,
    target: &'a dyn Store,
    /// The writes of one conversation at a time: what is read before is held in memory.
    concurrency: usize,
    /// The writes of all conversations at a time.
    writes: Semaphore,
    counts: &'a Counts,
}

impl Copier<'_> {
    async fn user(&self, user: UserId) -> Result<(), Error> {
        Counts::add(&self.counts.users);
        inbox_log(self.source, &user)
            .try_filter(|entry| std::future::ready(is_first(&entry.item, &user)))
            .try_for_each_concurrent(CONVERSATIONS, |entry| self.conversation(entry))
            .await
    }

    async fn conversation(&self, entry: Logged<InboxEntry>) -> Result<(), Error> {
        let id = entry.item.id();
        let (source, target) = (history_log(self.source, id), history_log(self.target, id));
        merge(source, target)
            .inspect_ok(|_| Counts::add(&self.counts.messages))
            .try_for_each_concurrent(self.concurrency, async |side| {
                let (Side::Source(missing) | Side::Both(missing, _)) = &side else {
                    return Ok(());
                };
                if side.is_equal() {
                    return Ok(());
                }
                let Logged { key, item } = missing;
                self.write(|| self.target.put(*key, item)).await
            })
            .await?;
        // The markers come last: they belong to messages, and bring the conversation to its log key.
        for marker in markers(&entry.item) {
            self.write(|| self.target.mark(entry.key, &marker)).await?;
        }
        Counts::add(&self.counts.conversations);
        Ok(())
    }

    async fn write<F: Future<Output = Result<(), Error>>>(
        &self,
        write: impl FnMut() -> F,
    ) -> Result<(), Error> {
        // The semaphore is never closed.
        let _permit = self.writes.acquire().await;
        retried(write).await
    }
}

/// Returns the read markers of both participants, from the entry of the first one.
fn markers(entry: &InboxEntry) -> Vec<ReadMarker> {
    let conversation = entry.conversation();
    let read = [entry.read_up_to(), entry.seen_up_to()];
    let marker = |(reader, up_to): (&UserId, Option<_>)| {
        Some(ReadMarker::new(
            conversation.clone(),
            reader.clone(),
            up_to?,
        ))
    };
    let participants = conversation.participants().iter();
    participants.zip(read).filter_map(marker).collect()
}

#[cfg(test)]
mod tests;
