//! A cache of first pages, for inboxes that have not changed for a few seconds.
//!
//! A page is kept together with the stamp of the partition: `latest`, the greatest log key of all
//! changes, and `imported`. It is returned again if a quorum read of the stamp alone shows the same
//! one. An equal `latest` alone would not do: a change with a smaller key may have been in flight
//! when the page was read, and `latest` does not tell when it was acknowledged. So:
//!
//! - **Only a settled page is kept.** When the reading began, the stamp was older than the settle
//!   time: every change with a key up to `latest` that will ever be acknowledged was acknowledged
//!   before, and is on the page. A change that is acknowledged later has a greater key, and raises
//!   `latest`.
//! - **A change whose key is not fresh** (an import, or a write that a test repeats) would not raise
//!   `latest`. It writes its time into `imported` in the same mutation, and that time is as fresh as
//!   a key.
//! - **A page is kept for [`LIFETIME`] at most.** A change that nobody acknowledged may still show
//!   later, through the log of batches, without raising `latest`.
//!
//! The soundness rests on the settle time, as that of the log does (rule 7): on the timeout of writes
//! and on clocks that are as close as this store requires them to be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use messenger_core::{Error, InboxEntry, Position, Timestamp, UserId};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Stamp, read_page, stamp};
use crate::Inner;

/// The lifetime of a page.
const LIFETIME: Duration = Duration::from_secs(60);

/// The number of entries that are kept in all pages together. An entry takes about half a kilobyte.
const CAPACITY: u64 = 50_000;

/// Returns the first page.
pub(crate) async fn first_page(
    inner: &Arc<Inner>,
    user: &UserId,
    limit: usize,
    settle: Duration,
) -> Result<Vec<InboxEntry>, Error> {
    if let Some(page) = inner.first_pages.get(user, limit) {
        if stamp::read(&inner.db, user).await? == page.stamp {
            return Ok(page.entries.iter().take(limit).cloned().collect());
        }
        inner.first_pages.pages.remove(user);
    }
    let settled = Position::start_of(Timestamp::now().saturating_sub(settle));
    let (entries, stamp) = read_page(inner, user, None, limit).await?;
    if inner.db.has_only_version_2() && stamp.is_before(settled) {
        inner.first_pages.put(user, limit, stamp, &entries);
    }
    Ok(entries)
}

/// First pages, bounded in number and in time.
#[derive(Debug)]
pub(crate) struct FirstPages {
    pages: Cache<UserId, FirstPage, Entries>,
}

/// A first page as it was read.
#[derive(Clone, Debug)]
struct FirstPage {
    entries: Arc<[InboxEntry]>,
    /// The limit that it was read with.
    limit: usize,
    stamp: Stamp,
    read_at: Instant,
}

/// Weighs a page by its entries.
#[derive(Clone, Debug)]
struct Entries;

impl Weighter<UserId, FirstPage> for Entries {
    fn weight(&self, _: &UserId, page: &FirstPage) -> u64 {
        page.entries.len() as u64 + 1
    }
}

impl Default for FirstPages {
    fn default() -> Self {
        Self {
            pages: Cache::with_weighter(1_000, CAPACITY, Entries),
        }
    }
}

impl FirstPages {
    /// Returns a page of `limit` entries, or of all if there are fewer.
    fn get(&self, user: &UserId, limit: usize) -> Option<FirstPage> {
        let page = self.pages.get(user)?;
        let is_whole = page.entries.len() < page.limit;
        (page.read_at.elapsed() < LIFETIME && (is_whole || limit <= page.limit)).then_some(page)
    }

    fn put(&self, user: &UserId, limit: usize, stamp: Stamp, entries: &[InboxEntry]) {
        let page = FirstPage {
            entries: entries.into(),
            limit,
            stamp,
            read_at: Instant::now(),
        };
        self.pages.insert(user.clone(), page);
    }
}
