//! The memory store agrees with the model, whatever is called. Set `PROPTEST_CASES=10000` for more
//! runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use messenger_core::conformance::tools::with_settle_time;
use messenger_core::conformance::{Failure, Lockstep};
use messenger_core::store::{Wrap, Wrapped};
use messenger_core::{Error, LogKey, Message, Store};
use messenger_memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};

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

/// A store whose writes never return, either waiting or blocking their thread.
#[derive(Debug, Default)]
struct Hanging {
    store: MemoryStore,
    blocks: bool,
}

#[async_trait]
impl Wrap for Hanging {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn put(&self, _: LogKey, _: &Message) -> Result<(), Error> {
        while self.blocks {
            std::thread::park();
        }
        std::future::pending().await
    }
}

#[test]
fn a_store_that_hangs_ends_the_test() {
    for blocks in [false, true] {
        let hanging = move || {
            Wrapped(Hanging {
                blocks,
                ..Hanging::default()
            })
        };
        let lockstep = Lockstep::new()
            .with_store("hanging", hanging)
            .with_time_limit(Duration::from_millis(300));
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let failure = lockstep.run(&runtime).unwrap_err();
        runtime.shutdown_background();
        assert!(failure.to_string().contains("did not end"), "{failure}");
    }
}

fn run(lockstep: &Lockstep) -> Result<(), Failure> {
    let runtime = Runtime::new().expect("a runtime can be created");
    let figures = lockstep.run(&runtime)?;
    println!("no disagreement: {figures}");
    Ok(())
}
