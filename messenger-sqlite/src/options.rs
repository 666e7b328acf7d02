use std::time::Duration;

/// Options of a [`SqliteStore`](crate::SqliteStore).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct SqliteOptions {
    pub(crate) readers: usize,
    pub(crate) queue: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) key_retention: Duration,
}

impl SqliteOptions {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self {
            readers: 2,
            queue: 4096,
            request_timeout: Duration::from_secs(5),
            key_retention: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// Sets the number of threads that read, each with a connection (default 2, at least 1).
    pub fn with_readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Sets how many writes, and how many reads, may wait (default 4,096, at least 1). Beyond that a
    /// call fails with [`Overloaded`](messenger_core::ErrorKind::Overloaded), and a write with
    /// nothing written.
    pub fn with_queue(mut self, queue: usize) -> Self {
        self.queue = queue.max(1);
        self
    }

    /// Sets how long a call may take (default 5 s). A write that has not started by then is not
    /// applied; one that waits for its commit fails with an unknown outcome.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets how long an idempotency key is kept (default 24 hours), by the system's clock.
    pub fn with_key_retention(mut self, retention: Duration) -> Self {
        self.key_retention = retention;
        self
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self::new()
    }
}
