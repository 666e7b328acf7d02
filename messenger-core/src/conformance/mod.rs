//! The conformance suite: checks whether a store keeps the contract of [`Store`](crate::Store).
//!
//! It is the suite that the stores of this project pass, and it is tried on stores that are wrong on
//! purpose. A failure says which call returned what, and what it should have returned.
//!
//! # Run it
//!
//! Enable the feature `conformance` for tests, and call [`check`] in a plain `#[test]`:
//!
//! ```no_run
//! # use messenger_memory::MemoryStore as MyStore;
//! use messenger_core::conformance::{self, Failure};
//!
//! fn my_store_keeps_the_contract() -> Result<(), Failure> {
//!     conformance::check(MyStore::new)
//! }
//! # my_store_keeps_the_contract().unwrap();
//! ```
//!
//! [`check`] runs all [`cases`] and reports every one that failed. Each [`Case`] has a name, the
//! numbers of the rules that it checks, and a store of its own. To see each as a test, give them to
//! a test harness such as [`libtest-mimic`](https://docs.rs/libtest-mimic), in a test target with
//! `harness = false`:
//!
//! ```no_run
//! use libtest_mimic::{Arguments, Trial};
//! use messenger_core::conformance;
//! # use messenger_memory::MemoryStore as MyStore;
//!
//! let trials = conformance::cases().iter().map(|case| {
//!     Trial::test(case.to_string(), || Ok(case.run_blocking(&MyStore::new)?))
//! });
//! libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit()
//! ```
//!
//! # Give it a store
//!
//! A closure that creates an empty store is a [`StoreBuilder`]. If creating one is async, can fail,
//! or needs something that lives as long as the store, implement the trait and return a
//! [`TestStore`]. The store need not be empty: each case makes users that nobody else has, so all
//! cases can share one database, even at the same time and with earlier runs.
//!
//! If several processes can write to the store, add a second client ([`TestStore::with_other`]):
//! the suite then checks that each client sees what the other writes.
//!
//! The suite uses ids and log keys of the past, as if time were the case's. A store must not compare
//! them with its own clock.
//!
//! # Generated calls
//!
//! Cases try what somebody thought of. [`Lockstep`] generates calls of messengers over one or several
//! stores, and compares every answer with a simple model. It shortens the calls that show a
//! disagreement, and prints them.
//!
//! ```
//! # use messenger_memory::MemoryStore as MyStore;
//! use messenger_core::conformance::Lockstep;
//!
//! let runtime = tokio::runtime::Runtime::new()?;
//! let figures = Lockstep::new()
//!     .with_store("mine", MyStore::new)
//!     .with_runs(20)
//!     .run(&runtime)?;
//! println!("no disagreement: {figures}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Authorization
//!
//! [`access`] checks the rules of [`Actor`](crate::Actor), also for bindings on top of a messenger.
//!
//! # Limits
//!
//! - The suite does not kill processes, cut networks or change the clocks of machines. Rule 8 under a
//!   crash is for a store's own tests, and so is the outcome of a write that failed.
//! - Rule 12 is checked by a ratio so generous that only a store that reads everything fails. A
//!   benchmark tells how fast a page is.

pub mod access;
mod builder;
mod cases;
mod check;
mod checked;
mod client;
mod describe;
mod failure;
mod fixture;
mod gate;
mod lockstep;
mod manual_time;
mod model;
mod settle_time;
mod views;

pub use builder::{StoreBuilder, TestStore};
pub use cases::{Case, cases};
pub use check::check;
pub use failure::Failure;
pub use lockstep::{Figures, Lockstep};

/// Tools for tests of what stands above a store: time that a test moves, calls that are held or
/// fail, clients that catch up, and the model as a store.
pub mod tools {
    pub use super::client::{Client, History, Inbox, List, as_text_and_back};
    pub use super::gate::{Call, Gate, Gated, Held, HeldWrite, Point};
    pub use super::manual_time::ManualTime;
    pub use super::model::{Model, ModelStore};
    pub use super::settle_time::{SettleTime, with_settle_time};
}

pub(crate) use model::Model;
