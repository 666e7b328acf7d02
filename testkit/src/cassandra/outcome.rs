//! The outcome of starting the shared node, as a file for the other processes of the run.

use std::fs;
use std::io;
use std::path::Path;

use super::error::Unavailable;
use super::nodes::Nodes;

/// Writes the file completely or not at all: the writer may be killed.
pub(crate) fn write(path: &Path, outcome: &Result<Nodes, Unavailable>) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_vec(outcome)?)?;
    fs::rename(new, path)
}

/// Reads the file. Returns `None` if there is no outcome yet.
pub(crate) fn read(path: &Path) -> io::Result<Option<Result<Nodes, Unavailable>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
