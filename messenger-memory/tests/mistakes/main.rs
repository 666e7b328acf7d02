//! The suite is trusted because it catches these mistakes.
//!
//! Each known mistake is planted in a store that is right in all else. Every case is run on every
//! mistake: each run must end within its time, and a case about the rule that the mistake breaks
//! must fail. Most mistakes the generated calls must find too, with few calls. The last lines of
//! the output show what caught which mistake.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};
use messenger_core::conformance::{self, Case, Lockstep};
use parking_lot::Mutex;
use planted::Mistake;

mod changes;
mod lists;
mod logs;
mod planted;
mod writes;

/// The greatest number of sequences that show a mistake which generated calls must find.
const MAX_RUNS: u32 = 2_000;

/// The number of sequences for one that they need not find.
const RUNS: u32 = 50;

/// The greatest number of calls with which generated calls show a mistake: about ten, and those that
/// end each run.
const MAX_CALLS: usize = 16;

/// The case that caught each mistake, by the name of the test.
type Caught = Arc<Mutex<BTreeMap<String, String>>>;

fn main() {
    let arguments = Arguments::from_args();
    let caught = Caught::default();
    let mut trials = Vec::new();
    for mistake in mistakes() {
        let name = format!("rule_{:02}_{}", mistake.rule, mistake.name);
        for (suffix, catch) in [("cases", in_cases as Catch), ("lockstep", in_lockstep)] {
            let (name, caught) = (format!("{name}::{suffix}"), Arc::clone(&caught));
            trials.push(Trial::test(name.clone(), move || {
                let by = catch(mistake)?;
                caught.lock().insert(name, by);
                Ok(())
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    for (name, by) in caught.lock().iter() {
        println!("{name}\n    {}", by.replace('\n', "\n    "));
    }
    conclusion.exit()
}

fn mistakes() -> Vec<Mistake> {
    [
        writes::mistakes(),
        lists::mistakes(),
        logs::mistakes(),
        changes::mistakes(),
    ]
    .concat()
}

type Catch = fn(Mistake) -> Result<String, Failed>;

/// Runs every case. Returns what the first one about the rule says, and how many fail.
fn in_cases(mistake: Mistake) -> Result<String, Failed> {
    let mut failed = Vec::new();
    let mut expected = None;
    for case in conformance::cases() {
        let start = Instant::now();
        let result = case.run_blocking(&mistake);
        let time = start.elapsed();
        if time > Case::TIME_LIMIT {
            return Err(format!("{case} took {time:.1?}").into());
        }
        let Err(failure) = result else { continue };
        if case.rules().contains(&mistake.rule) {
            expected.get_or_insert_with(|| format!("{case}: {failure}"));
        }
        failed.push(case.to_string());
    }
    expected
        .map(|expected| format!("{expected}\ncases that fail: {}", failed.len()))
        .ok_or_else(|| {
            let (rule, failed) = (mistake.rule, failed.join(", "));
            format!("no case about rule {rule} fails, only: {failed}").into()
        })
}

/// Runs generated calls. They need not find every mistake, but must end.
fn in_lockstep(mistake: Mistake) -> Result<String, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let start = Instant::now();
    let result = Lockstep::new()
        .with_store("the store", mistake)
        .with_runs(if mistake.in_lockstep { MAX_RUNS } else { RUNS })
        .run(&runtime);
    runtime.shutdown_background();
    let (time, limit) = (
        start.elapsed(),
        Lockstep::TIME_LIMIT + Lockstep::SHRINK_TIME,
    );
    if time > limit {
        return Err(format!("it took {time:.1?}").into());
    }
    match result {
        Ok(figures) if mistake.in_lockstep => Err(format!("not found by {figures}").into()),
        Ok(_) => Ok("not found".into()),
        Err(failure) => {
            let text = failure.to_string();
            let calls = text.lines().filter(|line| line.starts_with("  ")).count();
            if mistake.in_lockstep && calls > MAX_CALLS {
                return Err(format!("too many calls to read: {text}").into());
            }
            Ok(text)
        }
    }
}
