//! Benchmarks of the messenger against baselines. Unpublished.
//!
//! A figure is a ratio: the messenger and a baseline do the same work in one process and one run, in
//! turns of 50 ms, so that other load on the machine affects both alike. The baseline of the memory
//! store is a bare ordered map, that of the Cassandra store is the bare driver with the same
//! statements, and that of the HTTP server is hyper returning the same bytes.
//!
//! | module | contents |
//! | --- | --- |
//! | [`pair`] | a workload, and a pair of them: subject and baseline |
//! | [`ratio`] | the measurement of a pair |
//! | `operation`, `page` | one call of a store with the rows that it must return; the pages of a list |
//! | `repeat`, `sends` | workloads: the same operations in a cycle; new messages |
//! | [`messages`] | users and messages |
//! | [`memory`], [`http`], [`cassandra`] | the pairs of each store and of the server, with their baselines |
//!
//! `docs/performance.md` lists the commands.

pub mod cassandra;
pub mod http;
pub mod memory;
pub mod messages;
mod operation;
mod page;
pub mod pair;
pub mod ratio;
mod repeat;
mod sends;
