//! Generated calls: the model and all three stores, side by side.

use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::Trial;
use messenger_core::conformance::Lockstep;
use messenger_memory::MemoryStore;
use messenger_sqlite::SqliteStore;

use crate::conformance::Shared;
use crate::world::{World, failed, runtime};

/// The number of lists of calls, unless `PROPTEST_CASES` is set. Each call asks the model and three
/// stores for every view.
const RUNS: u32 = 40;

pub(crate) fn cases() -> Vec<Trial> {
    vec![testkit::trial::with_shared(
        "lockstep::memory_sqlite_and_cassandra_agree_with_the_model",
        |nodes| {
            let world = runtime().block_on(World::new(nodes))?;
            let (directory, stores) = (tempfile::tempdir()?, AtomicU32::new(0));
            let directory_of_one = directory.path().to_owned();
            let sqlite = move || {
                let number = stores.fetch_add(1, Ordering::Relaxed).to_string();
                SqliteStore::open(directory_of_one.join(number)).unwrap()
            };
            let mut lockstep = Lockstep::new()
                .with_store("memory", MemoryStore::new)
                .with_store("sqlite", sqlite)
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
