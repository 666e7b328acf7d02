//! The service over real connections. Every answer that [`client::Client`] gets is checked against
//! the OpenAPI document, so no test can leave that out.

mod calls;
mod client;
mod contract;
mod document;
mod faults;
mod faulty;
mod fuzz;
mod limits;
mod problems;
mod raw;
mod server;
mod shutdown;

use std::sync::LazyLock;

use messenger_core::{Messenger, UserId};
use messenger_memory::MemoryStore;

/// The store that the calls are tested on. Tests use fresh users, so it may be one that is shared.
async fn messenger() -> Messenger {
    Messenger::new(MemoryStore::new())
}

/// Runs a test. All tests share a runtime, so that they could share a store's connections.
fn run<T>(test: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    });
    RUNTIME.block_on(test)
}

/// A user that no other test has.
fn user() -> UserId {
    UserId::new(format!("u-{:032x}", rand::random::<u128>())).unwrap()
}
