//! The directory of a store: its files, its lock, and the check that the database is ours.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use messenger_core::{Error, ErrorKind};
use rusqlite::{Connection, OpenFlags};

use crate::error::{Failure, Result};
use crate::schema;

/// The name of the database in the directory.
pub(crate) const DATABASE: &str = "messenger.db";

/// The name of the lock file. It is apart from the database: closing any file handle of the database
/// would drop the locks that SQLite holds on it (POSIX advisory locks).
const LOCK: &str = "messenger.lock";

/// A directory that this process alone has open.
#[derive(Debug)]
pub(crate) struct Directory {
    database: PathBuf,
    /// Holds the lock until it is dropped.
    _lock: File,
}

impl Directory {
    /// Opens a directory, creates it if it does not exist, and locks it.
    pub(crate) fn open(path: &Path) -> std::result::Result<Self, Error> {
        let failed = |what: &str, error: io::Error| {
            let message = format!("cannot {what} {}: {error}", path.display());
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        };
        create_directory(path).map_err(|error| failed("create the directory", error))?;
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))
            .map_err(|error| failed("create a file in", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    format!(
                        "another process has {} open; a store serves one process",
                        path.display()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
        }
        Ok(Self {
            database: path.join(DATABASE),
            _lock: lock,
        })
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// Checks that the database is ours and not newer, and brings its tables up to date. Nothing is
    /// written to a file that is not ours.
    pub(crate) fn prepare(&self) -> std::result::Result<(), Error> {
        self.check_header()?;
        let described = |failure: Failure| {
            let error = failure.into_error();
            let message = format!(
                "cannot open {}: {}",
                self.database.display(),
                error.message()
            );
            Error::new(error.kind(), message).with_source(error)
        };
        let mut connection = connect(&self.database, Access::Write).map_err(described)?;
        let version = self.check_identity(&connection)?;
        configure(&connection, Access::Write).map_err(described)?;
        schema::migrate(&mut connection, version).map_err(described)
    }

    /// Checks the first bytes of the file before SQLite opens it, because SQLite takes some damage
    /// for an empty database.
    fn check_header(&self) -> std::result::Result<(), Error> {
        /// Every SQLite database begins with these bytes (SQLite file format, section 1.3).
        const MAGIC: &[u8; 16] = b"SQLite format 3\0";
        let Ok(mut file) = File::open(&self.database) else {
            // It does not exist, or SQLite reports the cause.
            return Ok(());
        };
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        let mut header = [0; 32];
        // While SQLite creates the file, before there is a write-ahead log, a crash may leave a part of
        // its first page. SQLite then restores it from the rollback journal.
        if size == 0 || self.has_beside("db-journal") {
            return Ok(());
        }
        if file.read_exact(&mut header).is_err() || header[..16] != *MAGIC {
            return Err(self.refuse("is not a database of messenger-sqlite"));
        }
        let page_size = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
            1 => 65_536,
            size => size,
        };
        let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
        // With a write-ahead log the file may be shorter than its header says, until a checkpoint.
        if !self.has_beside("db-wal") && size < u64::from(pages) * page_size {
            return Err(self.refuse("is truncated; restore it from a backup"));
        }
        Ok(())
    }

    /// Returns whether the database has a file of this extension beside it that is not empty.
    fn has_beside(&self, extension: &str) -> bool {
        let file = self.database.with_extension(extension);
        fs::metadata(file).is_ok_and(|metadata| metadata.len() > 0)
    }

    fn check_identity(&self, connection: &Connection) -> std::result::Result<usize, Error> {
        let pragma = |name| {
            let value = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            value.map_err(|error| {
                self.refuse("is not a database of messenger-sqlite, or is damaged")
                    .with_source(error)
            })
        };
        let tables = connection
            .query_row("SELECT count(*) FROM sqlite_schema", (), |row| {
                row.get::<_, i64>(0)
            })
            .map_err(|error| self.refuse("is damaged").with_source(error))?;
        if tables == 0 {
            return Ok(0);
        }
        if pragma("application_id")? != i64::from(schema::APPLICATION_ID) {
            return Err(self.refuse("is a database of another program"));
        }
        let version = usize::try_from(pragma("user_version")?).unwrap_or(usize::MAX);
        if version > schema::VERSION {
            return Err(self.refuse("was written by a newer version of messenger-sqlite"));
        }
        Ok(version)
    }

    fn refuse(&self, what: &str) -> Error {
        Error::new(
            ErrorKind::Corrupt,
            format!("{} {what}", self.database.display()),
        )
    }
}

/// Creates a directory and its parents if they do not exist. Their names are on the disk when this
/// returns.
fn create_directory(path: &Path) -> io::Result<()> {
    let parents = path.ancestors().take_while(|it| *it != Path::new(""));
    let new: Vec<&Path> = parents.take_while(|it| !it.exists()).collect();
    fs::create_dir_all(path)?;
    new.into_iter().rev().try_for_each(sync_parent)
}

/// Syncs the directory that has the name of this file or directory, so that the name survives a power
/// loss. Only on Unix: Windows does not open directories as files.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    File::open(parent)?.sync_all()
}

/// The access of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Opens a connection of the store.
pub(crate) fn open(database: &Path, access: Access) -> Result<Connection> {
    let connection = connect(database, access)?;
    configure(&connection, access)?;
    Ok(connection)
}

fn connect(database: &Path, access: Access) -> Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if access == Access::Write {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    Ok(Connection::open_with_flags(database, flags)?)
}

fn configure(connection: &Connection, access: Access) -> Result<()> {
    // Other programs may write too. The writer waits longer than a reader.
    let wait = match access {
        Access::Read => Duration::from_secs(1),
        Access::Write => Duration::from_secs(5),
    };
    connection.busy_timeout(wait)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A commit is on the disk before it is acknowledged.
    connection.pragma_update(None, "synchronous", "full")?;
    // Deleted text is overwritten where that costs no further I/O.
    connection.pragma_update(None, "secure_delete", "fast")?;
    connection.pragma_update(None, "query_only", access == Access::Read)?;
    // The checkpoint thread does it.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}
