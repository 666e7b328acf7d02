//! A throw-away Cassandra for tests and benches. Unpublished.
//!
//! - [`cassandra::shared`] returns one node for the whole `cargo test --workspace`. The first process
//!   that asks starts it, and it ends when cargo does.
//! - [`cassandra::Cluster`] is one node or a ring of three for the caller alone, with nodes that can
//!   be paused, killed and restarted.
//! - [`trial`] creates test cases that are reported as ignored, with the reason, if there is no
//!   Cassandra.
//!
//! Nothing is left behind, even after Ctrl-C, a panic or `kill -9`: no process, no container, no
//! data. Only the server's jars stay in `target/testkit`, so that they are downloaded once.
//!
//! ```no_run
//! use testkit::cassandra::{self, Cluster, Unavailable};
//!
//! # fn main() -> Result<(), Unavailable> {
//! let nodes = cassandra::shared()?;
//! println!("connect to {}", nodes.contact_points().join(","));
//!
//! let ring = Cluster::builder().nodes(3).start()?;
//! ring.node(1).kill()?;
//! // … check what works with one node down …
//! ring.node(1).start()?;
//! # Ok(())
//! # }
//! ```
//!
//! All calls block. In async code use `tokio::task::spawn_blocking`. Nodes are started on Linux only,
//! because processes are identified by `/proc`. Elsewhere, name the nodes in the environment.
//!
//! # Environment
//!
//! | variable | meaning |
//! | --- | --- |
//! | `MESSENGER_CASSANDRA_NODES` | `host:port,…`: use these nodes as the shared node and start none |
//! | `MESSENGER_CASSANDRA_FROM` | `docker` or `maven`: start nodes only from there |
//! | `MESSENGER_REQUIRE_CASSANDRA` | `1`: a missing Cassandra fails tests instead of skipping them |

pub mod cassandra;
mod process;
pub mod trial;
