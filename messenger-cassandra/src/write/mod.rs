//! A write: one logged batch, and before it what an inbox needs to find the change.
//!
//! # The order of the writes
//!
//! 1. *Nominate.* For each participant the index rows of the change are there before the batch is
//!    sent: written and acknowledged, or known to be (see [`InboxFacts`]). A put needs the row of its
//!    place in `inbox_recency`. Whatever has a log key of its own (an edit, an unsend, a late send, a
//!    marker) needs the row of its key in `inbox_changes`. A writer who remembers nothing of the
//!    conversation reads both inboxes first.
//! 2. *Apply.* The message and the change in each inbox, in one logged batch: all or nothing, also
//!    when the client or the coordinator dies. The first message of a conversation or of a bucket
//!    brings their rows along in the same batch. What a batch writes to one inbox is one mutation.
//! 3. *Tidy.* Once the batch is acknowledged, the index rows that the conversation has left are
//!    deleted, by a task that nobody waits for. What it misses is left over, changes no page, and is
//!    deleted by whoever reads it.
//!
//! # Timestamps
//!
//! A version of a message is written at ts(id), the microsecond of its id: the text, the `edit` cell
//! and the last message in both inboxes. So the greatest id is the last message, and of the versions
//! of one message, which tie, the greatest value wins: `edit` begins with *unsent* and the revision,
//! the last message with the id, *unsent* and the revision. An unsend also empties the first text, one
//! microsecond later, because a tie would go to the longer text. Markers are written at ts(up to).
//! Log keys (`changed`, `latest`) are written at ts(key). No clock takes part, so retries and the order
//! of arrival do not matter.
//!
//! # Dropped futures
//!
//! Dropped in the first step, an index row may be there without its change, or before it. Such a row
//! is in no view, and is the row that the next attempt needs. So an error in the first step is
//! `NotApplied`, whatever became of the row. Dropped in the second step, the batch is on its way or is
//! not: all views or none. Dropped later, all is there.

use std::sync::Arc;

use futures_util::future::try_join_all;
use messenger_core::{
    ConversationId, Error, ErrorKind, LogKey, Message, Outcome, Participants, Position, ReadMarker,
    UserId,
};

use crate::Inner;
use crate::cache::{Facts, InboxFacts};
use crate::error;
use crate::inbox::entry;
use crate::inbox::index::{self, Index, IndexRow};
use crate::window::Epoch;

pub(crate) mod batch;
mod marker;
mod put;

use batch::Batch;
use marker::Marker;
use put::Put;

/// Writes a version of a message.
pub(crate) async fn put(inner: &Arc<Inner>, key: LogKey, message: &Message) -> Result<(), Error> {
    if !message.is_original() && !inner.db.has_only_version_2() {
        return Err(upgrading());
    }
    let participants = message.participants();
    let put = Put::new(inner, key, message, &participants);
    let windows = inner.db.windows;
    let change = Change {
        inner,
        conversation: message.conversation_id(),
        participants: &participants,
        place: Some(windows.epoch(message.id())),
        own_key: (!put.is_on_time()).then(|| windows.epoch(key)),
    };
    change
        .write(|facts| put.batch(facts), |facts| put.learn(facts))
        .await
}

/// A server of version 1 goes on to show the first text after an edit, and fails on a history with an
/// unsent message.
fn upgrading() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "messages cannot be edited or unsent until the upgrade of the tables is finished",
    )
    .with_outcome(Outcome::NotApplied)
}

/// Moves a read marker.
pub(crate) async fn mark(
    inner: &Arc<Inner>,
    key: LogKey,
    marker: &ReadMarker,
) -> Result<(), Error> {
    let conversation = &marker.conversation;
    let change = Change {
        inner,
        conversation: conversation.id(),
        participants: conversation.participants(),
        place: None,
        own_key: Some(inner.db.windows.epoch(key)),
    };
    let marker = Marker::new(inner, key, marker);
    change.write(|_| marker.batch(), |_| {}).await
}

/// A change of the inboxes, as far as the indexes are concerned.
struct Change<'a> {
    inner: &'a Arc<Inner>,
    conversation: ConversationId,
    participants: &'a Participants,
    /// The epoch of the place that it may bring.
    place: Option<Epoch>,
    /// The epoch of its log key, if that is not the place.
    own_key: Option<Epoch>,
}

impl Change<'_> {
    /// Runs the three steps.
    async fn write<'b>(
        &self,
        batch: impl FnOnce(&Facts) -> Batch<'b>,
        learn: impl FnOnce(&mut Facts),
    ) -> Result<(), Error> {
        let db = &self.inner.db;
        let deadline = db.deadline();
        let before = deadline
            .bound(self.nominate(), || error::timed_out().of_read())
            .await
            .map_err(|error| error.with_outcome(Outcome::NotApplied))?;
        deadline
            .bound(db.batch(batch(&before)), || {
                error::timed_out().of_write(Outcome::Unknown)
            })
            .await?;
        let inboxes = before.inboxes.unwrap_or_default();
        let mut facts = before;
        facts.inboxes = Some(inboxes.map(|inbox| self.moved(inbox)));
        learn(&mut facts);
        self.inner.cache.put(self.conversation, facts);
        self.tidy(&inboxes);
        Ok(())
    }

    /// Step 1. Returns what is known now.
    async fn nominate(&self) -> Result<Facts, Error> {
        let mut facts = self.inner.cache.get(self.conversation);
        let mut inboxes = match facts.inboxes {
            Some(inboxes) => {
                metrics::counter!("messenger_cassandra_cache_hits_total").increment(1);
                inboxes
            }
            None => {
                metrics::counter!("messenger_cassandra_cache_misses_total").increment(1);
                self.look().await?
            }
        };
        let mut rows = Vec::new();
        for (user, inbox) in self.participants.iter().zip(&mut inboxes) {
            if let Some(epoch) = self.place.filter(|&epoch| !inbox.has_recency(epoch)) {
                rows.push(self.row(user, Index::Recency, epoch));
                inbox.recency_row = Some(epoch);
            }
            if let Some(epoch) = self.own_key.filter(|&epoch| !inbox.has_changes(epoch)) {
                rows.push(self.row(user, Index::Changes, epoch));
                inbox.changes_row = Some(epoch);
            }
        }
        try_join_all(rows.iter().map(|row| row.insert(&self.inner.db))).await?;
        facts.inboxes = Some(inboxes);
        if !rows.is_empty() {
            self.inner.cache.put(self.conversation, facts);
        }
        Ok(facts)
    }

    /// Reads both inboxes: a cold writer must know which rows the conversation leaves.
    async fn look(&self) -> Result<[InboxFacts; 2], Error> {
        let db = &self.inner.db;
        let windows = db.windows;
        let look = async |user: Option<&UserId>| {
            let found = match user {
                Some(user) => entry::place_and_key(db, user, self.conversation).await?,
                None => None,
            };
            let epoch = |position: Position| windows.epoch(position);
            let facts = found.map(|(place, key)| InboxFacts {
                place: Some(epoch(place)),
                key: Some(epoch(key)),
                left_over: Some(epoch(key)),
                ..InboxFacts::default()
            });
            Ok(facts.unwrap_or_default())
        };
        let mut users = self.participants.iter();
        let (one, two) = tokio::try_join!(look(users.next()), look(users.next()))?;
        Ok([one, two])
    }

    /// Returns the facts about an inbox after the batch was acknowledged: the place and the key that
    /// it brought are there, or greater ones.
    fn moved(&self, before: InboxFacts) -> InboxFacts {
        let place = before.place.max(self.place);
        let key = before.key.max(self.own_key).max(place);
        InboxFacts {
            place,
            key,
            // A row that the conversation has left is about to be deleted.
            recency_row: before.recency_row.filter(|&row| Some(row) >= place),
            changes_row: before.changes_row.filter(|&row| Some(row) >= key),
            left_over: before
                .left_over
                .filter(|&row| Some(row) >= key)
                .max(before.changes_row.filter(|&row| Some(row) >= key)),
        }
    }

    /// Step 3. What the batch brought is acknowledged now, so what lies before it may go: the rows of
    /// the place and of the key that were known before.
    fn tidy(&self, before: &[InboxFacts; 2]) {
        let mut rows = Vec::new();
        for (user, &inbox) in self.participants.iter().zip(before) {
            let now = self.moved(inbox);
            if let Some(epoch) = inbox.place.filter(|&epoch| Some(epoch) < now.place) {
                rows.push(self.row(user, Index::Recency, epoch));
            }
            if let Some(epoch) = inbox.left_over.filter(|&epoch| Some(epoch) < now.key) {
                rows.push(self.row(user, Index::Changes, epoch));
            }
        }
        index::delete_later(&self.inner.db, rows);
    }

    fn row(&self, user: &UserId, index: Index, epoch: Epoch) -> IndexRow {
        IndexRow {
            index,
            user: user.clone(),
            epoch,
            conversation: self.conversation,
        }
    }
}
