//! The suite is trusted because it catches these.
//!
//! Each known mistake is a store that is right in all else. The cases about the rule that it
//! breaks are run on it until one fails: no failure is a hole in the suite. The store without a
//! mistake is the control. Most mistakes the generated calls must find too, and shrink to a list
//! that a person can read. At the end stands what has caught which mistake.

use std::collections::BTreeMap;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use messenger_core::Error;
use messenger_core::testing::{self, Fresh, Lockstep, StoreBuilder};
use parking_lot::Mutex;

use broken::{Broken, Data};
use mistake::Mistake;

mod broken;
mod distort;
mod mistake;

/// Which case caught a mistake, and what it said.
type Caught = Arc<Mutex<BTreeMap<String, String>>>;

fn main() {
    let arguments = Arguments::from_args();
    let caught = Caught::default();
    let mut trials: Vec<_> = testing::cases()
        .iter()
        .map(|case| {
            Trial::test(format!("control::{case}"), move || {
                Ok(case.run_blocking(&WithMistake(None))?)
            })
        })
        .collect();
    for &(rule, mistake) in Mistake::ALL {
        let caught = Arc::clone(&caught);
        let name = format!("rule_{rule:02}_{}", mistake.name());
        trials.push(Trial::test(format!("caught::{name}"), move || {
            let by = catch(rule, mistake)?;
            caught.lock().insert(name, by);
            Ok(())
        }));
    }
    for &(rule, mistake) in Mistake::ALL {
        if !mistake.needs_a_case() {
            let caught = Arc::clone(&caught);
            let name = format!("rule_{rule:02}_{} in lockstep", mistake.name());
            trials.push(Trial::test(format!("caught::{name}"), move || {
                let by = shrink(mistake)?;
                caught.lock().insert(name, by);
                Ok(())
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    for (mistake, by) in caught.lock().iter() {
        println!("{mistake}\n    caught {by}");
    }
    conclusion.exit()
}

/// The first case about this rule that fails, and what it says.
fn catch(rule: u8, mistake: Mistake) -> Result<String, Failed> {
    for case in testing::cases() {
        if !case.rules().contains(&rule) {
            continue;
        }
        if let Err(failure) = case.run_blocking(&WithMistake(Some(mistake))) {
            return Ok(format!("by {case}\n    {failure}"));
        }
    }
    Err(format!("no case about rule {rule} has caught {mistake:?}").into())
}

/// The shortest list of generated calls that shows the mistake.
fn shrink(mistake: Mistake) -> Result<String, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let lockstep = Lockstep::new().with_store("broken", WithMistake(Some(mistake)));
    let Err(failure) = lockstep.run(&runtime) else {
        return Err(format!("no list of calls has shown {mistake:?}").into());
    };
    let list = failure.to_string();
    if list.lines().count() > MOST_LINES && !mistake.is_a_matter_of_chance() {
        return Err(format!("the list of calls is too long to read: {list}").into());
    }
    Ok(list)
}

/// A list of calls that a person can read: what they are, the calls, and what went wrong.
const MOST_LINES: usize = 2 + 10;

struct WithMistake(Option<Mistake>);

#[async_trait::async_trait]
impl StoreBuilder for WithMistake {
    async fn build(&self) -> Result<Fresh, Error> {
        let Self(mistake) = *self;
        let data = Arc::<Data>::default();
        let fresh = Fresh::new(Broken::over(mistake, Arc::clone(&data)));
        Ok(match mistake {
            Some(
                Mistake::CacheThatMissesOtherWriters | Mistake::SeveralProcessesAndNoSettleTime,
            ) => fresh.with_other(Broken::over(mistake, data)),
            _ => fresh,
        })
    }
}
