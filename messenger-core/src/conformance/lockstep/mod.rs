//! Generated calls: messengers over stores and a model, in lockstep.
//!
//! [`sequence`] generates sequences of calls ([`call`]). [`driver`] makes them: each call goes to a
//! [`Messenger`](crate::Messenger), and each of its calls of the store goes to a [`tee`], which asks
//! every store and the model, and compares. [`reader`] has the clients. [`state`] is what a run has
//! made so far, for [`writes`] and [`reads`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use proptest_state_machine::ReferenceStateMachine as _;
use tokio::runtime::Runtime;
use tokio::time::error::Elapsed;

use super::failure::Checked;
use super::{Failure, StoreBuilder};
use call::Call;
use sequence::Sequence;
use state::Driver;

mod call;
mod driver;
mod reader;
mod reads;
mod sequence;
mod state;
mod tee;
mod writes;

/// The generated test: drives stores and the model in lockstep with generated sequences of calls.
///
/// Four users send (also under idempotency keys, also late), edit, unsend, import and mark; writes
/// are held on their way, continue in another order, or are dropped; time passes and steps back.
/// If the stores have a settle time, two messengers with different clocks take part. After each write
/// every view of every store must be that of the model. Besides:
///
/// - A walk at any limit returns the whole list, each item once.
/// - A client that walks and follows `prev`, and merges as [`Page::prev`](crate::Page::prev) says,
///   ends up with the whole list.
/// - After an unsend is acknowledged nothing returns the text.
pub struct Lockstep {
    stores: Vec<(String, Arc<dyn StoreBuilder>)>,
    runs: Option<u32>,
    calls: usize,
    time_limit: Duration,
}

impl Lockstep {
    /// The default time limit of one run.
    pub const TIME_LIMIT: Duration = Duration::from_secs(60);

    /// The time after which no shorter sequence is searched for.
    pub const SHRINK_TIME: Duration = Duration::from_secs(60);

    /// Creates a test of no store.
    pub fn new() -> Self {
        Self {
            stores: Vec::new(),
            runs: None,
            calls: 40,
            time_limit: Self::TIME_LIMIT,
        }
    }

    /// Adds a store. The name is for failures.
    #[must_use]
    pub fn with_store(
        mut self,
        name: impl Into<String>,
        builder: impl StoreBuilder + 'static,
    ) -> Self {
        self.stores.push((name.into(), Arc::new(builder)));
        self
    }

    /// Sets the number of sequences. By default it is the environment's `PROPTEST_CASES`, or 256.
    #[must_use]
    pub fn with_runs(mut self, runs: u32) -> Self {
        self.runs = Some(runs);
        self
    }

    /// Sets the greatest length of a sequence, 40 by default.
    #[must_use]
    pub fn with_calls(mut self, calls: usize) -> Self {
        self.calls = calls.max(1);
        self
    }

    /// Sets the time limit of one run. No shorter sequence is searched for if a run exceeds it.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Runs the test on this runtime. It must not be called from within one.
    ///
    /// Give it a runtime with several threads: then the time limit of a run holds even if a store
    /// blocks its thread.
    ///
    /// # Errors
    ///
    /// The shortest sequence that was found to make a store wrong, with what the store returned and
    /// what it should have.
    pub fn run(&self, runtime: &Runtime) -> Result<Figures, Failure> {
        let figures = Mutex::new(Figures::default());
        let mut config = Config {
            failure_persistence: None,
            max_shrink_time: u32::try_from(Self::SHRINK_TIME.as_millis()).unwrap_or(u32::MAX),
            ..Config::default()
        };
        if let Some(runs) = self.runs {
            config.cases = runs;
        }
        let first_failure = OnceLock::new();
        let hangs = AtomicBool::new(false);
        let strategy = Sequence::sequential_strategy(1..=self.calls);
        let outcome = TestRunner::new(config).run(&strategy, |(_, calls, made)| {
            if hangs.load(Ordering::SeqCst) {
                return Ok(());
            }
            let result = self.run_once(runtime, calls.clone(), made);
            let result = result.unwrap_or_else(|_| {
                hangs.store(true, Ordering::SeqCst);
                Err(Failure::new(format!(
                    "a run did not end within {:?}: a call of the store hangs or is far too slow",
                    self.time_limit
                )))
            });
            result.map_err(|failure| {
                first_failure.get_or_init(Instant::now);
                TestCaseError::fail(failure.to_string())
            })?;
            figures.lock().count(&calls);
            Ok(())
        });
        match outcome {
            Ok(()) => Ok(figures.into_inner()),
            Err(TestError::Fail(reason, (_, calls, _))) => {
                let failure = Failure::new(reason.message().to_owned());
                if hangs.into_inner() {
                    return Err(failure);
                }
                let end = *first_failure.get_or_init(Instant::now) + Self::SHRINK_TIME;
                Err(self.shorten(runtime, calls, failure, end))
            }
            Err(TestError::Abort(reason)) => Err(Failure::new(format!("gave up: {reason}"))),
        }
    }

    /// Leaves out calls as long as a store is still wrong. Proptest tries each call only once, before
    /// it makes the calls that are left simpler.
    fn shorten(
        &self,
        runtime: &Runtime,
        mut calls: Vec<Call>,
        mut failure: Failure,
        end: Instant,
    ) -> Failure {
        let mut left = calls.len();
        while left > 0 && Instant::now() < end {
            left -= 1;
            let mut fewer = calls.clone();
            fewer.remove(left);
            if let Ok(Err(still)) = self.run_once(runtime, fewer.clone(), None) {
                (calls, failure) = (fewer, still);
                left = calls.len();
            }
        }
        failure
    }

    /// Makes the calls on new stores, within the time limit.
    fn run_once(
        &self,
        runtime: &Runtime,
        calls: Vec<Call>,
        made: Option<Arc<AtomicUsize>>,
    ) -> Result<Checked, Elapsed> {
        let stores = self.stores.clone();
        let mut run = runtime.spawn(async move {
            let mut built = Vec::new();
            for (name, builder) in stores {
                built.push((name, builder.build().await?));
            }
            let mut driver = Driver::new(built)?;
            for call in &calls {
                // The calls that were never made are the first to go when a sequence is shortened.
                if let Some(made) = &made {
                    made.fetch_add(1, Ordering::SeqCst);
                }
                driver.make(call).await?;
            }
            driver.end().await
        });
        runtime.block_on(async {
            let result = tokio::time::timeout(self.time_limit, &mut run).await;
            if result.is_err() {
                run.abort();
            }
            Ok(result?.unwrap_or_else(|error| Err(error.into())))
        })
    }
}

impl Default for Lockstep {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Lockstep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stores: Vec<_> = self.stores.iter().map(|(name, _)| name).collect();
        f.debug_struct("Lockstep")
            .field("stores", &stores)
            .field("runs", &self.runs)
            .field("calls", &self.calls)
            .finish()
    }
}

/// The calls that were made without a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    runs: u64,
    calls: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// Returns the number of sequences.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Returns the number of calls in all sequences.
    pub fn calls(&self) -> u64 {
        self.calls.values().sum()
    }

    fn count(&mut self, calls: &[Call]) {
        self.runs += 1;
        for call in calls {
            *self.calls.entry(call.action.kind()).or_default() += 1;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs, {} calls", self.runs, self.calls())?;
        for (n, (kind, count)) in self.calls.iter().enumerate() {
            write!(f, "{} {kind} {count}", if n == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}
