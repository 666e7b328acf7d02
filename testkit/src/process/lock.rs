//! A lock between processes, with a time limit.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Takes the lock of a file, which is made if it is not there. Dropping the file gives it back, and
/// so does the end of the process, however it ends.
///
/// # Errors
///
/// If it is not free within `limit` (`TimedOut`).
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
                let text = format!("{} was not free within {limit:?}", path.display());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
        }
    }
}
