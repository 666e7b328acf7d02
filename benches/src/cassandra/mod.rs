//! The store on Cassandra against the bare driver that sends the same statements.
