//! The store on a real node. Every case is named; without a Cassandra each is ignored with the
//! reason, or fails if `MESSENGER_REQUIRE_CASSANDRA=1`.

use libtest_mimic::Arguments;

mod basic;
mod conformance;
mod connect;
mod disk;
mod faults;
mod flatness;
mod lockstep;
mod observed;
mod outage;
mod proxy;
mod relay;
mod schema;
mod unclean;
mod upgrade;
mod world;

fn main() {
    if let Some(role) = faults::child::role() {
        return faults::child::play(&role);
    }
    let mut trials = faults::long();
    trials.push(disk::trial());
    trials.extend(basic::cases());
    trials.extend(conformance::cases());
    trials.extend(connect::cases());
    trials.extend(lockstep::cases());
    trials.extend(observed::cases());
    trials.extend(outage::cases());
    trials.extend(schema::cases());
    trials.extend(unclean::cases());
    trials.extend(upgrade::cases());
    trials.extend(flatness::cases());
    trials.extend(faults::cases());
    let mut arguments = Arguments::from_args();
    // They wait for the node and for time-outs more than they compute.
    arguments.test_threads.get_or_insert(6);
    let conclusion = libtest_mimic::run(&arguments, trials);
    if arguments.filter.is_none() && !arguments.list && conclusion.num_passed > 0 {
        not_warned_of_tombstones();
    }
    conclusion.exit()
}

/// After all cases the shared node has nothing to say of how many tombstones a read has met, though
/// it warns of a hundred.
fn not_warned_of_tombstones() {
    let log = testkit::cassandra::shared().and_then(|nodes| nodes.log());
    let log = log.ok().flatten().unwrap_or_default();
    let warnings = log
        .lines()
        .filter(|line| line.starts_with("WARN") && line.contains("tombstone"));
    let warnings: Vec<_> = warnings.collect();
    if !warnings.is_empty() {
        eprintln!("the node has logged:\n{}", warnings.join("\n"));
        std::process::exit(1);
    }
}
