//! Inboxes: listed by most recent activity, although activity is what changes most.
//!
//! # Three tables
//!
//! With the time of the last message in the clustering key, each message would delete a row and
//! insert another: a tombstone for each message. Reading all of a user's conversations and sorting
//! them costs the whole partition. So:
//!
//! - `inbox_heads` is the truth: one row for each conversation, with its last message and its read
//!   markers. The **place** of a row is the id of the last message. Its **key** is the greatest log
//!   key of the conversation's changes, `max(place, changed)`. Both only grow.
//! - `inbox_recency` indexes places: a row says that the conversation was active in this epoch, or
//!   was about to be.
//! - `inbox_changes` indexes the keys of edits, unsends, read markers and late sends in the same way.
//!
//! Three things hold at all times, and everything below follows from them:
//!
//! 1. Where a place can be read, a row of its epoch was acknowledged in `inbox_recency` before, and
//!    is there unless a place of a later epoch can be read too. The same holds for keys, with a row
//!    in either index.
//! 2. An index row says nothing about where its conversation stands. It may be left over (the
//!    conversation has moved on to a later epoch), early (the change is on its way, or was never
//!    made), or right.
//! 3. Places and keys only ever grow.
//!
//! # Reading a page
//!
//! Index rows are scanned epoch by epoch from the bound down. For each new conversation the row of
//! `inbox_heads` is read, and **its place is where it stands**, whichever index row led to it. After
//! the last row of an epoch has been scanned, every conversation whose place lies within what was
//! scanned is known (1), so the page is done when the last of its items lies there. A conversation
//! from beyond, found through a left-over or early row, waits until the scan has come that far: one
//! that was not found yet may belong before it.
//!
//! # Following the log
//!
//! It is the same scan upwards, over both indexes at once, and the **key** is where a conversation
//! stands. The page is done when its last item lies within the lesser reach of the two scans. A
//! conversation that changes while it runs moves upwards too, ahead of the scan.
//!
//! An idle poll scans nothing. `latest` is a static column of `inbox_heads`: the greatest key of all
//! changes in the partition, written in the same mutation as the change. If it is not above the
//! bound, no acknowledged change is, and the page is empty. Two rules keep that sound. The value is
//! read at quorum. And **every read of a row selects `latest` too**, because read repair repairs what
//! a query selects: otherwise a reader could spread a change of which no majority has the `latest`,
//! hand out a cursor, and then hide a smaller acknowledged change behind it.
//!
//! # Costs
//!
//! A page costs the index rows and conversations of the epochs that it touches: with `n`
//! conversations active in one epoch, up to `n`. That is the bound that this store adds to rule 12.
//! Conversations are read in parallel, and no more are kept than the page has items.
//! [`first_page`] spares a reader whose inbox has not changed.
//!
//! # Left-over rows
//!
//! Row `e` of `inbox_recency` may be deleted when a place of a later epoch was acknowledged or read at
//! quorum: then (1) goes on to hold without it. So may row `e` of `inbox_changes` for a key of a later
//! epoch. A row without a conversation, or later than it, stays: its change may be on its way. Insert
//! and delete of a row carry the same timestamp, the start of the epoch, and a delete wins a tie; so a
//! late insert cannot bring a deleted row back, and no clock takes part. A reader deletes at most as
//! many rows as its page has items, in a task of its own: thousands at once would make the next page
//! run into their tombstones.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use messenger_core::{Error, InboxEntry, LogKey, Logged, Position, UserId};
use uuid::Uuid;

use crate::Inner;
use crate::session::Db;
use crate::window::Epoch;

pub(crate) mod entry;
mod first_page;
pub(crate) mod index;
mod rebuild;
mod scan;
mod stamp;

pub(crate) use entry::entry;
pub(crate) use first_page::{FirstPages, first_page};
pub(crate) use rebuild::rebuild;

use entry::Found;
use index::{Index, IndexRow};
use scan::{Reach, Row, Scan};
use stamp::Stamp;

/// Returns the page below a place.
pub(crate) async fn page(
    inner: &Arc<Inner>,
    user: &UserId,
    below: Option<Position>,
    limit: usize,
) -> Result<Vec<InboxEntry>, Error> {
    let (page, _) = read_page(inner, user, below, limit).await?;
    Ok(page)
}

/// Returns the page below a place, or the first page, and the stamp of the rows that were read.
async fn read_page(
    inner: &Arc<Inner>,
    user: &UserId,
    below: Option<Position>,
    limit: usize,
) -> Result<(Vec<InboxEntry>, Stamp), Error> {
    let mut scan = Scan::down(&inner.db, user, below);
    let mut found = Conversations::new(&inner.db, user, limit);
    loop {
        let rows = scan.next(found.missing()).await?;
        let is_within = |found: &Found<'_>| {
            let place = Position::from(found.place);
            below.is_none_or(|below| place < below).then_some(place)
        };
        found.read(&rows, Reverse, is_within).await?;
        let is_done = match scan.reach {
            Reach::Everything => true,
            // The last item of a full page lies where every row has been scanned.
            Reach::Epoch(reach) => found
                .last_of_full()
                .is_some_and(|(place, _)| inner.db.windows.epoch(place.0) >= reach),
        };
        if is_done {
            break;
        }
    }
    index::delete_later(&inner.db, found.left_over());
    let stamp = found.stamp;
    Ok((found.items.into_values().collect(), stamp))
}

/// Returns the part of the log above a key.
pub(crate) async fn log(
    inner: &Arc<Inner>,
    user: &UserId,
    above: Position,
    limit: usize,
) -> Result<Vec<Logged<InboxEntry>>, Error> {
    let db = &*inner.db;
    if db.has_latest_above(above) && !stamp::read(db, user).await?.is_above(above) {
        return Ok(Vec::new());
    }
    let mut places = Scan::up(db, user, Index::Recency, above);
    let mut changes = Scan::up(db, user, Index::Changes, above);
    let mut found = Conversations::new(db, user, limit);
    loop {
        let missing = found.missing();
        let (mut rows, more) = tokio::try_join!(places.next(missing), changes.next(missing))?;
        rows.extend(more);
        let is_within = |found: &Found<'_>| {
            let key = Position::from(found.key);
            (key > above).then_some(key)
        };
        found.read(&rows, |key| key, is_within).await?;
        let is_done = match places.reach.lesser(changes.reach) {
            Reach::Everything => true,
            Reach::Epoch(reach) => found
                .last_of_full()
                .is_some_and(|(key, _)| db.windows.epoch(*key) <= reach),
        };
        if is_done {
            break;
        }
    }
    index::delete_later(&inner.db, found.left_over());
    let logged = |((key, _), item)| {
        Ok(Logged {
            key: LogKey::from_uuid(Position::as_uuid(key))?,
            item,
        })
    };
    found.items.into_iter().map(logged).collect()
}

/// The conversations that index rows led to: the first ones in the order of the list, as many as the
/// page has items.
struct Conversations<'a, K> {
    db: &'a Db,
    user: &'a UserId,
    limit: usize,
    /// The epochs of place and key of each conversation that was read, if it is an item.
    read: HashMap<Uuid, Option<(Epoch, Epoch)>>,
    /// The items in order. (Two conversations never share a place, but nothing depends on that.)
    items: BTreeMap<(K, Uuid), InboxEntry>,
    /// Index rows that are left over, as many as the page has items.
    left_over: Vec<Row>,
    /// The greatest stamp of all rows that were read.
    stamp: Stamp,
}

impl<'a, K: Ord + Copy> Conversations<'a, K> {
    fn new(db: &'a Db, user: &'a UserId, limit: usize) -> Self {
        Self {
            db,
            user,
            limit,
            read: HashMap::new(),
            items: BTreeMap::new(),
            left_over: Vec::new(),
            stamp: Stamp::default(),
        }
    }

    /// Reads the conversations of these rows that were not read yet, and keeps those that belong on
    /// the page.
    async fn read(
        &mut self,
        rows: &[Row],
        order: impl Fn(Position) -> K,
        is_within: impl Fn(&Found<'_>) -> Option<Position>,
    ) -> Result<(), Error> {
        let mut new = Vec::with_capacity(rows.len());
        for row in rows {
            if let Entry::Vacant(vacant) = self.read.entry(row.conversation) {
                vacant.insert(None);
                new.push(row.conversation);
            }
        }
        for rows in entry::read_all(self.db, self.user, &new).await? {
            let stamp = entry::each(&rows, |found| {
                let windows = self.db.windows;
                let epochs = (windows.epoch(found.place), windows.epoch(found.key));
                self.read.insert(found.conversation, Some(epochs));
                if let Some(position) = is_within(&found) {
                    self.keep((order(position), found.conversation), &found)?;
                }
                Ok(())
            })?;
            self.stamp = self.stamp.max(stamp);
        }
        self.note_left_over(rows);
        Ok(())
    }

    /// Keeps an item unless a full page comes before it. Only what is kept is decoded.
    fn keep(&mut self, at: (K, Uuid), found: &Found<'_>) -> Result<(), Error> {
        if self.last_of_full().is_some_and(|last| at > *last) {
            return Ok(());
        }
        self.items.insert(at, found.decode()?);
        if self.items.len() > self.limit {
            self.items.pop_last();
        }
        Ok(())
    }

    /// Returns the number of items that are missing for a full page.
    fn missing(&self) -> usize {
        self.limit - self.items.len()
    }

    /// Returns where the last item is, if there are as many as the page has.
    fn last_of_full(&self) -> Option<&(K, Uuid)> {
        let last = self.items.last_key_value().map(|(at, _)| at);
        last.filter(|_| self.items.len() == self.limit)
    }

    fn note_left_over(&mut self, rows: &[Row]) {
        let is_left_over = |row: &&Row| match (self.read.get(&row.conversation), row.index) {
            (Some(&Some((place, _))), Index::Recency) => row.epoch < place,
            (Some(&Some((_, key))), Index::Changes) => row.epoch < key,
            _ => false,
        };
        let missing = self.limit - self.left_over.len();
        let rows = rows.iter().filter(is_left_over).take(missing);
        self.left_over.extend(rows.copied());
    }

    fn left_over(&self) -> Vec<IndexRow> {
        let row = |row: &Row| IndexRow {
            index: row.index,
            user: self.user.clone(),
            epoch: row.epoch,
            conversation: row.conversation.into(),
        };
        self.left_over.iter().map(row).collect()
    }
}
