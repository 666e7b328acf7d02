//! The store on a real node. Every case is named; without a Cassandra each is ignored with the
//! reason, or fails if `MESSENGER_REQUIRE_CASSANDRA=1`.

use libtest_mimic::Arguments;

mod basic;
mod conformance;
mod connect;
mod cost;
mod faults;
mod lockstep;
mod observed;
mod outage;
mod proxy;
mod unclean;
mod world;

fn main() {
    let mut trials = Vec::new();
    trials.extend(basic::cases());
    trials.extend(conformance::cases());
    trials.extend(connect::cases());
    trials.extend(cost::cases());
    trials.extend(faults::cases());
    trials.extend(lockstep::cases());
    trials.extend(observed::cases());
    trials.extend(outage::cases());
    trials.extend(unclean::cases());
    let mut arguments = Arguments::from_args();
    // They wait for the node and for time-outs more than they compute.
    arguments.test_threads.get_or_insert(6);
    libtest_mimic::run(&arguments, trials).exit()
}
