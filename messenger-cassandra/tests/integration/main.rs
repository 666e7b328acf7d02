//! The store on a real node. Every case is named; without a Cassandra each is ignored with the
//! reason, or fails if `MESSENGER_REQUIRE_CASSANDRA=1`.

use libtest_mimic::Arguments;

mod basic;
mod conformance;
mod faults;
mod proxy;
mod unclean;
mod world;

fn main() {
    let mut trials = Vec::new();
    trials.extend(basic::cases());
    trials.extend(conformance::cases());
    trials.extend(unclean::cases());
    trials.extend(faults::cases());
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}
