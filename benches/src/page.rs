//! Pages of a list: the reads of each kind of page, and the pairs that compare them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use messenger_core::{Clock, InboxEntry, Logged, Message, MessageId, Position};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use crate::operation::{Operation, Source, Target};
use crate::pair::Pair;
use crate::repeat::Repeat;

/// The number of items on a page.
pub(crate) const PAGE: usize = 20;

/// The number of rows that an older page reads: one more tells whether there is a next page.
pub(crate) const READ: usize = PAGE + 1;

/// The number of random places of a list at which pages are read, at most. Together the pages hold
/// more rows than the longest list, so that no cache holds them better than it would in a service.
const PLACES: usize = 1 << 16;

/// The smallest acceptable ratio of a page of a long list to one of a short list: at most one and a
/// half times the time.
pub(crate) const FLAT_GOAL: f64 = 1.0 / 1.5;

/// A kind of page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// The newest items.
    First,
    /// The items below a cursor, at a random place each time.
    Middle,
    /// The items before a time, at a random place each time.
    Before,
    /// The items above a newer cursor, at a random place each time.
    Newer,
}

impl PageKind {
    /// Returns the reads of this kind in a list with these ids, in ascending order.
    pub(crate) fn reads(self, ids: &[MessageId]) -> Vec<PageRead> {
        // The same places in every run.
        let mut random = StdRng::seed_from_u64(ids.len() as u64);
        let mut places = |range: std::ops::Range<usize>| -> Vec<usize> {
            let places = ids.len().min(PLACES);
            (0..places)
                .map(|_| random.random_range(range.clone()))
                .collect()
        };
        let inside = READ.min(ids.len() - 1)..ids.len();
        let older = |at, below| PageRead::older(ids, at, below);
        match self {
            Self::First => vec![older(ids.len(), None)],
            Self::Middle => places(inside)
                .into_iter()
                .map(|at| older(at, Some(ids[at].into())))
                .collect(),
            Self::Before => places(inside)
                .into_iter()
                .map(|at| older(at, Some(Position::start_of(ids[at].timestamp()))))
                .collect(),
            Self::Newer => places(0..ids.len() - PAGE)
                .into_iter()
                .map(|at| PageRead::newer(ids, at))
                .collect(),
        }
    }
}

/// The end of a list from which a page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// The newest items below a position, if there is one, newest first.
    Older { below: Option<Position> },
    /// The oldest items of the log above a position, oldest first.
    Newer { above: Position },
}

/// A page to read, and the rows that it must return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageRead {
    /// The part of the list to read.
    pub(crate) range: Range,
    /// The number of rows to ask for.
    pub(crate) limit: usize,
    /// The number of rows that it must return.
    pub(crate) rows: usize,
    /// The id of the first of them.
    pub(crate) first: MessageId,
}

impl PageRead {
    /// Reads the items below the one at this index.
    fn older(ids: &[MessageId], at: usize, below: Option<Position>) -> Self {
        Self {
            range: Range::Older { below },
            limit: READ,
            rows: at.min(READ),
            first: ids[at - 1],
        }
    }

    /// Reads the items above the one at this index.
    fn newer(ids: &[MessageId], at: usize) -> Self {
        Self {
            range: Range::Newer {
                above: ids[at].into(),
            },
            limit: PAGE,
            rows: PAGE,
            first: ids[at + 1],
        }
    }

    /// Checks the rows that came back.
    pub(crate) fn check<T: Row>(&self, page: &[T]) -> Result<()> {
        let first = page.first().map(Row::id);
        ensure!(
            page.len() == self.rows && first == Some(self.first.as_uuid()),
            "expected {} rows from {} on, got {} from {first:?} on",
            self.rows,
            self.first,
            page.len(),
        );
        Ok(())
    }
}

/// A row of a list.
pub(crate) trait Row {
    /// Returns the message id by which the list is sorted.
    fn id(&self) -> Uuid;
}

impl Row for Message {
    fn id(&self) -> Uuid {
        self.id().as_uuid()
    }
}

impl<T: Row> Row for Logged<T> {
    fn id(&self) -> Uuid {
        self.item.id()
    }
}

impl Row for InboxEntry {
    fn id(&self) -> Uuid {
        self.last_message().id().as_uuid()
    }
}

/// A list that was written to a target, with the ids of its rows in ascending order.
#[derive(Debug)]
pub(crate) struct FilledList<T> {
    /// The target that holds the list.
    pub(crate) target: Arc<T>,
    /// The source of its pages.
    pub(crate) source: Source,
    /// The ids of its rows.
    pub(crate) ids: Vec<MessageId>,
}

impl<T: Target<Operation>> FilledList<T> {
    /// Returns a pair for each kind of page, against the same list in a baseline.
    pub(crate) fn pairs(
        &self,
        subject: &str,
        baseline: &Arc<impl Target<Operation>>,
        goal: Option<f64>,
    ) -> Vec<Pair> {
        let (list, kinds) = self.kinds();
        let pair = |&(kind, name): &(PageKind, &str)| {
            let name = format!("{subject}/{list}/{name}/{}", self.ids.len());
            let reads = self.reads(kind);
            let read = Repeat::new(Arc::clone(&self.target), Arc::clone(&reads));
            Pair::new(name, read, Repeat::new(Arc::clone(baseline), reads)).with_goal(goal)
        };
        kinds.iter().map(pair).collect()
    }

    /// Returns a workload that reads pages of this kind.
    pub(crate) fn workload(&self, kind: PageKind) -> Repeat<Arc<T>, Operation> {
        Repeat::new(Arc::clone(&self.target), self.reads(kind))
    }

    /// Returns the operations that read pages of this kind.
    pub(crate) fn reads(&self, kind: PageKind) -> Arc<[Operation]> {
        let reads = kind.reads(&self.ids).into_iter();
        reads
            .map(|read| Operation::Page(self.source.clone(), read))
            .collect()
    }

    fn kinds(&self) -> (&'static str, &'static [(PageKind, &'static str)]) {
        match self.source {
            Source::History(_) => (
                "history",
                &[
                    (PageKind::First, "first"),
                    (PageKind::Middle, "middle"),
                    (PageKind::Before, "before"),
                    (PageKind::Newer, "newer"),
                ],
            ),
            Source::Inbox(_) => (
                "inbox",
                &[(PageKind::First, "first"), (PageKind::Middle, "later")],
            ),
        }
    }
}

/// Returns pairs that compare each page of the list of length `long` with the same page of the list
/// of length `short`, in the same store: a page should cost the same in both.
pub(crate) fn flat<T: Target<Operation>>(
    subject: &str,
    lists: &[FilledList<T>],
    [short, long]: [usize; 2],
) -> Result<Vec<Pair>> {
    let (near, far) = (find(lists, short)?, find(lists, long)?);
    let (list, kinds) = near.kinds();
    let pair = |&(kind, name): &(PageKind, &str)| {
        let name = format!("{subject}/flat/{list}-{name}/{long}-{short}");
        Pair::new(name, far.workload(kind), near.workload(kind)).with_goal(FLAT_GOAL)
    };
    Ok(kinds.iter().map(pair).collect())
}

/// Returns the list of this length.
pub(crate) fn find<T>(lists: &[FilledList<T>], length: usize) -> Result<&FilledList<T>> {
    let found = lists.iter().find(|list| list.ids.len() == length);
    found.with_context(|| format!("no list of {length} items"))
}

/// Returns `count` ids in ascending order, `interval` apart, the last one an interval before now.
pub(crate) fn ids(count: usize, interval: Duration) -> Vec<MessageId> {
    ids_until(SystemTime::now(), count, interval)
}

/// Returns `count` ids in ascending order, `interval` apart, the last one an interval before `end`.
pub(crate) fn ids_until(end: SystemTime, count: usize, interval: Duration) -> Vec<MessageId> {
    let start = end - interval * count as u32;
    let made = AtomicU32::new(0);
    let clock = Clock::with_source(move || start + interval * made.fetch_add(1, Ordering::Relaxed));
    (0..count).map(|_| clock.next_id()).collect()
}
