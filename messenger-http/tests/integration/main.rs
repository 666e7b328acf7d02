//! The service over real connections. Every answer that [`client::Client`] gets is checked against
//! the OpenAPI document, so no test can leave that out.
//!
//! The store is the one in memory; `tests/stores.rs` runs all of this once more on SQLite and on
//! Cassandra.

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
use messenger_sqlite::SqliteStore;
use tokio::sync::OnceCell;

/// The store that the calls are tested on. Tests use fresh users, so it may be one that is shared.
async fn messenger() -> Messenger {
    /// One for all tests: rule 7 of the store wants one messenger to a store.
    static SHARED: OnceCell<Messenger> = OnceCell::const_new();
    let Ok(store) = std::env::var(STORE) else {
        return Messenger::new(MemoryStore::new());
    };
    let open = || async {
        if let Some(directory) = store.strip_prefix("sqlite:") {
            return Messenger::new(SqliteStore::open(directory).unwrap());
        }
        let config = CassandraConfig::from_url(&store).unwrap();
        CassandraStore::migrate(&config).await.unwrap();
        Messenger::new(CassandraStore::connect(&config).await.unwrap())
    };
    SHARED.get_or_init(open).await.clone()
}

/// Names the store to test on: `sqlite:` and a directory, or the URL of a Cassandra. Set by
/// `tests/stores.rs`.
const STORE: &str = "MESSENGER_HTTP_TEST_STORE";

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
