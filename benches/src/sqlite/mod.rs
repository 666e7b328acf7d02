//! The store on SQLite against bare rusqlite with the same statements.
//!
//! - A *page* is compared with the prepared statement alone, which reads the same database on the
//!   thread of the caller. (A page of a log only with itself, in `flat`.)
//! - A *send* is durable: it ends when the disk has synced it. 1, 16 and 64 callers each send their
//!   next message when the previous one was acknowledged, so the store writes several messages in a
//!   transaction. The baseline is one loop without callers, whose transactions hold as many messages.
//!   Its checkpoints are not measured, while those of the store run at the same time.
//! - `spawn_blocking` pairs have the same baselines, called as an async service calls them: each page and
//!   each send, of one caller, on a thread for blocking calls. The difference to the pairs above is the
//!   cost of handing a call to another thread and waiting for it.
//! - `flat` compares the store with itself: pages of a long list with pages of a short one.

mod bare;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use messenger_sqlite::SqliteStore;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::fill::{self, Order};
use crate::operation::{Operation, StoreTarget};
use crate::page::{flat, ids};
use crate::pair::{Pair, Sizes};
use crate::recorder::recorder;
use crate::sends::{Conversations, Sends};

use bare::{BareReader, BareSends, Blocking};

/// The numbers of concurrent sends.
const CALLERS: [usize; 3] = [1, 16, 64];

/// The numbers of concurrent pages.
const READERS: [usize; 2] = [1, 16];

/// The time between two messages.
const INTERVAL: Duration = Duration::from_secs(60);

/// The goal of a send.
const SEND_GOAL: f64 = 0.8;

/// The goal of a page of a history and of an inbox.
const PAGE_GOAL: f64 = 0.7;

/// The amounts of data to measure with.
pub const SIZES: Sizes = Sizes {
    histories: &[1_000, 100_000],
    inboxes: &[100, 10_000],
    conversations: 1_000,
    flat_histories: [1_000, 100_000],
    flat_inboxes: [100, 10_000],
};

/// Returns all pairs of the store on SQLite, with databases in this directory.
///
/// # Errors
///
/// If a database cannot be created or filled.
pub async fn pairs(directory: &Path, sizes: &Sizes) -> Result<Vec<Pair>> {
    // First, because a store looks for the recorder when it is opened.
    let recorder = recorder()?;
    let path = directory.join("lists");
    let store = Arc::new(SqliteStore::open(&path)?);
    let bare = Arc::new(BareReader::new(path));
    let (mut histories, mut inboxes) = (Vec::new(), Vec::new());
    for &length in sizes.histories {
        histories.push(
            fill::history(&store, length, INTERVAL, Order::OldestFirst)
                .await?
                .0,
        );
    }
    for &length in sizes.inboxes {
        inboxes.push(
            fill::inbox(&store, "reader", ids(length, INTERVAL))
                .await?
                .0,
        );
    }
    // After the lists, whose transactions do not count.
    let mut pairs = Vec::from(sends(directory, sizes.conversations, recorder).await?);
    let blocking = Arc::new(Blocking(Arc::clone(&bare)));
    for list in histories.iter().chain(&inboxes) {
        let pages = list.pairs("sqlite", &bare, Some(PAGE_GOAL)).into_iter();
        let pages = pages.filter(|pair| !pair.name.contains("newer"));
        pairs.extend(pages.map(|pair| pair.with_concurrency(READERS)));
        let pages = list.pairs("sqlite/spawn_blocking", &blocking, None);
        pairs.extend(pages.into_iter().filter(|pair| pair.name.contains("first")));
    }
    pairs.extend(flat("sqlite", &histories, sizes.flat_histories)?);
    pairs.extend(flat("sqlite", &inboxes, sizes.flat_inboxes)?);
    Ok(pairs)
}

/// Returns the pairs of durable sends to existing conversations.
async fn sends(directory: &Path, count: usize, recorder: PrometheusHandle) -> Result<[Pair; 2]> {
    let existing = Conversations::existing(count)?;
    let create = |name| BareSends::create(directory.join(name), existing.clone(), recorder.clone());
    let (bare, blocking) = (create("bare").await?, create("blocking").await?);
    let store = Arc::new(SqliteStore::open(directory.join("sends"))?);
    let subject = || {
        let store = Arc::clone(&store);
        let target = move || StoreTarget(Arc::clone(&store));
        Sends::new(target, Operation::append, existing.clone(), u64::MAX)
    };
    Ok([
        Pair::new("sqlite/send", subject(), bare)
            .with_concurrency(CALLERS)
            .with_goal(SEND_GOAL),
        Pair::new(
            "sqlite/spawn_blocking/send",
            subject(),
            Blocking(Arc::new(blocking)),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use messenger_core::{Clock, Store as _, UserId};
    use rusqlite::Row;
    use rusqlite::types::Value;

    use super::*;
    use crate::messages::new_message;
    use crate::ratio;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_pair_runs_and_returns_its_rows() {
        let directory = tempfile::tempdir().unwrap();
        for pair in pairs(directory.path(), &Sizes::SMALL).await.unwrap() {
            for workload in [&pair.subject, &pair.baseline] {
                ratio::run(workload, 4, 8).await.expect(&pair.name);
            }
        }
    }

    /// Both workloads of a pair write the same rows, so they do the same work.
    #[tokio::test]
    async fn the_rows_are_those_of_a_store() {
        let directory = tempfile::tempdir().unwrap();
        let [stored, bare] = ["store", "bare"].map(|name| directory.path().join(name));
        let (clock, existing) = (Clock::new(), Conversations::existing(3).unwrap());
        let message = |users: &[UserId; 2]| {
            let message = new_message(&users[0], &users[1]).unwrap();
            message.with_id(clock.next_id())
        };
        let first: Vec<_> = existing.users().iter().map(message).collect();
        let more = [0, 2, 0, 1, 1].map(|at| message(&existing.users()[at]));
        for (path, messages) in [(&stored, [&first[..], &more].concat()), (&bare, first)] {
            let store = SqliteStore::open(path).unwrap();
            for message in &messages {
                store.put(message.id().into(), message).await.unwrap();
            }
        }
        bare::send(&mut bare::open(&bare).unwrap(), &more).unwrap();
        let dump = |path| {
            let connection = bare::open(path).unwrap();
            ["conversations", "messages", "changes", "inbox", "newest"].map(|table| {
                let mut rows = connection
                    .prepare(&format!("SELECT * FROM {table}"))
                    .unwrap();
                let columns = 0..rows.column_count();
                let row = |row: &Row<'_>| columns.clone().map(|at| row.get(at)).collect();
                let rows = rows.query_map((), row).unwrap();
                rows.collect::<Result<Vec<Vec<Value>>, _>>().unwrap()
            })
        };
        assert_eq!(dump(&stored), dump(&bare));
        assert_eq!(dump(&bare)[1].len(), 8);
    }
}
