//! The list of cases.

use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::failure::Checked;
use super::fixture::Fixture;
use super::{Failure, StoreBuilder};

mod sends;

/// A case: one thing that the contract promises, and a way to see whether a store keeps it.
///
/// It is displayed as `rule_03_bounds_are_exclusive`: the first rule that it checks, and what holds.
#[derive(Clone, Copy)]
pub struct Case {
    title: &'static str,
    rules: &'static [u8],
    run: fn(Fixture) -> BoxFuture<'static, Checked>,
}

/// `rules => module::case` for each case.
macro_rules! table {
    ($([$($rule:literal),+] => $module:ident::$case:ident,)+) => {
        &[$(Case {
            title: stringify!($case),
            rules: &[$($rule),+],
            run: |fixture| Box::pin(async move { $module::$case(&fixture).await }),
        }),+]
    };
}

const CASES: &[Case] = table![
    [1] => sends::a_repeated_send_changes_nothing,
];

/// Returns all cases. A store must pass each of them.
pub fn cases() -> &'static [Case] {
    CASES
}

impl Case {
    /// The time limit of a case; one that takes longer fails.
    pub const TIME_LIMIT: Duration = Duration::from_secs(120);

    /// Returns the rules of [`Store`](crate::Store) that the case checks, the most important first.
    pub fn rules(&self) -> &'static [u8] {
        self.rules
    }

    /// Runs the case on a store of its own.
    ///
    /// It needs a tokio runtime with several threads and time. The case runs as a task, so a store
    /// that never waits cannot keep the time limit from acting.
    ///
    /// # Errors
    ///
    /// If the store broke a rule, a call failed, or the time limit passed.
    pub async fn run(&self, builder: &dyn StoreBuilder) -> Result<(), Failure> {
        let fixture = Fixture::new(builder.build().await?);
        let mut task = tokio::spawn((self.run)(fixture));
        match tokio::time::timeout(Self::TIME_LIMIT, &mut task).await {
            Ok(result) => result?,
            Err(_) => {
                task.abort();
                Err(Self::did_not_end())
            }
        }
    }

    /// Runs the case on a runtime of its own. The time limit then holds even if the store blocks
    /// every thread of it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and if the runtime cannot be created.
    pub fn run_blocking(&self, builder: &dyn StoreBuilder) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("no runtime could be created: {error}")))?;
        let result = self.run_within(&runtime, builder);
        // Does not wait for threads that the store blocks.
        runtime.shutdown_background();
        result
    }

    fn run_within(
        &self,
        runtime: &tokio::runtime::Runtime,
        builder: &dyn StoreBuilder,
    ) -> Result<(), Failure> {
        let fixture = Fixture::new(runtime.block_on(builder.build())?);
        let task = runtime.spawn((self.run)(fixture));
        let (done, is_done) = mpsc::channel();
        runtime.spawn(async move {
            // The receiver may have given up.
            let _ = done.send(task.await);
        });
        match is_done.recv_timeout(Self::TIME_LIMIT) {
            Ok(result) => result?,
            Err(_) => Err(Self::did_not_end()),
        }
    }

    fn did_not_end() -> Failure {
        Failure::new(format!(
            "the case did not end within {:?}: a call of the store hangs or is far too slow",
            Self::TIME_LIMIT
        ))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule_{:02}_{}", self.rules[0], self.title)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({self})")
    }
}
