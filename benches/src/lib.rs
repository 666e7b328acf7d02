//! Benchmarks of the messenger against baselines. Unpublished.
//!
//! A figure is a ratio: the messenger and a baseline do the same work in one process and one run, in
//! turns of 50 ms, so that other load on the machine affects both alike. The baseline of the memory
//! store is a bare ordered map, those of the stores on SQLite and Cassandra are rusqlite and the bare
//! driver with the same statements, and that of the HTTP server is hyper returning the same bytes.
//!
//! | module | contents |
//! | --- | --- |
//! | [`pair`] | a workload, and a pair of them: subject and baseline |
//! | [`ratio`] | the measurement of a pair |
//! | `operation`, `page` | one call of a store with the rows that it must return; the pages of a list |
//! | `repeat`, `sends` | workloads: the same operations in a cycle; new messages |
//! | [`messages`] | users and messages |
//! | `fill` | lists, written to a store |
//! | `recorder` | metrics and log |
//! | [`memory`], [`sqlite`], [`cassandra`], [`http`] | the pairs of each store and of the server, with their baselines |
//!
//! `docs/performance.md` lists the commands.

pub mod cassandra;
mod fill;
pub mod http;
pub mod memory;
pub mod messages;
mod operation;
mod page;
pub mod pair;
pub mod ratio;
mod recorder;
mod repeat;
mod sends;
pub mod sqlite;
