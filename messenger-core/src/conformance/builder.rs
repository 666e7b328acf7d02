//! How the suite comes by a store.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Error, Store};

/// Makes a store for each case.
///
/// Any `Fn() -> impl Store` is one. Implement it where making a store is async or may fail.
#[async_trait]
pub trait StoreBuilder: Send + Sync {
    /// A store for one case.
    ///
    /// Cases make users that nobody else has, so it may share its database with others.
    ///
    /// # Errors
    ///
    /// When there is no store to be had; the case fails with it.
    async fn build(&self) -> Result<Fresh, Error>;
}

#[async_trait]
impl<F, S> StoreBuilder for F
where
    F: Fn() -> S + Send + Sync,
    S: Store + 'static,
{
    async fn build(&self) -> Result<Fresh, Error> {
        Ok(Fresh::new(self()))
    }
}

/// A store for one case, and what must live as long.
pub struct Fresh {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) other: Option<Arc<dyn Store>>,
    pub(crate) guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Fresh {
    /// A store that only this process writes.
    pub fn new(store: impl Store + 'static) -> Self {
        Self {
            store: Arc::new(store),
            other: None,
            guard: None,
        }
    }

    /// A second client of the same data, as another process would have it, with caches and
    /// connections of its own.
    #[must_use]
    pub fn with_other(mut self, other: impl Store + 'static) -> Self {
        self.other = Some(Arc::new(other));
        self
    }

    /// Keeps this until the case has ended and the store is dropped: a directory, a server.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh")
            .field("store", &self.store)
            .field("other", &self.other)
            .finish_non_exhaustive()
    }
}
