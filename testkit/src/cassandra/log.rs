//! Where a node's log is.

use std::{fs, io, path::PathBuf, process::Command, time::Duration};

use crate::process::limited;

/// Where a node's log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// What the process wrote to stdout and stderr, over all its starts.
    File(PathBuf),
    /// The same of a container, by its name.
    Container(String),
}

impl Log {
    /// The whole log.
    pub(crate) fn read(&self) -> io::Result<String> {
        match self {
            Self::File(path) => Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned()),
            Self::Container(name) => {
                let mut command = Command::new("docker");
                command.args(["logs", name]);
                limited::run(&mut command, Duration::from_secs(30))?.success("docker logs")
            }
        }
    }

    /// Its last lines, for an error.
    pub(crate) fn tail(&self) -> String {
        match self.read() {
            Ok(log) => limited::tail(&log, 25),
            Err(error) => format!("(its log cannot be read: {error})"),
        }
    }
}
