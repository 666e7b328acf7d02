//! The memory store agrees with the model, whatever is called. `PROPTEST_CASES=10000` plays more.

use std::sync::Arc;
use std::time::Duration;

use messenger_core::Store;
use messenger_core::testing::{Failure, Lockstep, Settling};
use messenger_memory::MemoryStore;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn no_list_of_calls_shows_a_disagreement() -> Result<(), Failure> {
    let figures = Lockstep::new()
        .with_store("bare", MemoryStore::new)
        .with_store("box", || -> Box<dyn Store> { Box::new(MemoryStore::new()) })
        .with_store("arc", || -> Arc<dyn Store> { Arc::new(MemoryStore::new()) })
        .run(&runtime())?;
    println!("no disagreement: {figures}");
    Ok(())
}

/// With a settle time catching up repeats more, and still misses nothing.
#[test]
fn no_list_of_calls_shows_a_disagreement_where_others_write_too() -> Result<(), Failure> {
    let settle = Duration::from_secs(4);
    let figures = Lockstep::new()
        .with_store("settling", move || {
            Settling::new(MemoryStore::new(), settle)
        })
        .run(&runtime())?;
    println!("no disagreement: {figures}");
    Ok(())
}
