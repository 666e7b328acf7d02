//! The thread that moves pages from the write-ahead log into the database, so that the log stays
//! bounded and no send waits for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;
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

/// The time for which writes wait until the log can start again. A reader that takes longer, in another
/// program, lets the log grow instead.
const WAIT_FOR_READERS: Duration = Duration::from_millis(100);

/// Tells the checkpoint thread when to begin.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    begin: Sender<()>,
    log: Arc<Log>,
    metrics: Metrics,
}

/// The write-ahead log, in pages.
#[derive(Debug)]
struct Log {
    /// The length after the last commit.
    len: AtomicI32,
    /// The length at which the next checkpoint begins.
    next: AtomicI32,
    /// Held by a transaction, and while the log starts again. It is fair: SQLite's own lock goes to the
    /// next transaction before a checkpoint that waits has tried again.
    turn: Arc<Mutex<()>>,
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
        let log = Arc::new(Log {
            len: AtomicI32::new(0),
            next: AtomicI32::new(EVERY),
            turn: Arc::default(),
        });
        let checkpoints = Checkpoints {
            begin: sender,
            log: Arc::clone(&log),
            metrics,
        };
        let database = database.to_owned();
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".into())
            .spawn(move || run(&database, &receiver, &log))?;
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

    /// Returns the lock that a transaction holds, so that the log does not start again meanwhile.
    pub(crate) fn turn(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.log.turn)
    }

    fn report(&self, pages: i32) {
        self.metrics.wal(pages);
        let log = &*self.log;
        if pages <= log.len.swap(pages, Ordering::Relaxed) {
            // The log has started again.
            log.next.store(EVERY, Ordering::Relaxed);
        }
        // If one waits already, it will move these pages too.
        if pages >= log.next.load(Ordering::Relaxed) && self.begin.try_send(()).is_ok() {
            log.next.store(pages + EVERY, Ordering::Relaxed);
        }
    }
}

fn run(database: &Path, begin: &Receiver<()>, log: &Log) {
    let mut connection = None;
    for () in begin {
        if let Err(failure) = checkpoint(database, &mut connection, log) {
            let pages = log.len.load(Ordering::Relaxed);
            tracing::warn!(error = %failure, pages, "a checkpoint failed; another one begins 4 MiB later");
            connection = None;
        }
    }
}

fn checkpoint(database: &Path, connection: &mut Option<Connection>, log: &Log) -> Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        closed => {
            let connection = files::open(database, Access::Write)?;
            connection.busy_timeout(WAIT_FOR_READERS)?;
            closed.insert(connection)
        }
    };
    connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE)?;
    if log.len.load(Ordering::Relaxed) >= RESTART_AT {
        // Most pages have moved without holding anybody; only the rest is left.
        let _turn = log.turn.lock();
        connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::RESTART)?;
    }
    Ok(())
}
