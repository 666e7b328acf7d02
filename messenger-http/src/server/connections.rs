//! The connections that are open: their number is limited, and idle ones make room for new ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::activity::Activity;
use crate::metrics;

/// A connection is not replaced before it has waited this long: time for a request that is on its
/// way to arrive.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// While no connection can be replaced, they are looked at again after this time.
const RETRY: Duration = Duration::from_millis(100);

/// The open connections of one listener.
#[derive(Debug)]
pub(super) struct Connections {
    permits: Arc<Semaphore>,
    /// By the address of the activity, which is unique while the connection is open.
    open: Mutex<HashMap<usize, Arc<Activity>>>,
}

impl Connections {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))),
            open: Mutex::default(),
        })
    }

    /// Waits for a place for one more connection. If there is none, the connection that has waited
    /// longest for its client gives up its place.
    pub(super) async fn admit(self: &Arc<Self>) -> Open {
        loop {
            if let Some(open) = self.try_admit() {
                return open;
            }
            self.evict_longest_waiting();
            let permit = Arc::clone(&self.permits).acquire_owned();
            if let Ok(Ok(permit)) = timeout(RETRY, permit).await {
                return Open::new(self, permit);
            }
        }
    }

    /// Returns a place for one more connection if one is free.
    pub(super) fn try_admit(self: &Arc<Self>) -> Option<Open> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(Open::new(self, permit))
    }

    /// Returns the number of connections with a request in progress.
    pub(super) fn in_progress(&self) -> usize {
        let open = self.open();
        open.values()
            .filter(|activity| activity.state().is_in_progress())
            .count()
    }

    fn evict_longest_waiting(&self) {
        let open = self.open();
        let longest = open
            .values()
            .filter(|activity| !activity.is_evicted())
            .map(|activity| (activity.state_since(), activity))
            .filter(|((state, _), _)| state.may_be_evicted())
            .map(|((_, since), activity)| (since, activity))
            .filter(|(since, _)| *since + MIN_WAIT <= Instant::now())
            .min_by_key(|(since, _)| *since);
        if let Some((_, activity)) = longest {
            activity.evict();
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<usize, Arc<Activity>>> {
        // Nothing panics while it holds the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of an open connection. Dropping it gives the place to another one.
#[derive(Debug)]
pub(super) struct Open {
    connections: Arc<Connections>,
    activity: Arc<Activity>,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn new(connections: &Arc<Connections>, permit: OwnedSemaphorePermit) -> Self {
        let open = Self {
            connections: Arc::clone(connections),
            activity: Arc::new(Activity::new()),
            _permit: permit,
        };
        let activity = Arc::clone(&open.activity);
        connections.open().insert(open.key(), activity);
        metrics::connections(1.0);
        open
    }

    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    fn key(&self) -> usize {
        Arc::as_ptr(&self.activity).addr()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connections.open().remove(&self.key());
        metrics::connections(-1.0);
    }
}
