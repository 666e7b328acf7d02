//! The thread that moves pages from the write-ahead log into the database, so that the log stays
//! bounded and no send waits for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

use crate::error::Result;
use crate::files::{self, Access};
use crate::metrics::Metrics;

/// A checkpoint begins whenever the write-ahead log has grown by this number of pages: 4 MiB of 4 KiB
/// pages. One after each commit would write and sync the same pages of the database over and over.
const EVERY: i32 = 1_024;

/// The size at which a checkpoint waits for readers and holds new writes until it is done, so that
/// the log starts again from its beginning: 16 MiB. Under a load that never pauses a passive
/// checkpoint does not get that far, because new pages arrive while it runs.
const RESTART_AT: i32 = 4 * EVERY;

/// Tells the checkpoint thread how long the log is.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    pages: Sender<i32>,
    /// The length of the log at which the next checkpoint begins.
    next: Arc<AtomicI32>,
    metrics: Metrics,
}

/// The checkpoint thread.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(crate) fn start(database: &Path, metrics: Metrics) -> std::io::Result<(Self, Checkpoints)> {
        // One place is enough: a checkpoint moves all pages there are.
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let next = Arc::new(AtomicI32::new(EVERY));
        let checkpoints = Checkpoints {
            pages: sender,
            next: Arc::clone(&next),
            metrics,
        };
        let database = database.to_owned();
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".into())
            .spawn(move || run(&database, &receiver, &next))?;
        Ok((
            Self {
                thread: Some(thread),
            },
            checkpoints,
        ))
    }

    /// Waits for the thread, which ends when the last [`Checkpoints`] is dropped.
    pub(crate) fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Checkpoints {
    /// Has a connection report the length of the log after each of its commits.
    pub(crate) fn follow(&self, connection: &mut Connection) -> Result<()> {
        let checkpoints = self.clone();
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            checkpoints.report(pages);
            Ok(())
        }))?;
        Ok(())
    }

    fn report(&self, pages: i32) {
        self.metrics.wal(pages);
        if pages < EVERY {
            // The log has started again.
            self.next.store(EVERY, Ordering::Relaxed);
        } else if pages >= self.next.load(Ordering::Relaxed) {
            // If one waits already, it will move these pages too.
            let _ = self.pages.try_send(pages);
        }
    }
}

fn run(database: &Path, pages: &Receiver<i32>, next: &AtomicI32) {
    let mut connection = None;
    for pages in pages {
        match checkpoint(database, &mut connection, pages) {
            Ok(()) => next.store(pages + EVERY, Ordering::Relaxed),
            Err(failure) => {
                tracing::warn!(error = %failure, pages, "a checkpoint failed; the next commit tries again");
                connection = None;
            }
        }
    }
}

fn checkpoint(database: &Path, connection: &mut Option<Connection>, pages: i32) -> Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        closed => closed.insert(files::open(database, Access::Write)?),
    };
    connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE)?;
    if pages >= RESTART_AT {
        // Most pages have moved without holding anybody; only the rest is left.
        connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::RESTART)?;
    }
    Ok(())
}
