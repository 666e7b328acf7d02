//! Workloads, pairs of them, and the amounts of data to measure with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;

/// Work that can be done any number of times.
#[async_trait]
pub trait Workload: Send + Sync + 'static {
    /// Prepares what the next `times` calls consume, over all concurrent runs together. It is not
    /// measured and is called before the runs.
    async fn prepare(&self, _times: u64) -> Result<()> {
        Ok(())
    }

    /// Makes `times` calls, one after the other. Concurrent runs make concurrent calls.
    ///
    /// A workload checks what it gets back (the rows, the status), so that a failure is never
    /// mistaken for speed.
    async fn run(&self, times: u64) -> Result<()>;

    /// Returns the CPU time of the server's thread so far, or `None` without a server in this
    /// process.
    fn server_time(&self) -> Option<Duration> {
        None
    }
}

/// The messenger and a baseline that does the same work.
#[derive(Clone)]
pub struct Pair {
    /// The name, such as `memory/history/first/1000`: subject, list, page, size.
    pub name: String,
    /// The messenger.
    pub subject: Arc<dyn Workload>,
    /// The baseline.
    pub baseline: Arc<dyn Workload>,
    /// The numbers of concurrent calls to measure with; one call at a time by default.
    pub concurrency: Vec<usize>,
    /// The smallest acceptable ratio.
    pub goal: Option<f64>,
}

impl Pair {
    /// Creates a pair.
    pub fn new(name: impl Into<String>, subject: impl Workload, baseline: impl Workload) -> Self {
        Self {
            name: name.into(),
            subject: Arc::new(subject),
            baseline: Arc::new(baseline),
            concurrency: vec![1],
            goal: None,
        }
    }

    /// Sets the numbers of concurrent calls to measure with.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: impl Into<Vec<usize>>) -> Self {
        self.concurrency = concurrency.into();
        self
    }

    /// Sets the smallest acceptable ratio.
    #[must_use]
    pub fn with_goal(mut self, goal: impl Into<Option<f64>>) -> Self {
        self.goal = goal.into();
        self
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("name", &self.name)
            .field("concurrency", &self.concurrency)
            .field("goal", &self.goal)
            .finish_non_exhaustive()
    }
}

/// The amounts of data that are paged.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// The lengths of histories in ascending order. Each is longer than two pages.
    pub histories: &'static [usize],
    /// The numbers of conversations in an inbox in ascending order. None is less than two.
    pub inboxes: &'static [usize],
    /// The number of conversations that are read and written to at random.
    pub conversations: usize,
    /// The two histories whose pages are compared with each other.
    pub flat_histories: [usize; 2],
    /// The two inboxes whose pages are compared with each other.
    pub flat_inboxes: [usize; 2],
}

#[cfg(test)]
impl Sizes {
    /// Enough for each kind of page.
    pub(crate) const SMALL: Self = Self {
        histories: &[50, 200],
        inboxes: &[10, 50],
        conversations: 20,
        flat_histories: [50, 200],
        flat_inboxes: [10, 50],
    };
}
