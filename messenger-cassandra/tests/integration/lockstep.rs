//! Generated calls: the model, the memory store and this one, side by side.

use libtest_mimic::Trial;
use messenger_core::conformance::Lockstep;
use messenger_memory::MemoryStore;

use crate::conformance::Shared;
use crate::world::{World, failed, runtime};

/// The number of lists of calls, unless `PROPTEST_CASES` is set. Each call asks three stores for
/// every view.
const RUNS: u32 = 40;

pub(crate) fn cases() -> Vec<Trial> {
    vec![testkit::trial::with_shared(
        "lockstep::memory_and_cassandra_agree_with_the_model",
        |nodes| {
            let world = runtime().block_on(World::new(nodes))?;
            let mut lockstep = Lockstep::new()
                .with_store("memory", MemoryStore::new)
                .with_store("cassandra", Shared(world));
            if std::env::var_os("PROPTEST_CASES").is_none() {
                lockstep = lockstep.with_runs(RUNS);
            }
            let figures = lockstep.run(runtime()).map_err(failed)?;
            println!("no disagreement: {figures}");
            Ok(())
        },
    )]
}
