//! A throw-away Cassandra for tests, benches and examples. Unpublished.
//!
//! - [`cassandra::shared`] gives the one node that a whole `cargo test --workspace` shares: whoever
//!   asks first starts it, in whichever process, and it ends when cargo does.
//! - [`cassandra::Cluster`] is one node or a ring of three of the caller's own, with nodes that can
//!   be paused, killed and started again.
//! - [`trial`] makes test cases that are reported as ignored, with the reason, where there is no
//!   Cassandra to be had.
//!
//! Nothing is left behind, also after Ctrl-C, a panic or `kill -9`: no process, no container, no
//! data. Only the server's jars stay, in `target/testkit`, so that they are downloaded once.
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
//! // … what still works with one node down? …
//! ring.node(1).start()?;
//! # Ok(())
//! # }
//! ```
//!
//! All calls block; from async code use `tokio::task::spawn_blocking`. Linux only: processes are
//! identified by `/proc`. Elsewhere, name the nodes in the environment.
//!
//! # Environment
//!
//! | variable | meaning |
//! | --- | --- |
//! | `MESSENGER_CASSANDRA_NODES` | `host:port,…`: use these as the shared node, start none |
//! | `MESSENGER_CASSANDRA_FROM` | `docker` or `maven`: start nodes only from there |
//! | `MESSENGER_REQUIRE_CASSANDRA` | `1`: not having a Cassandra is a failure, not a reason to skip |

pub mod cassandra;
mod process;
pub mod trial;
