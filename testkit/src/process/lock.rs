//! A lock between processes, with a time limit.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Locks a file, and creates it if it does not exist. Dropping the file unlocks it, and so does the
/// end of the process, however it ends.
///
/// # Errors
///
/// If the file is still locked after `limit` (`TimedOut`).
pub(crate) fn take(path: &Path, limit: Duration) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    let end = Instant::now() + limit;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                thread::sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => {
                let text = format!("{} is still locked after {limit:?}", path.display());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
        }
    }
}
