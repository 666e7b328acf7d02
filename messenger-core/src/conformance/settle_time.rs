//! A store with another settle time.

use std::time::Duration;

use async_trait::async_trait;

use crate::Store;
use crate::store::{Wrap, Wrapped};

/// Returns a store that states this settle time, as one that several processes write to, so that two
/// [`Messenger`](crate::Messenger)s over it are two servers.
pub fn with_settle_time<S: Store>(store: S, settle: Duration) -> Wrapped<SettleTime<S>> {
    Wrapped(SettleTime { store, settle })
}

/// A store with another settle time. See [`with_settle_time`].
#[derive(Clone, Debug)]
pub struct SettleTime<S> {
    store: S,
    settle: Duration,
}

#[async_trait]
impl<S: Store> Wrap for SettleTime<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.store
    }

    fn settle(&self) -> Duration {
        self.settle
    }
}
