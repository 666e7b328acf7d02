//! The threads that read, each with a connection of its own. They never block the writer.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use messenger_core::Error;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{self, Result};
use crate::files::{self, Access};

type Job = Box<dyn FnOnce(&mut Reader) + Send>;

/// The pool of reading threads.
#[derive(Debug)]
pub(crate) struct Readers {
    queue: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    timeout: Duration,
}

/// One thread's connection.
struct Reader {
    database: PathBuf,
    connection: Option<Connection>,
}

impl Readers {
    pub(crate) fn start(
        database: &Path,
        threads: usize,
        queue: usize,
        timeout: Duration,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = crossbeam_channel::bounded(queue);
        let threads = (0..threads)
            .map(|number| {
                let reader = Reader {
                    database: database.to_owned(),
                    connection: None,
                };
                let receiver = receiver.clone();
                std::thread::Builder::new()
                    .name(format!("sqlite-read-{number}"))
                    .spawn(move || run(reader, &receiver))
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self {
            queue: Some(sender),
            threads,
            timeout,
        })
    }

    /// Runs a read on one of the threads. If the future is dropped before the read begins, it does
    /// not run.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + self.timeout;
        let job = Box::new(move |reader: &mut Reader| {
            if reply.is_closed() {
                return;
            }
            let result = if Instant::now() >= deadline {
                Err(error::not_started())
            } else {
                reader.read(work)
            };
            // The caller may be gone.
            let _ = reply.send(result);
        });
        let queue = self.queue.as_ref().ok_or_else(error::closed)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => error::queue_full(),
            TrySendError::Disconnected(_) => error::closed(),
        })?;
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(error::closed()),
            Err(_) => Err(error::no_answer()),
        }
    }

    pub(crate) fn stop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn run(mut reader: Reader, jobs: &Receiver<Job>) {
    for job in jobs {
        job(&mut reader);
    }
}

impl Reader {
    fn read<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> std::result::Result<T, Error> {
        let result = self.connection().and_then(work);
        if result
            .as_ref()
            .is_err_and(error::Failure::breaks_connection)
        {
            self.connection = None;
        }
        result.map_err(error::Failure::into_error)
    }

    fn connection(&mut self) -> Result<&Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            closed => Ok(closed.insert(files::open(&self.database, Access::Read)?)),
        }
    }
}
