//! The whole suite in one call.

use std::fmt::Write as _;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;

use super::{Case, Failure, StoreBuilder, cases};

/// Runs all [`cases`], several at the same time. Call it from a plain `#[test]`.
///
/// # Errors
///
/// If cases failed: all of them, each with its reason.
pub fn check(builder: impl StoreBuilder) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::<(usize, &Case, Failure)>::new());
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases().get(n) else { break };
                    if let Err(failure) = case.run_blocking(&builder) {
                        failed.lock().push((n, case, failure));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner();
    if failed.is_empty() {
        return Ok(());
    }
    failed.sort_by_key(|(n, ..)| *n);
    let mut text = format!("{} of {} cases failed", failed.len(), cases().len());
    for (_, case, failure) in failed {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n\n{case}:\n    {failure}");
    }
    Err(Failure::new(text))
}
