//! The memory store agrees with the model, whatever is called. Set `PROPTEST_CASES=10000` for more
//! runs.

use std::sync::Arc;
use std::time::Duration;

use messenger_core::Store;
use messenger_core::conformance::tools::with_settle_time;
use messenger_core::conformance::{Failure, Lockstep};
use messenger_memory::MemoryStore;
use tokio::runtime::Runtime;

#[test]
fn generated_calls_find_no_disagreement() -> Result<(), Failure> {
    let lockstep = Lockstep::new()
        .with_store("bare", MemoryStore::new)
        .with_store("box", || -> Box<dyn Store> { Box::new(MemoryStore::new()) })
        .with_store("arc", || -> Arc<dyn Store> { Arc::new(MemoryStore::new()) });
    run(&lockstep)
}

/// With a settle time there are two servers, and catching up repeats more. It still misses nothing.
#[test]
fn generated_calls_of_two_servers_find_no_disagreement() -> Result<(), Failure> {
    let settle = Duration::from_secs(4);
    let lockstep = Lockstep::new().with_store("two servers", move || {
        with_settle_time(MemoryStore::new(), settle)
    });
    run(&lockstep)
}

fn run(lockstep: &Lockstep) -> Result<(), Failure> {
    let runtime = Runtime::new().expect("a runtime can be created");
    let figures = lockstep.run(&runtime)?;
    println!("no disagreement: {figures}");
    Ok(())
}
