//! Generated calls: the model, the other stores and this one, side by side.

use std::sync::Arc;

use async_trait::async_trait;
use libtest_mimic::Trial;
use messenger_core::conformance::{Lockstep, StoreBuilder, TestStore};
use messenger_core::{Error, ErrorKind};
use messenger_memory::MemoryStore;
use messenger_sqlite::SqliteStore;

use crate::conformance::Shared;
use crate::world::{World, failed, runtime};

/// The number of lists of calls, unless `PROPTEST_CASES` is set. Each call asks four stores for
/// every view.
const RUNS: u32 = 40;

pub(crate) fn cases() -> Vec<Trial> {
    vec![testkit::trial::with_shared(
        "lockstep::all_stores_agree_with_the_model",
        |nodes| {
            let world = runtime().block_on(World::new(nodes))?;
            let mut lockstep = Lockstep::new()
                .with_store("memory", MemoryStore::new)
                .with_store("sqlite", InDirectory)
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

/// Creates SQLite stores in temporary directories.
struct InDirectory;

#[async_trait]
impl StoreBuilder for InDirectory {
    async fn build(&self) -> Result<TestStore, Error> {
        let directory = tempfile::tempdir().map_err(|error| {
            Error::new(ErrorKind::Unavailable, "no temporary directory").with_source(error)
        })?;
        let store = Arc::new(SqliteStore::open(&directory)?);
        Ok(TestStore::new(store).with_guard(directory))
    }
}
