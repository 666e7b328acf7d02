//! The SQLite store keeps the contract, each case in a directory of its own.

use std::sync::Arc;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Trial};
use messenger_core::conformance::{self, Lockstep, StoreBuilder, TestStore};
use messenger_core::{Error, ErrorKind};
use messenger_memory::MemoryStore;
use messenger_sqlite::SqliteStore;
use tokio::runtime::Runtime;

fn main() {
    let cases = conformance::cases()
        .iter()
        .map(|case| Trial::test(case.to_string(), || Ok(case.run_blocking(&InDirectory)?)));
    let lockstep = Trial::test("it_agrees_with_the_model_and_the_memory_store", || {
        // A sync of the disk for each write: fewer runs than in memory. `PROPTEST_CASES` sets more.
        let lockstep = Lockstep::new()
            .with_store("memory", MemoryStore::new)
            .with_store("sqlite", InDirectory);
        let lockstep = match std::env::var_os("PROPTEST_CASES") {
            Some(_) => lockstep,
            None => lockstep.with_runs(40),
        };
        lockstep.run(&Runtime::new()?)?;
        Ok(())
    });
    let trials = cases.chain([lockstep]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

/// Creates stores in temporary directories.
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
