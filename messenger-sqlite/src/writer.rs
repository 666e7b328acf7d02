//! The thread that writes: it takes every write that waits into one transaction, and answers each
//! caller after the commit that contains its write.
//!
//! One `fsync` then serves many callers. The writer does not linger: while one commit is under way,
//! the next transaction gathers by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use messenger_core::{Error, LogKey, Outcome};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::checkpoint::Checkpoints;
use crate::error::{self, Failure, Result};
use crate::files::{self, Access};
use crate::in_flight::Guard;
use crate::metrics::Metrics;

/// The greatest number of writes in one transaction.
const MAX_BATCH: usize = 4096;

/// The queue of the writer, and its thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    timeout: Duration,
    failing: Arc<AtomicBool>,
}

/// A write that waits or runs.
trait Job: Send {
    /// Returns whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
    fn deadline(&self) -> Instant;
    /// Runs the write within a transaction. It may run again in another one.
    fn run(&mut self, connection: &Connection) -> Result<()>;
    /// Returns the log key of the write.
    fn key(&self) -> Option<LogKey>;
    /// Answers the caller, and takes the key out of flight.
    fn answer(self: Box<Self>, outcome: std::result::Result<(), Error>);
}

struct Task<T, F> {
    work: F,
    done: Option<T>,
    deadline: Instant,
    key: Option<LogKey>,
    reply: oneshot::Sender<std::result::Result<T, Error>>,
    _in_flight: Option<Guard>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn run(&mut self, connection: &Connection) -> Result<()> {
        self.done = Some((self.work)(connection)?);
        Ok(())
    }

    fn key(&self) -> Option<LogKey> {
        self.key
    }

    fn answer(self: Box<Self>, outcome: std::result::Result<(), Error>) {
        let result = match (outcome, self.done) {
            (Ok(()), Some(done)) => Ok(done),
            (Ok(()), None) => Err(error::closed()),
            (Err(error), _) => Err(error),
        };
        // The caller may be gone.
        let _ = self.reply.send(result);
    }
}

impl Writer {
    pub(crate) fn start(
        database: &Path,
        queue: usize,
        timeout: Duration,
        checkpoints: Checkpoints,
        metrics: Metrics,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = crossbeam_channel::bounded(queue);
        let failing = Arc::new(AtomicBool::new(false));
        let mut worker = Worker {
            database: database.to_owned(),
            connection: None,
            checkpoints,
            metrics,
            failing: Arc::clone(&failing),
        };
        let thread = std::thread::Builder::new()
            .name("sqlite-write".into())
            .spawn(move || worker.run(&receiver))?;
        Ok(Self {
            queue: Some(sender),
            thread: Some(thread),
            timeout,
            failing,
        })
    }

    /// Returns whether the last transaction failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// Runs a write, and returns after the commit that contains it.
    ///
    /// If the future is dropped before the write has started, it does not run; afterwards it commits
    /// all the same, and `in_flight` is held until then.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        in_flight: Option<(LogKey, Guard)>,
        work: impl FnMut(&Connection) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let (key, guard) = in_flight.unzip();
        let task = Task {
            work,
            done: None,
            deadline: Instant::now() + self.timeout,
            key,
            reply,
            _in_flight: guard,
        };
        let queue = self.queue.as_ref().ok_or_else(error::closed)?;
        queue
            .try_send(Box::new(task))
            .map_err(|error| match error {
                TrySendError::Full(_) => error::queue_full(),
                TrySendError::Disconnected(_) => error::closed(),
            })?;
        // The writer itself answers jobs that it did not start in time. This time limit is for an
        // fsync that hangs, so it leaves the writer its turn first.
        match tokio::time::timeout(self.timeout * 2, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(error::closed()),
            Err(_) => Err(error::no_answer()),
        }
    }

    /// Finishes the writes that wait, and ends the thread.
    pub(crate) fn stop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Worker {
    database: PathBuf,
    /// `None` before the first write, and after an error that breaks a connection.
    connection: Option<Connection>,
    checkpoints: Checkpoints,
    metrics: Metrics,
    failing: Arc<AtomicBool>,
}

impl Worker {
    fn run(&mut self, jobs: &Receiver<Box<dyn Job>>) {
        for first in jobs {
            let waiting = jobs.try_iter().take(MAX_BATCH - 1);
            let batch: Vec<_> = std::iter::once(first).chain(waiting).collect();
            self.metrics.queue(jobs.len());
            self.write(batch);
        }
    }

    fn write(&mut self, jobs: Vec<Box<dyn Job>>) {
        let now = Instant::now();
        let mut batch = Vec::with_capacity(jobs.len());
        for job in jobs {
            if job.is_abandoned() {
                continue;
            }
            if job.deadline() <= now {
                job.answer(Err(error::not_started()));
            } else {
                batch.push(job);
            }
        }
        if batch.is_empty() {
            return;
        }
        self.commit(batch);
    }

    /// Commits a batch and answers its callers. A write that cannot be done must not fail the others:
    /// each half gets a transaction, until that write is alone.
    fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) {
        match self.transaction(&mut batch) {
            Err((_, Outcome::NotApplied)) if batch.len() > 1 => {
                let other = batch.split_off(batch.len() / 2);
                self.commit(batch);
                self.commit(other);
            }
            result => self.answer(batch, result),
        }
    }

    fn answer(
        &self,
        batch: Vec<Box<dyn Job>>,
        result: std::result::Result<(), (Failure, Outcome)>,
    ) {
        self.failing.store(result.is_err(), Ordering::Release);
        let failed = result.err().map(|(failure, outcome)| {
            tracing::error!(error = %failure, ?outcome, writes = batch.len(), "a transaction failed");
            let error = failure.into_error();
            (error.kind(), error.message().to_owned(), outcome)
        });
        for job in batch {
            job.answer(match &failed {
                None => Ok(()),
                Some((kind, message, outcome)) => {
                    Err(Error::new(*kind, message.clone()).with_outcome(*outcome))
                }
            });
        }
    }

    /// Runs writes in one transaction.
    fn transaction(
        &mut self,
        batch: &mut [Box<dyn Job>],
    ) -> std::result::Result<(), (Failure, Outcome)> {
        let turn = self.checkpoints.turn();
        let turn = turn.lock();
        let start = Instant::now();
        let result = self.attempt(batch);
        drop(turn);
        match &result {
            Ok(()) => self.metrics.committed(start.elapsed(), batch.len()),
            Err((failure, outcome)) => {
                // After an error in COMMIT nobody knows, and a connection that saw an I/O error is
                // not trusted. A new connection recovers from what the disk holds.
                if *outcome == Outcome::Unknown || failure.breaks_connection() {
                    self.connection = None;
                }
            }
        }
        result
    }

    fn attempt(
        &mut self,
        batch: &mut [Box<dyn Job>],
    ) -> std::result::Result<(), (Failure, Outcome)> {
        let not_applied = |failure| (failure, Outcome::NotApplied);
        let connection = self.connection().map_err(not_applied)?;
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|error| not_applied(error.into()))?;
        let run = run(connection, batch);
        if let Err(failure) = run {
            // Some errors have rolled back already.
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::warn!(%error, "a rollback failed; the connection is opened again");
                self.connection = None;
            }
            return Err(not_applied(failure));
        }
        connection
            .execute_batch("COMMIT")
            .map_err(|error| (error.into(), Outcome::Unknown))
    }

    fn connection(&mut self) -> Result<&Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            closed => {
                let mut connection = files::open(&self.database, Access::Write)?;
                self.checkpoints.follow(&mut connection)?;
                Ok(closed.insert(connection))
            }
        }
    }
}

fn run(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<()> {
    let mut newest = None;
    for job in batch.iter_mut() {
        job.run(connection)?;
        newest = newest.max(job.key());
    }
    if let Some(newest) = newest {
        connection
            .prepare_cached(
                "INSERT INTO newest (id, log_key) VALUES (1, ?1)
                 ON CONFLICT (id) DO UPDATE SET log_key = max(log_key, excluded.log_key)",
            )?
            .execute(params![newest.as_uuid()])?;
    }
    Ok(())
}

/// Returns the greatest log key ever written.
pub(crate) fn newest(connection: &Connection) -> Result<Option<Uuid>> {
    let newest = connection
        .query_row("SELECT log_key FROM newest", (), |row| row.get(0))
        .optional()?;
    Ok(newest)
}
