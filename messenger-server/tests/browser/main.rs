//! The chat page in a real browser: an installed Chromium or Chrome, or the one that `CHROME` names.
//! Without one a case is ignored with the reason, or fails if `MESSENGER_REQUIRE_BROWSER=1`.

use std::process::Command;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

mod cases;
mod chromium;
#[path = "../integration/client.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod client;
#[path = "../integration/process.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod process;
mod server;
mod window;

use chromium::{Chromium, Missing};

/// The browser of all cases. The first case starts it.
type Shared = Arc<OnceLock<Result<Chromium, Missing>>>;

fn main() {
    let shared = Shared::default();
    let trials = cases::CASES.iter().map(|&(name, case)| {
        let shared = shared.clone();
        Trial::ignorable_test(name, move || run(case, &shared))
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    // `exit` drops nothing.
    drop(shared);
    conclusion.exit()
}

fn run(case: fn(&Chromium), shared: &Shared) -> Result<Completion, Failed> {
    match shared.get_or_init(Chromium::start) {
        Ok(chromium) => {
            case(chromium);
            Ok(Completion::Completed)
        }
        Err(Missing(reason)) if is_required() => Err(reason.into()),
        Err(Missing(reason)) => Ok(Completion::ignored_with(reason)),
    }
}

fn is_required() -> bool {
    std::env::var("MESSENGER_REQUIRE_BROWSER").is_ok_and(|required| required == "1")
}

/// Returns a command that runs the program.
fn messenger_server() -> Command {
    process::program(env!("CARGO_BIN_EXE_messenger-server"))
}
