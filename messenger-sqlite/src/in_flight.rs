//! The log keys of the writes that the writer has not finished.

use std::collections::BTreeMap;
use std::sync::Arc;

use messenger_core::LogKey;
use parking_lot::Mutex;

/// The log keys in flight. Two writes may have the same one. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight {
    keys: Arc<Mutex<BTreeMap<LogKey, usize>>>,
}

impl InFlight {
    /// Adds a key until the guard is dropped. The guard travels with the write, and so outlives the
    /// future of the caller.
    pub(crate) fn add(&self, key: LogKey) -> Guard {
        *self.keys.lock().entry(key).or_default() += 1;
        Guard {
            in_flight: self.clone(),
            key,
        }
    }

    /// Returns the smallest key.
    pub(crate) fn first(&self) -> Option<LogKey> {
        self.keys.lock().first_key_value().map(|(&key, _)| key)
    }
}

/// A key in flight.
#[derive(Debug)]
pub(crate) struct Guard {
    in_flight: InFlight,
    key: LogKey,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut keys = self.in_flight.keys.lock();
        if let Some(count) = keys.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                keys.remove(&self.key);
            }
        }
    }
}
