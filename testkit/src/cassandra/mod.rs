//! Nodes of Apache Cassandra 5.0: where they come from and what can be done to them.
//!
//! In this order: nodes named in the environment (as the shared node only; nobody's real nodes are
//! killed), else Docker if an engine answers (image `cassandra:5.0`), else the server's jars from
//! Maven Central with a JDK and `mvn`, else [`Unavailable`] with a reason for each.
//!
//! Each cluster has loopback addresses of its own, 127.X.Y.1 to 3 with random X and Y, at the usual
//! port 9042; so any number of clusters run side by side, and beside a Cassandra at 127.0.0.1. JMX
//! is off.

mod cluster;
mod config;
mod docker;
mod environment;
mod error;
mod jars;
mod launch;
mod log;
mod maven;
mod node;
mod nodes;
mod options;
mod outcome;
mod probe;
mod shared;
mod source;

pub use self::{
    cluster::{Builder, Cluster},
    error::Unavailable,
    node::Node,
    nodes::Nodes,
    shared::shared,
    source::Source,
};
