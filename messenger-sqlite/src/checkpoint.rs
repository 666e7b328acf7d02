//! The thread that moves pages from the write-ahead log into the database, so that the log stays
//! bounded and no send waits for it.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

use crate::error::Result;
use crate::files::{self, Access};
use crate::metrics::Metrics;

/// The size of the write-ahead log, in pages, at which a checkpoint begins: 4 MiB of 4 KiB pages.
const BEGIN_AT: i32 = 1_024;

/// The size at which a checkpoint waits for readers and holds new writes until it is done, so that
/// the log starts again from its beginning: 16 MiB. Under a load that never pauses a passive
/// checkpoint does not get that far, because new pages arrive while it runs.
const RESTART_AT: i32 = 4_096;

/// Tells the checkpoint thread how long the log is.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    pages: Sender<i32>,
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
        let database = database.to_owned();
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".into())
            .spawn(move || run(database, &receiver))?;
        let checkpoints = Checkpoints {
            pages: sender,
            metrics,
        };
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
        if pages >= BEGIN_AT {
            // If one waits already, it will move these pages too.
            let _ = self.pages.try_send(pages);
        }
    }
}

fn run(database: PathBuf, pages: &Receiver<i32>) {
    let mut connection = None;
    for pages in pages {
        if let Err(failure) = checkpoint(&database, &mut connection, pages) {
            tracing::warn!(error = %failure, pages, "a checkpoint failed; the next commit tries again");
            connection = None;
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
