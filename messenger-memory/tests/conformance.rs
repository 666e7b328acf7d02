//! The memory store keeps the contract: bare, in a `Box<dyn Store>` and in an `Arc<dyn Store>`.

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use messenger_core::Store;
use messenger_core::conformance::{self, Case, StoreBuilder};
use messenger_memory::MemoryStore;

fn main() {
    let mut trials = Vec::new();
    for case in conformance::cases() {
        trials.push(trial("bare", case, MemoryStore::new));
        trials.push(trial("box", case, || -> Box<dyn Store> {
            Box::new(MemoryStore::new())
        }));
        trials.push(trial("arc", case, || -> Arc<dyn Store> {
            Arc::new(MemoryStore::new())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

fn trial(kind: &str, case: &'static Case, builder: impl StoreBuilder + 'static) -> Trial {
    Trial::test(format!("{kind}::{case}"), move || {
        Ok(case.run_blocking(&builder)?)
    })
}
