//! The metrics of this store, besides those of [`Measured`](messenger_core::store::Measured).

use std::time::Duration;

use metrics::{Gauge, Histogram, Unit};

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    commit: Histogram,
    batch: Histogram,
    queue: Gauge,
    wal: Gauge,
}

const COMMIT: &str = "messenger_sqlite_commit_duration_seconds";
const BATCH: &str = "messenger_sqlite_commit_writes";
const QUEUE: &str = "messenger_sqlite_waiting_writes";
const WAL: &str = "messenger_sqlite_wal_pages";

impl Metrics {
    pub(crate) fn new() -> Self {
        metrics::describe_histogram!(COMMIT, Unit::Seconds, "Duration of transactions");
        metrics::describe_histogram!(BATCH, Unit::Count, "Writes in a transaction");
        metrics::describe_gauge!(QUEUE, Unit::Count, "Writes that wait for the writer");
        metrics::describe_gauge!(WAL, Unit::Count, "Pages in the write-ahead log");
        Self {
            commit: metrics::histogram!(COMMIT),
            batch: metrics::histogram!(BATCH),
            queue: metrics::gauge!(QUEUE),
            wal: metrics::gauge!(WAL),
        }
    }

    pub(crate) fn committed(&self, duration: Duration, writes: usize) {
        self.commit.record(duration);
        self.batch.record(writes as f64);
    }

    pub(crate) fn queue(&self, waiting: usize) {
        self.queue.set(waiting as f64);
    }

    pub(crate) fn wal(&self, pages: i32) {
        self.wal.set(f64::from(pages));
    }
}
