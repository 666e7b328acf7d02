//! Calls that nobody thought of: a messenger over stores and model, in lockstep.
//!
//! [`script`] makes lists of calls up. [`play`] performs one: each call goes to one
//! [`Messenger`](crate::Messenger), and each of its calls to a store goes to the [`fan`], which
//! asks every store and the model and compares. What the messenger makes of the answers is
//! compared with [`paging`], the model of pages.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use proptest_state_machine::ReferenceStateMachine as _;
use tokio::runtime::Runtime;

use crate::testing::{Failure, Fresh, StoreBuilder};
use fan::Named;
use script::{Call, Script};

mod clients;
mod fan;
mod paging;
mod play;
mod reads;
mod script;
mod strategies;
mod words;

/// The generated test: makes up lists of calls, and drives stores and model in lockstep with them.
///
/// Four users send (also under keys, also held up and released in another order, also dropped),
/// import messages with equal times, turn pages of histories and inboxes with cursors from any
/// earlier page, catch up, and try cursors where they do not belong. After each call every store
/// must have answered as the model did.
pub struct Lockstep {
    stores: Vec<(String, Box<dyn StoreBuilder>)>,
    cases: Option<u32>,
    calls: usize,
}

impl Lockstep {
    /// A test of no store yet.
    pub fn new() -> Self {
        Self {
            stores: Vec::new(),
            cases: None,
            calls: 40,
        }
    }

    /// Drives this store too. The name is for failures.
    #[must_use]
    pub fn with_store(
        mut self,
        name: impl Into<String>,
        builder: impl StoreBuilder + 'static,
    ) -> Self {
        self.stores.push((name.into(), Box::new(builder)));
        self
    }

    /// Plays so many lists of calls. Else the environment's `PROPTEST_CASES` says, else it is 256.
    #[must_use]
    pub fn with_cases(mut self, cases: u32) -> Self {
        self.cases = Some(cases);
        self
    }

    /// Plays lists of at most so many calls, 40 unless told.
    #[must_use]
    pub fn with_calls(mut self, calls: usize) -> Self {
        self.calls = calls.max(1);
        self
    }

    /// Plays. It must not be called from within a runtime.
    ///
    /// # Errors
    ///
    /// The shortest list of calls that was found to make a store disagree, with what it answered
    /// and what it should have.
    pub fn run(&self, runtime: &Runtime) -> Result<Figures, Failure> {
        let figures = Mutex::new(Figures::default());
        let mut config = Config {
            failure_persistence: None,
            max_shrink_time: 60_000,
            ..Config::default()
        };
        if let Some(cases) = self.cases {
            config.cases = cases;
        }
        let strategy = Script::sequential_strategy(1..=self.calls);
        let outcome = TestRunner::new(config).run(&strategy, |(_, calls, seen)| {
            let on_call = |call: &Call| {
                if let Some(seen) = &seen {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
                figures.lock().count(call);
            };
            figures.lock().cases += 1;
            runtime
                .block_on(self.play(&calls, on_call))
                .map_err(|failure| TestCaseError::fail(failure.to_string()))
        });
        match outcome {
            Ok(()) => Ok(figures.into_inner()),
            Err(TestError::Fail(reason, _)) => Err(Failure::new(reason.message().to_owned())),
            Err(TestError::Abort(reason)) => Err(Failure::new(format!("gave up: {reason}"))),
        }
    }

    async fn play(&self, calls: &[Call], on_call: impl Fn(&Call) + Send) -> Result<(), Failure> {
        let mut stores = Vec::new();
        let mut guards = Vec::new();
        for (name, builder) in &self.stores {
            let Fresh {
                store,
                other,
                guard,
            } = builder.build().await?;
            if let Some(other) = other {
                stores.push(Named {
                    name: format!("{name}, its other client"),
                    store: other,
                    reads_only: true,
                });
            }
            stores.push(Named {
                name: name.clone(),
                store,
                reads_only: false,
            });
            guards.push(guard);
        }
        // The guards are dropped after the stores.
        play::play(stores, calls, on_call).await
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
            .field("cases", &self.cases)
            .field("calls", &self.calls)
            .finish()
    }
}

/// What was played without a disagreement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    cases: u64,
    calls: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// How many lists of calls.
    pub fn cases(&self) -> u64 {
        self.cases
    }

    /// How many calls in all.
    pub fn calls(&self) -> u64 {
        self.calls.values().sum()
    }

    fn count(&mut self, call: &Call) {
        *self.calls.entry(call.kind()).or_default() += 1;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases, {} calls", self.cases, self.calls())?;
        for (n, (kind, count)) in self.calls.iter().enumerate() {
            write!(f, "{} {kind} {count}", if n == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}
