//! The stores that the suite runs on.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Error, Store};

/// Creates a store for each case.
///
/// Every `Fn() -> impl Store` is one. Implement it if creating a store is async or can fail.
#[async_trait]
pub trait StoreBuilder: Send + Sync {
    /// Creates a store for one case. Each case makes users that nobody else has, so the store may
    /// share its database with others.
    ///
    /// # Errors
    ///
    /// If no store can be created. The case then fails with this error.
    async fn build(&self) -> Result<TestStore, Error>;
}

#[async_trait]
impl<F, S> StoreBuilder for F
where
    F: Fn() -> S + Send + Sync,
    S: Store + 'static,
{
    async fn build(&self) -> Result<TestStore, Error> {
        Ok(TestStore::new(self()))
    }
}

/// A store for one case.
pub struct TestStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) other: Option<Arc<dyn Store>>,
    pub(crate) guard: Option<Box<dyn Any + Send + Sync>>,
}

impl TestStore {
    /// Creates one from a store that only this process writes to.
    pub fn new(store: impl Store + 'static) -> Self {
        Self {
            store: Arc::new(store),
            other: None,
            guard: None,
        }
    }

    /// Adds a second client of the same data, with caches and connections of its own, as another
    /// process would have it.
    #[must_use]
    pub fn with_other(mut self, other: impl Store + 'static) -> Self {
        self.other = Some(Arc::new(other));
        self
    }

    /// Keeps a value, such as a directory or a server, until the case has ended and the store is
    /// dropped.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }
}

impl fmt::Debug for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestStore")
            .field("store", &self.store)
            .field("other", &self.other)
            .finish_non_exhaustive()
    }
}
