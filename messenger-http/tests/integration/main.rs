//! The service over real connections. Every answer that [`client::Client`] gets is checked against
//! the OpenAPI document, so no test can leave that out.
//!
//! The store is the one in memory; `tests/cassandra.rs` runs all of this once more on Cassandra.

mod auth;
mod bytes;
mod calls;
mod changes;
mod client;
mod connections;
mod contract;
mod document;
mod events;
mod faults;
mod faulty;
mod fuzz;
mod hosts;
#[cfg(feature = "jwt")]
mod jwt;
mod limits;
mod log;
mod problems;
mod raw;
mod reconstruct;
mod server;
mod shutdown;
mod unread;
mod wait;

use std::sync::LazyLock;

use messenger_cassandra::{CassandraConfig, CassandraStore};
use messenger_core::{Messenger, UserId};
use messenger_memory::MemoryStore;
use tokio::sync::OnceCell;

/// The store that the calls are tested on. Tests use fresh users, so it may be one that is shared.
async fn messenger() -> Messenger {
    /// One for all tests: rule 7 of the store wants one messenger to a store.
    static CASSANDRA: OnceCell<Messenger> = OnceCell::const_new();
    let Ok(url) = std::env::var(ON_CASSANDRA) else {
        return Messenger::new(MemoryStore::new());
    };
    let connect = || async {
        let config = CassandraConfig::from_url(&url).unwrap();
        CassandraStore::migrate(&config).await.unwrap();
        Messenger::new(CassandraStore::connect(&config).await.unwrap())
    };
    CASSANDRA.get_or_init(connect).await.clone()
}

/// Names the Cassandra to test on, as a URL. Set by `tests/cassandra.rs`.
const ON_CASSANDRA: &str = "MESSENGER_HTTP_TEST_CASSANDRA";

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
