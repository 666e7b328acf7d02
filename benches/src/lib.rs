//! How fast the messenger is, in relation to what could be had without it. Unpublished.
//!
//! A figure of these benches is a ratio: the messenger and a *baseline* do the same work in one
//! process and one run, in turns so short that whatever else the machine does meets both alike. The
//! baseline of the memory store is a bare ordered map, that of the Cassandra store the bare driver
//! with the same statements, that of the HTTP server hyper that answers the same bytes.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`pair`] | the two sides of a comparison |
//! | [`ratio`] | measures a pair by turns |
//! | [`calls`], [`pages`], [`lists`], [`store`], [`sends`] | what most sides are made of: calls with arguments, pages, the lists that they are of, the calls of a store, messages to send |
//! | [`memory`], [`http`], [`cassandra`] | the one list of pairs for each store and for the server; criterion's benches and `ratios` run the same ones |
//! | [`resident`] | how much memory a process holds |
//! | [`load`] | drives a running server over HTTP, for the binary of that name |
//! | `budget` | how many instructions each hot path may take (feature `instructions`) |
//! | [`report`] | writes the tables and charts of `docs/performance.md` |
//!
//! `docs/performance.md` has the figures and the commands that give them.

#[cfg(feature = "instructions")]
pub mod budget;
pub mod calls;
pub mod cassandra;
pub mod http;
pub mod lists;
pub mod load;
pub mod memory;
pub mod pages;
pub mod pair;
pub mod ratio;
pub mod report;
pub mod resident;
pub mod sends;
pub mod store;
