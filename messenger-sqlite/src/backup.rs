//! Backups.

use std::fs::{self, File};
use std::path::Path;

use messenger_core::{Error, ErrorKind};

use crate::error::{Failure, Result};
use crate::files::{self, Access};

/// Writes a consistent copy of the store in a directory to a new file. A store, of this process or of
/// another one, may be using the directory.
///
/// To restore the copy, put it into an empty directory as `messenger.db`. The copy is written on a
/// thread of its own: it takes about a second for a million messages.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`] if there is no store in the directory, or if the file exists or cannot
/// be written. A file that was begun is removed.
pub async fn backup(
    directory: impl AsRef<Path>,
    file: impl AsRef<Path>,
) -> std::result::Result<(), Error> {
    let database = directory.as_ref().join(files::DATABASE);
    if !database.is_file() {
        let message = format!("there is no store in {}", directory.as_ref().display());
        return Err(Error::new(ErrorKind::Unavailable, message));
    }
    write(&database, file.as_ref()).await
}

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

/// Syncs the file and its name, so that the backup survives a power loss.
fn sync(file: &Path) -> std::io::Result<()> {
    File::options().write(true).open(file)?.sync_all()?;
    files::sync_parent(file)
}
