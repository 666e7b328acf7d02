//! The store that the flags choose.

#[cfg(feature = "cassandra")]
mod cassandra;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use messenger_core::Store;
use messenger_core::store::Measured;
use messenger_memory::MemoryStore;
use messenger_sqlite::SqliteStore;

use crate::values::variables;

/// The flags that choose a store and say where it is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreArguments {
    /// Store that keeps the messages.
    #[arg(
        id = "store",
        long,
        env = "MESSENGER_STORE",
        value_enum,
        default_value = "sqlite",
        value_name = "STORE"
    )]
    pub(crate) kind: StoreKind,

    #[command(flatten)]
    pub(crate) data: DataArguments,

    #[cfg(feature = "cassandra")]
    #[command(flatten)]
    cassandra: cassandra::CassandraArguments,
}

/// The directory of the SQLite store.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub(crate) struct DataArguments {
    /// Directory of the SQLite store. It is created if it does not exist, and must be on a local
    /// disk. One server at a time uses it.
    #[arg(
        id = "data",
        long = "data",
        env = "MESSENGER_DATA",
        default_value = "messenger-data",
        value_name = "DIR"
    )]
    pub(crate) directory: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// In a local directory, on SQLite.
    Sqlite,
    /// In this process, until it ends.
    Memory,
    /// In an Apache Cassandra cluster.
    #[cfg(feature = "cassandra")]
    Cassandra,
}

impl StoreArguments {
    /// Opens the store. Its calls are measured with the recorder that is installed now.
    pub(crate) async fn open(&self) -> Result<Box<dyn Store>> {
        Ok(match self.kind {
            StoreKind::Sqlite => Box::new(Measured::new(SqliteStore::open(&self.data.directory)?)),
            StoreKind::Memory => Box::new(Measured::new(MemoryStore::new())),
            #[cfg(feature = "cassandra")]
            StoreKind::Cassandra => Box::new(Measured::new(self.cassandra.open().await?)),
        })
    }

    /// Returns the environment variables that are set but have no effect on the chosen store.
    ///
    /// A variable may well be set for another program, so it is worth a warning and not an error.
    pub(crate) fn ignored_variables(&self) -> Vec<String> {
        if self.kind.is_cassandra() {
            return Vec::new();
        }
        variables("MESSENGER_CASSANDRA_")
    }
}

impl StoreKind {
    pub(crate) fn is_cassandra(self) -> bool {
        match self {
            Self::Sqlite | Self::Memory => false,
            #[cfg(feature = "cassandra")]
            Self::Cassandra => true,
        }
    }

    /// Returns the name of the store, as the flag takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
            #[cfg(feature = "cassandra")]
            Self::Cassandra => "cassandra",
        }
    }
}
