//! One node of a cluster.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::error::Unavailable;
use super::log::Log;
use super::probe;

/// The time limit of a node until it answers.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(120);

/// A process or container that runs a node.
pub(crate) trait Machine: fmt::Debug + Send + Sync {
    /// Starts it with its data. Does not wait until it answers.
    fn begin(&self) -> io::Result<()>;
    /// Returns how it ended if it is not running.
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

    /// Returns the address for clients. It stays the same when the node is restarted.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills the node like `kill -9`, and returns when it is gone. Its data stays.
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn kill(&self) -> Result<(), Unavailable> {
        Ok(self.machine.kill()?)
    }

    /// Pauses the node like SIGSTOP: its connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn pause(&self) -> Result<(), Unavailable> {
        Ok(self.machine.pause()?)
    }

    /// Resumes a paused node.
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn resume(&self) -> Result<(), Unavailable> {
        Ok(self.machine.resume()?)
    }

    /// Restarts a killed node with its data, and returns when it answers clients.
    ///
    /// # Errors
    ///
    /// If it is running, or does not answer within 120 seconds.
    pub fn start(&self) -> Result<(), Unavailable> {
        self.machine.begin()?;
        self.wait_until_ready(Instant::now() + START_LIMIT)
    }

    /// Returns whether the node answers a client within a second.
    pub fn answers(&self) -> bool {
        probe::ask(self.address, Duration::from_secs(1)).is_ok()
    }

    /// Checks that the node is running.
    ///
    /// # Errors
    ///
    /// If it has ended. The error says how, with the end of its log.
    pub fn check(&self) -> Result<(), Unavailable> {
        match self.machine.ended()? {
            Some(how) => Err(self.failure(&format!("ended ({how})"))),
            None => Ok(()),
        }
    }

    /// Returns the log of the server over all its starts, with a line like
    /// `WARN  12:00:00.000 ReadCommand - …` for each event.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
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

    /// Waits until it answers. Fails if it ends.
    pub(crate) fn wait_until_ready(&self, end: Instant) -> Result<(), Unavailable> {
        self.wait_until(end, "does not answer", |node| Ok(node.answers()))
    }

    /// Waits until its log contains `what`.
    pub(crate) fn wait_for_log(&self, end: Instant, what: &str) -> Result<(), Unavailable> {
        let lacks = format!("has not logged {what:?}");
        self.wait_until(end, &lacks, |node| Ok(node.log()?.contains(what)))
    }

    fn wait_until(
        &self,
        end: Instant,
        lacks: &str,
        condition: impl Fn(&Self) -> Result<bool, Unavailable>,
    ) -> Result<(), Unavailable> {
        loop {
            self.check()?;
            if condition(self)? {
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
