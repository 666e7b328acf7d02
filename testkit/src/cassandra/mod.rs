//! Nodes of Apache Cassandra 5.0.
//!
//! These sources are tried in order: nodes named in the environment (as the shared node only, so that
//! nobody's nodes are killed), Docker (image `cassandra:5.0`), and the server's jars from Maven
//! Central with a JDK and `mvn`. If all fail, [`Unavailable`] has a reason for each.
//!
//! Each cluster has its own loopback addresses, 127.X.Y.1 to 3 with random X and Y, and the default
//! port 9042. So any number of clusters can run at once, next to a Cassandra at 127.0.0.1. JMX is off.

mod cluster;
mod config;
mod docker;
mod error;
mod jars;
mod launch;
mod log;
mod maven;
mod node;
mod nodes;
mod outcome;
mod probe;
mod shared;
mod source;

pub use self::cluster::{Builder, Cluster};
pub use self::error::Unavailable;
pub use self::node::Node;
pub use self::nodes::Nodes;
pub use self::shared::shared;
pub use self::source::Source;
