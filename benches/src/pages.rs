//! Pages of a list: what a store is asked for, and what must come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use messenger_core::{Clock, Conversation, Message, MessageId, Order, Position, Slice};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

/// How many items a page has.
pub const PAGE: usize = 20;

/// How many rows a page towards older items reads: one more tells whether there is a next page.
pub const READ: usize = PAGE + 1;

/// At how many random places of a list pages are read at most, before it begins anew. All of them
/// together hold more rows than the longest list, so that no cache holds them better than it would
/// in a service.
const PLACES: usize = 1 << 16;

/// Which page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The newest items.
    First,
    /// Those below a cursor, at a random place each time.
    Middle,
    /// Those before a time, at a random place each time.
    Before,
    /// Those above a newer cursor, at a random place each time.
    Newer,
}

impl Page {
    /// Calls for this page of a list of these ids, the smallest first, as the messenger makes them.
    ///
    /// # Panics
    ///
    /// If the list is too short: two items, and for newer pages more than a page.
    pub fn calls(self, ids: &[MessageId]) -> Arc<[PageCall]> {
        // The same places in every run.
        let mut random = StdRng::seed_from_u64(ids.len() as u64);
        let mut places = |range: std::ops::Range<usize>| -> Vec<usize> {
            let places = ids.len().min(PLACES);
            (0..places)
                .map(|_| random.random_range(range.clone()))
                .collect()
        };
        let older = READ.min(ids.len() - 1)..ids.len();
        match self {
            Self::First => [PageCall::older(ids, ids.len(), None)].into(),
            Self::Middle => places(older)
                .into_iter()
                .map(|at| PageCall::older(ids, at, Some(ids[at].into())))
                .collect(),
            Self::Before => places(older)
                .into_iter()
                .map(|at| {
                    let time = Position::start_of(ids[at].created_at());
                    PageCall::older(ids, at, Some(time))
                })
                .collect(),
            Self::Newer => places(0..ids.len() - PAGE)
                .into_iter()
                .map(|at| PageCall::newer(ids, at))
                .collect(),
        }
    }
}

/// A call for a page of a list, and what must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nobody else uses this crate")]
pub struct PageCall {
    /// What a store is asked for.
    pub slice: Slice,
    /// How many rows it must give.
    pub rows: usize,
    /// The place of the first of them.
    pub first: MessageId,
}

impl PageCall {
    /// The items below the one at this index.
    fn older(ids: &[MessageId], at: usize, below: Option<Position>) -> Self {
        Self {
            slice: Slice {
                below,
                ..Slice::newest(READ)
            },
            rows: at.min(READ),
            first: ids[at - 1],
        }
    }

    /// The items above the one at this index.
    fn newer(ids: &[MessageId], at: usize) -> Self {
        Self {
            slice: Slice {
                above: Some(ids[at].into()),
                below: None,
                order: Order::OldestFirst,
                limit: PAGE,
            },
            rows: PAGE,
            first: ids[at + 1],
        }
    }

    /// Whether these are the rows that must come back.
    ///
    /// # Errors
    ///
    /// When they are others.
    pub fn check<T: Row>(&self, page: &[T]) -> Result<()> {
        let first = page.first().map(Row::place);
        ensure!(
            page.len() == self.rows && first == Some(self.first.as_uuid()),
            "a page of {} rows that begins with {first:?}, not of {} that begins with {}",
            page.len(),
            self.rows,
            self.first
        );
        Ok(())
    }
}

/// A row of a list.
pub trait Row {
    /// Its place in the list: a message's id.
    fn place(&self) -> Uuid;
}

impl Row for Message {
    fn place(&self) -> Uuid {
        self.id().as_uuid()
    }
}

impl Row for Conversation {
    fn place(&self) -> Uuid {
        self.last_message().id().as_uuid()
    }
}

/// So many ids, the smallest first, each so long after the one before it and the last one made
/// just now.
pub fn ids(count: usize, apart: Duration) -> Vec<MessageId> {
    let start = SystemTime::now() - apart * count as u32;
    let made = AtomicU32::new(0);
    let clock = Clock::with_source(move || start + apart * made.fetch_add(1, Ordering::Relaxed));
    (0..count).map(|_| clock.next_id()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a list of these ids has within the slice.
    fn expected(ids: &[MessageId], slice: Slice) -> Vec<MessageId> {
        let mut within: Vec<_> = ids
            .iter()
            .copied()
            .filter(|&id| slice.contains(id.into()))
            .collect();
        if slice.order == Order::NewestFirst {
            within.reverse();
        }
        within.truncate(slice.limit);
        within
    }

    #[test]
    fn a_call_knows_what_must_come_back() {
        for length in [25, 300] {
            let ids = ids(length, Duration::from_secs(60));
            for page in [Page::First, Page::Middle, Page::Before, Page::Newer] {
                for call in &*page.calls(&ids) {
                    let rows = expected(&ids, call.slice);
                    assert_eq!(rows.len(), call.rows, "{page:?} of {length}");
                    assert_eq!(rows[0], call.first, "{page:?} of {length}");
                }
            }
        }
    }

    #[test]
    fn a_list_shorter_than_a_page_has_pages() {
        let ids = ids(10, Duration::from_secs(60));
        assert_eq!(Page::First.calls(&ids)[0].rows, 10);
        assert!(Page::Middle.calls(&ids).iter().all(|call| call.rows == 9));
    }
}
