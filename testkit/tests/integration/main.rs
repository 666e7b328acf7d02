//! Tests with real nodes, which are started, stopped and killed.

mod absence;
mod cluster;
mod cql;
mod leftovers;
mod shared;
mod subject;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let trials = if subject::is_wanted() {
        vec![subject::trial()]
    } else {
        cases()
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn cases() -> Vec<Trial> {
    let mut cases = cluster::cases();
    cases.extend(shared::cases());
    cases.extend(leftovers::cases());
    cases.extend(absence::cases());
    cases
}
