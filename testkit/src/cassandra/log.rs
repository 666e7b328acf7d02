//! The log of a node.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process::limited;

/// The place of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Log {
    /// A file with the stdout and stderr of a process, over all its starts.
    File(PathBuf),
    /// The log of a container, by its name.
    Container(String),
}

impl Log {
    /// Reads the whole log.
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

    /// Returns its last lines, for an error.
    pub(crate) fn tail(&self) -> String {
        match self.read() {
            Ok(log) => limited::tail(&log, 25),
            Err(error) => format!("(its log cannot be read: {error})"),
        }
    }
}
