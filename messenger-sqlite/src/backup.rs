//! Backups.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use messenger_core::{Error, ErrorKind};

use crate::error::{Failure, Result};
use crate::files::{self, Access};

/// Writes a consistent copy of a database to a new file. It runs on a thread of its own, because it
/// takes about a second for a million messages.
pub(crate) async fn write(database: &Path, file: &Path) -> std::result::Result<(), Error> {
    let (database, file) = (database.to_owned(), file.to_owned());
    let (reply, answer) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("sqlite-backup".into())
        .spawn(move || {
            // The caller may be gone.
            let _ = reply.send(copy(&database, &file));
        })
        .map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cannot start a thread").with_source(error)
        })?;
    answer.await.unwrap_or_else(|_| Err(crate::error::closed()))
}

fn copy(database: &Path, file: &Path) -> std::result::Result<(), Error> {
    let failed = |what: &str, source: Box<dyn std::error::Error + Send + Sync>| {
        let message = format!("cannot {what} {}: {source}", file.display());
        Error::new(ErrorKind::Unavailable, message).with_source(source)
    };
    // Created here, so that a file that exists is never overwritten.
    File::create_new(file).map_err(|error| failed("create", error.into()))?;
    let written = vacuum_into(database, file)
        .map_err(|failure| failed("write", failure.into()))
        .and_then(|()| sync(file).map_err(|error| failed("sync", error.into())));
    if written.is_err() {
        // What is left of it is of no use.
        let _ = fs::remove_file(file);
    }
    written
}

fn vacuum_into(database: &Path, file: &Path) -> Result<()> {
    let target = file
        .to_str()
        .ok_or(Failure::Corrupt("the path must be UTF-8"))?;
    // A connection that only queries may not write the copy either.
    let connection = files::open(database, Access::Write)?;
    // It reads one snapshot of the database. It accepts an existing file only if it is empty, which ours is.
    connection.execute("VACUUM INTO ?1", [target])?;
    Ok(())
}

/// Syncs the file and its directory, so that the backup survives a power loss.
fn sync(file: &Path) -> std::io::Result<()> {
    File::options().write(true).open(file)?.sync_all()?;
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    File::open(directory)?.sync_all()
}
