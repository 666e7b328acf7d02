//! The two sides of a comparison.

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;

/// One side: something that can be done again and again.
#[async_trait]
pub trait Side: Send + Sync + 'static {
    /// Does it so many times, one after the other. Whoever wants several at once calls this
    /// several times at once.
    ///
    /// A side checks what it gets (the number of rows, the status), so that nothing is fast by
    /// failing.
    async fn run(&self, times: u64) -> Result<()>;
}

/// The messenger and the baseline that does the same.
#[derive(Clone)]
pub struct Pair {
    /// What is done and on how much, such as `memory/history/first/1000`: subject, list, page,
    /// size.
    pub name: String,
    /// What is measured.
    pub subject: Arc<dyn Side>,
    /// What it is measured against.
    pub baseline: Arc<dyn Side>,
}

impl Pair {
    /// A pair under this name.
    pub fn new(name: impl Into<String>, subject: impl Side, baseline: impl Side) -> Self {
        Self {
            name: name.into(),
            subject: Arc::new(subject),
            baseline: Arc::new(baseline),
        }
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
