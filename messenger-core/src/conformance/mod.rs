//! The conformance suite: whether a store keeps the contract.
//!
//! You have written a [`Store`]. This module tells whether it does what the rules on the trait
//! say, and, where it does not, by which calls you can see it. It is the suite that the stores of
//! this project pass, and it has been tried on stores that are wrong on purpose.
//!
//! # Run the cases
//!
//! Each [`Case`] has a name, the numbers of the rules that it checks, and runs on a store of its
//! own. [`cases`] is the one list of them, and a store runs all of it. With
//! [`libtest-mimic`](https://docs.rs/libtest-mimic) they show as tests with their own names. In
//! `Cargo.toml`:
//!
//! ```toml
//! [dev-dependencies]
//! libtest-mimic = "0.8"
//! messenger-core = { version = "0.1", features = ["testing"] }
//!
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! And in `tests/conformance.rs`, which is whole:
//!
//! ```no_run
//! # mod libtest_mimic {
//! #     pub struct Arguments;
//! #     impl Arguments { pub fn from_args() -> Self { Self } }
//! #     pub struct Failed;
//! #     impl<T: std::fmt::Display> From<T> for Failed { fn from(_: T) -> Self { Self } }
//! #     pub struct Trial;
//! #     impl Trial {
//! #         pub fn test(_: String, _: impl FnOnce() -> Result<(), Failed> + 'static) -> Self { Self }
//! #     }
//! #     pub struct Conclusion;
//! #     impl Conclusion { pub fn exit(self) {} }
//! #     pub fn run(_: &Arguments, _: Vec<Trial>) -> Conclusion { Conclusion }
//! # }
//! # use messenger_core::testing::ModelStore as MyStore;
//! use libtest_mimic::{Arguments, Trial};
//! use messenger_core::testing;
//!
//! fn main() {
//!     let trials = testing::cases().iter().map(|case| {
//!         Trial::test(case.to_string(), move || Ok(case.run_blocking(&MyStore::new)?))
//!     });
//!     libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit()
//! }
//! ```
//!
//! # Give the suite a store
//!
//! A closure that makes an empty store is a [`StoreBuilder`]. Where making one is async, may fail,
//! or needs something that lives as long as the store, implement the trait and return a
//! [`Fresh`]. A fresh store need not be empty: each case makes users of its own that nobody else
//! has, so all cases can share one database, also at the same time, also with earlier runs.
//!
//! If several processes write your store, give its builder a second client
//! ([`Fresh::with_other`]): what one writes must show through the other.
//!
//! A case that fails answers with a [`Failure`] that says what was done, what was expected and
//! what came. A case that takes longer than [`Case::TIME_LIMIT`] fails too.
//!
//! # Run the model
//!
//! Cases try what somebody thought of. [`Lockstep`] makes up calls: it drives a
//! [`Messenger`](crate::Messenger) over one or several stores and over the [`Model`], a few ordered
//! maps, and compares each answer. When they disagree it looks for the shortest list of calls that
//! shows it, and prints that.
//!
//! ```
//! # use messenger_core::testing::ModelStore as MyStore;
//! use messenger_core::testing::Lockstep;
//!
//! let runtime = tokio::runtime::Runtime::new()?;
//! let figures = Lockstep::new()
//!     .with_store("mine", MyStore::new)
//!     .with_cases(20) // else from PROPTEST_CASES, else 256
//!     .run(&runtime)?;
//! println!("no disagreement: {figures}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the suite cannot see
//!
//! It does not kill processes, cut networks or skew the clocks of machines: rule 8 under a crash
//! is for a store's own tests. And rule 12 is checked by a ratio so generous that only a store
//! which reads everything fails: how fast a page is, a benchmark tells.
//!
//! [`Store`]: crate::Store

mod builder;
mod cases;
mod check;
mod client;
mod failure;
mod gate;
mod lockstep;
mod manual_time;
mod model;
mod sending;
mod settling;
mod stage;

pub use builder::{Fresh, StoreBuilder};
pub use cases::{Case, cases};
pub use failure::Failure;
pub use gate::{Gate, Held, Point};
pub use lockstep::{Figures, Lockstep};
pub use manual_time::ManualTime;
pub use model::{Model, ModelStore};
pub use settling::Settling;
