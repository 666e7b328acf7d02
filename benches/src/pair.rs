//! The two sides of a comparison.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;

/// One side: something that can be done again and again.
#[async_trait]
pub trait Side: Send + Sync + 'static {
    /// Makes what so many calls will use up, all that run at once together. This is not measured,
    /// and comes before each [`run`](Self::run).
    async fn prepare(&self, _times: u64) -> Result<()> {
        Ok(())
    }

    /// Does it so many times, one after the other. Whoever wants several at once calls this
    /// several times at once.
    ///
    /// A side checks what it gets (the number of rows, the status), so that nothing is fast by
    /// failing.
    async fn run(&self, times: u64) -> Result<()>;

    /// How much CPU time the thread of this side's server has taken so far; `None` for a side
    /// without a server in this process.
    fn server_time(&self) -> Option<Duration> {
        None
    }
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
    /// How many calls are in flight at once, each time that it is measured: once, and one call at
    /// a time, unless told.
    pub in_flight: Vec<usize>,
    /// The ratio that is to be reached.
    pub goal: Option<f64>,
}

impl Pair {
    /// A pair under this name.
    pub fn new(name: impl Into<String>, subject: impl Side, baseline: impl Side) -> Self {
        Self {
            name: name.into(),
            subject: Arc::new(subject),
            baseline: Arc::new(baseline),
            in_flight: vec![1],
            goal: None,
        }
    }

    /// Is measured with each of these numbers of calls in flight.
    #[must_use]
    pub fn with_in_flight(mut self, in_flight: impl Into<Vec<usize>>) -> Self {
        self.in_flight = in_flight.into();
        self
    }

    /// Is to reach this ratio.
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
            .field("in_flight", &self.in_flight)
            .field("goal", &self.goal)
            .finish_non_exhaustive()
    }
}
