//! One node of a cluster.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{error::Unavailable, log::Log, probe};

/// How long a node may take until it answers.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(120);

/// What starts and stops a node: a process or a container.
pub(crate) trait Machine: fmt::Debug + Send + Sync {
    /// Starts it, with the data that it has; does not wait until it answers.
    fn begin(&self) -> io::Result<()>;
    /// How it ended, if it does not run.
    fn ended(&self) -> io::Result<Option<String>>;
    fn kill(&self) -> io::Result<()>;
    fn pause(&self) -> io::Result<()>;
    fn resume(&self) -> io::Result<()>;
    fn log(&self) -> Log;
}

/// One node of a [`Cluster`](super::Cluster). All its methods block.
#[derive(Debug)]
pub struct Node {
    address: SocketAddr,
    machine: Box<dyn Machine>,
}

impl Node {
    pub(crate) fn new(address: SocketAddr, machine: Box<dyn Machine>) -> Self {
        Self { address, machine }
    }

    /// Where clients connect to; it stays the same when the node is started again.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the node as `kill -9` does, and returns when it is gone. Its data stays.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn kill(&self) -> Result<(), Unavailable> {
        Ok(self.machine.kill()?)
    }

    /// Stops the node as SIGSTOP does: its connections stay open and nobody answers.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn pause(&self) -> Result<(), Unavailable> {
        Ok(self.machine.pause()?)
    }

    /// Lets a paused node go on.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn resume(&self) -> Result<(), Unavailable> {
        Ok(self.machine.resume()?)
    }

    /// Starts a killed node again with its data, and returns when it answers clients.
    ///
    /// # Errors
    ///
    /// If it runs, or does not answer within 120 seconds.
    pub fn start(&self) -> Result<(), Unavailable> {
        self.machine.begin()?;
        self.wait_until_ready(Instant::now() + START_LIMIT)
    }

    /// Whether the node answers a client within a second.
    pub fn answers(&self) -> bool {
        probe::ask(self.address, Duration::from_secs(1)).is_ok()
    }

    /// Nothing, as long as the node has not ended by itself or by [`Self::kill`].
    ///
    /// # Errors
    ///
    /// How it ended, with the end of its log.
    pub fn check(&self) -> Result<(), Unavailable> {
        match self.machine.ended()? {
            Some(how) => Err(self.failure(&format!("ended ({how})"))),
            None => Ok(()),
        }
    }

    /// All that the server has logged so far, over all its starts, a line like
    /// `WARN  12:00:00.000 ReadCommand - …` for each event.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn log(&self) -> Result<String, Unavailable> {
        Ok(self.machine.log().read()?)
    }

    /// Returns the directory with all files of the node; `None` if they are in a container.
    pub fn dir(&self) -> Option<PathBuf> {
        match self.machine.log() {
            Log::File(log) => log.parent().map(Path::to_owned),
            Log::Container(_) => None,
        }
    }

    /// Waits until it answers, unless it ends before.
    pub(crate) fn wait_until_ready(&self, end: Instant) -> Result<(), Unavailable> {
        self.wait_until(end, "does not answer", |node| Ok(node.answers()))
    }

    /// Waits until its log says `what`.
    pub(crate) fn wait_for_log(&self, end: Instant, what: &str) -> Result<(), Unavailable> {
        let lacks = format!("has not logged {what:?}");
        self.wait_until(end, &lacks, |node| Ok(node.log()?.contains(what)))
    }

    fn wait_until(
        &self,
        end: Instant,
        lacks: &str,
        is_so: impl Fn(&Self) -> Result<bool, Unavailable>,
    ) -> Result<(), Unavailable> {
        loop {
            self.check()?;
            if is_so(self)? {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(self.failure(&format!("{lacks} in time")));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn failure(&self, what: &str) -> Unavailable {
        let tail = self.machine.log().tail();
        Unavailable::broken(format!(
            "the node at {} {what}; its log ends:\n{tail}",
            self.address
        ))
    }

    pub(crate) fn log_place(&self) -> Log {
        self.machine.log()
    }
}
