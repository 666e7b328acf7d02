//! The failures of SQLite, as the errors of the messenger.

use messenger_core::{Error, ErrorKind, Outcome};
use rusqlite::ErrorCode;

/// The result of work on a connection.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A failure of work on a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A row that this crate did not write, or not like this.
    #[error("{0}")]
    Corrupt(&'static str),
}

impl Failure {
    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            Self::Corrupt(_) => None,
        }
    }

    /// Returns whether the connection should be opened again before it is used further.
    pub(crate) fn breaks_connection(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly
            )
        )
    }

    pub(crate) fn into_error(self) -> Error {
        let (kind, message) = self.describe();
        Error::new(kind, message).with_source(self)
    }

    fn describe(&self) -> (ErrorKind, &'static str) {
        let Some(code) = self.code() else {
            return match self {
                // Rows that rusqlite cannot convert have no code either.
                Self::Corrupt(_) | Self::Sqlite(_) => {
                    (ErrorKind::Corrupt, "a stored row cannot be decoded")
                }
            };
        };
        match code {
            ErrorCode::DiskFull => (
                ErrorKind::Unavailable,
                "the disk is full; writing resumes when there is space",
            ),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => (
                ErrorKind::Unavailable,
                "the database cannot be written to; check its permissions and the mount",
            ),
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => {
                (ErrorKind::Unavailable, "the disk reported an I/O error")
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
                ErrorKind::Unavailable,
                "the database is locked; is another program writing to it?",
            ),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                (ErrorKind::Corrupt, "the database file is damaged")
            }
            ErrorCode::OutOfMemory => (ErrorKind::Overloaded, "SQLite is out of memory"),
            _ => (ErrorKind::Internal, "an SQL statement failed"),
        }
    }
}

/// The error of a call that found the queue full.
pub(crate) fn queue_full() -> Error {
    Error::new(
        ErrorKind::Overloaded,
        "too many calls wait for the database; try again later",
    )
    .with_outcome(Outcome::NotApplied)
}

/// The error of a call that was not started in time.
pub(crate) fn not_started() -> Error {
    Error::new(ErrorKind::Timeout, "the call waited too long to be started")
        .with_outcome(Outcome::NotApplied)
}

/// The error of a call whose answer did not come in time.
pub(crate) fn no_answer() -> Error {
    Error::new(ErrorKind::Timeout, "the database did not answer in time")
        .with_outcome(Outcome::Unknown)
}

/// The error of a call after a thread of the store has ended.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store was closed").with_outcome(Outcome::Unknown)
}
