//! Inboxes: listed by most recent activity, although activity is what changes most.
//!
//! # Two tables
//!
//! With the time of the last message in the clustering key, each message would delete a row and
//! insert another: a tombstone for each message. Reading all of a user's conversations and sorting
//! them costs the whole partition. So:
//!
//! - `inbox_heads` is the truth: one row for each conversation, with its last message.
//! - `inbox_recency` nominates: a row says that the conversation was active in this epoch, or was
//!   about to be.
//!
//! Three things hold at all times, and everything below follows from them:
//!
//! 1. Where a head can be read, a row of its epoch was acknowledged before, and is there unless a
//!    head of a later epoch can be read too.
//! 2. A row says nothing about where its conversation stands. It may be left over (the head has
//!    moved on to a later epoch), early (the head is on its way, or was never sent), or right.
//! 3. The head of a conversation only ever grows.
//!
//! # Reading a page
//!
//! Rows are scanned epoch by epoch from the bound in the direction of the page. For each new
//! conversation the head is read, and **the head places it**, whichever row nominated it. After
//! the last row of an epoch has been scanned, every conversation whose head lies within what was
//! scanned is known (1), so the page is done when it is full with heads from there. A head from
//! beyond, found through a left-over or early row, waits until the scan has come that far: one
//! that was not found yet may belong before it.
//!
//! Towards newer conversations it is the same scan upwards. A conversation that moves while it
//! runs moves upwards too, ahead of the scan. Downwards, one may move from before the scan to
//! behind it and be missed; it is newer than the page then, and is found by catching up (rule 7).
//!
//! So a page costs the rows and heads of the epochs that it touches: with `n` conversations active
//! in one epoch, up to `n`. That is the bound which this store adds to rule 12.
//!
//! # Left-over rows
//!
//! Row `e` may be deleted when a head of a later epoch was acknowledged or read at quorum: then
//! (1) goes on to hold without it. A row without a head, or later than its head, stays: its head
//! may be on its way. Insert and delete of a row carry the same timestamp, the start of the epoch,
//! and a delete wins a tie; so a late insert cannot bring a deleted row back, and no clock takes
//! part. A reader deletes at most as many rows as its page has items, in a task of its own:
//! thousands at once would make the next page run into their tombstones.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use futures_util::future::try_join_all;
use messenger_core::{Conversation, ConversationId, Error, Order, Position, Slice, UserId};
use uuid::Uuid;

use crate::conversations;
use crate::error;
use crate::session::Db;
use crate::window::Epoch;

/// How many rows a scan reads at a time at most.
const LARGEST_READ: usize = 512;

/// How many rows the repair looks at and writes at a time.
const REPAIRED_AT_ONCE: i32 = 100;

/// A row of `inbox_recency`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecencyRow {
    user: UserId,
    epoch: Epoch,
    conversation: ConversationId,
}

impl RecencyRow {
    pub(crate) fn new(user: &UserId, epoch: Epoch, conversation: ConversationId) -> Self {
        Self {
            user: user.clone(),
            epoch,
            conversation,
        }
    }

    pub(crate) async fn insert(&self, db: &Db) -> Result<(), Error> {
        let timestamp = db.windows.recency_timestamp(self.epoch);
        let key = (
            self.user.as_str(),
            self.epoch.0,
            self.conversation.as_uuid(),
            timestamp,
        );
        db.write(&db.statements.insert_recency, key).await
    }

    async fn delete(&self, db: &Db) -> Result<(), Error> {
        let timestamp = db.windows.recency_timestamp(self.epoch);
        let key = (
            timestamp,
            self.user.as_str(),
            self.epoch.0,
            self.conversation.as_uuid(),
        );
        db.write(&db.statements.delete_recency, key).await
    }
}

/// Deletes left-over rows in a task that nobody waits for. What fails stays left over.
pub(crate) fn delete_later(db: &Arc<Db>, rows: Vec<RecencyRow>) {
    if rows.is_empty() {
        return;
    }
    let task = Arc::clone(db);
    db.tidy_later(async move {
        let deletes = try_join_all(rows.iter().map(|row| row.delete(&task)));
        let late = || error::timed_out().of_read();
        match task.deadline().bound(deletes, late).await {
            Ok(done) => metrics::counter!("messenger_cassandra_leftovers_deleted_total")
                .increment(done.len() as u64),
            Err(error) => tracing::debug!(%error, "left-over rows of an inbox stay for now"),
        }
    });
}

pub(crate) async fn page(
    db: &Arc<Db>,
    user: &UserId,
    slice: Slice,
) -> Result<Vec<Conversation>, Error> {
    let mut scan = Scan::new(db, user, slice);
    let mut page = Page::new(db, slice);
    let mut at_once = 2 * slice.limit;
    while !page.is_full(scan.reach) && !scan.ended {
        let rows = scan.next(at_once).await?;
        let new = page.nominate(rows);
        let heads = conversations::heads(db, user, &new).await?;
        page.place(heads);
        at_once = (at_once * 2).min(LARGEST_READ);
    }
    delete_later(db, page.left_over(user));
    Ok(page.into_conversations())
}

/// Reads the recency rows that a page may need, in its direction.
struct Scan<'a> {
    db: &'a Db,
    user: &'a UserId,
    order: Order,
    /// The row that the next read starts behind.
    behind: (Epoch, Uuid),
    /// The last epoch within the bounds.
    last: Epoch,
    /// The epoch up to which all rows have been read, in the scan's direction.
    reach: Reach,
    /// Whether all rows within the bounds have been read.
    ended: bool,
}

/// How far a scan has come: every row up to and with this epoch was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Nothing,
    Epoch(Epoch),
    Everything,
}

impl<'a> Scan<'a> {
    fn new(db: &'a Db, user: &'a UserId, slice: Slice) -> Self {
        let epoch = |position: Position| db.windows.epoch(position);
        let lowest = slice.above.map_or(Epoch::MIN, epoch);
        let highest = slice.below.map_or(Epoch::MAX, epoch);
        let (behind, last) = match slice.order {
            Order::NewestFirst => ((highest.next(), Uuid::nil()), lowest),
            Order::OldestFirst => ((lowest.previous(), Uuid::max()), highest),
        };
        Self {
            db,
            user,
            order: slice.order,
            behind,
            last,
            reach: Reach::Nothing,
            ended: false,
        }
    }

    async fn next(&mut self, limit: usize) -> Result<Vec<(Epoch, Uuid)>, Error> {
        let statement = match self.order {
            Order::NewestFirst => &self.db.statements.recency_newest,
            Order::OldestFirst => &self.db.statements.recency_oldest,
        };
        let (epoch, conversation) = self.behind;
        let values = (
            self.user.as_str(),
            epoch.0,
            conversation,
            self.last.0,
            limit as i32,
        );
        let result = self.db.read(statement, values).await?;
        let rows = result
            .rows::<(i32, Uuid)>()
            .map_err(error::undecodable)?
            .map(|row| row.map(|(epoch, conversation)| (Epoch(epoch), conversation)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(error::undecodable_row)?;
        match rows.last() {
            Some(&last) if rows.len() == limit => {
                self.behind = last;
                // The epoch of the last row may have more of them; the one before is complete.
                self.reach = Reach::Epoch(match self.order {
                    Order::NewestFirst => last.0.next(),
                    Order::OldestFirst => last.0.previous(),
                });
            }
            _ => {
                self.ended = true;
                self.reach = Reach::Everything;
            }
        }
        Ok(rows)
    }
}

/// A page in the making.
struct Page<'a> {
    db: &'a Db,
    slice: Slice,
    /// All rows scanned, to find the left-over ones.
    rows: Vec<(Epoch, Uuid)>,
    /// The conversations of these rows, and the epochs of their heads, as far as they have one.
    nominated: BTreeMap<Uuid, Option<Epoch>>,
    /// All heads read, in or out of the bounds.
    heads: Vec<Conversation>,
}

impl<'a> Page<'a> {
    fn new(db: &'a Db, slice: Slice) -> Self {
        Self {
            db,
            slice,
            rows: Vec::new(),
            nominated: BTreeMap::new(),
            heads: Vec::new(),
        }
    }

    /// Takes rows, and gives the conversations among them that are new.
    fn nominate(&mut self, mut rows: Vec<(Epoch, Uuid)>) -> Vec<Uuid> {
        let mut new = Vec::with_capacity(rows.len());
        for &(_, conversation) in &rows {
            if let Entry::Vacant(place) = self.nominated.entry(conversation) {
                place.insert(None);
                new.push(conversation);
            }
        }
        self.rows.append(&mut rows);
        new
    }

    fn place(&mut self, mut heads: Vec<Conversation>) {
        for head in &heads {
            let epoch = self.epoch(head);
            self.nominated.insert(head.id().as_uuid(), Some(epoch));
        }
        self.heads.append(&mut heads);
    }

    /// Whether there are enough heads from where the scan is complete.
    fn is_full(&self, reach: Reach) -> bool {
        let is_reached = |head: &&Conversation| match (reach, self.slice.order) {
            (Reach::Nothing, _) => false,
            (Reach::Everything, _) => true,
            (Reach::Epoch(epoch), Order::NewestFirst) => self.epoch(head) >= epoch,
            (Reach::Epoch(epoch), Order::OldestFirst) => self.epoch(head) <= epoch,
        };
        let reached = self.heads.iter().filter(|head| self.is_within(head));
        reached.filter(is_reached).take(self.slice.limit).count() == self.slice.limit
    }

    fn is_within(&self, head: &Conversation) -> bool {
        self.slice.contains(position(head))
    }

    fn epoch(&self, head: &Conversation) -> Epoch {
        self.db.windows.epoch(position(head))
    }

    /// Rows that a head has left behind, as many as a page has items.
    fn left_over(&self, user: &UserId) -> Vec<RecencyRow> {
        let is_left_over = |&&(epoch, id): &&(Epoch, Uuid)| match self.nominated.get(&id) {
            Some(&Some(head)) => epoch < head,
            _ => false,
        };
        let rows = self.rows.iter();
        rows.filter(is_left_over)
            .take(self.slice.limit)
            .map(|&(epoch, id)| RecencyRow::new(user, epoch, id.into()))
            .collect()
    }

    fn into_conversations(mut self) -> Vec<Conversation> {
        let slice = self.slice;
        self.heads.retain(|head| slice.contains(position(head)));
        self.heads.sort_unstable_by_key(position);
        if slice.order == Order::NewestFirst {
            self.heads.reverse();
        }
        self.heads.truncate(slice.limit);
        self.heads
    }
}

fn position(head: &Conversation) -> Position {
    head.last_message().id().into()
}

/// Brings back the recency rows that a user's heads should have, and says how many heads there
/// are. A row that is there already stays as it is.
pub(crate) async fn rebuild(db: &Db, user: &UserId) -> Result<u64, Error> {
    let late = || error::timed_out().of_read();
    let (mut last, mut count) = (None, 0);
    loop {
        let step = async {
            let heads = conversations::heads_behind(db, user, last, REPAIRED_AT_ONCE).await?;
            let rows = heads.iter().map(|head| {
                let epoch = db.windows.epoch(position(head));
                RecencyRow::new(user, epoch, head.id())
            });
            let rows: Vec<_> = rows.collect();
            try_join_all(rows.iter().map(|row| row.insert(db))).await?;
            Ok(heads)
        };
        // Each step has a deadline of its own: there is no bound to how many there are.
        let heads = db.deadline().bound(step, late).await?;
        count += heads.len() as u64;
        match heads.last() {
            Some(head) if heads.len() == REPAIRED_AT_ONCE as usize => last = Some(head.id()),
            _ => return Ok(count),
        }
    }
}
