//! The place of a store, in one word.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use messenger_core::Store;
use messenger_sqlite::SqliteStore;

/// `sqlite:DIR` or, with the feature `cassandra`, a Cassandra URL.
#[derive(Debug)]
pub(super) enum Location {
    Sqlite(PathBuf),
    #[cfg(feature = "cassandra")]
    Cassandra(Box<messenger_cassandra::CassandraConfig>),
}

impl Location {
    /// Reads a location. An error contains no part of it, because it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if let Some(directory) = text.strip_prefix("sqlite:") {
            ensure!(!directory.is_empty(), "sqlite: needs a directory after it");
            return Ok(Self::Sqlite(directory.into()));
        }
        #[cfg(feature = "cassandra")]
        if text.starts_with("cassandra:") {
            let config = messenger_cassandra::CassandraConfig::from_url(text)?;
            return Ok(Self::Cassandra(Box::new(config)));
        }
        bail!("it must be sqlite:DIR or cassandra://HOST:PORT/KEYSPACE")
    }

    /// Opens a store that exists.
    pub(super) async fn open_source(&self) -> Result<Box<dyn Store>> {
        match self {
            Self::Sqlite(directory) => {
                let file = directory.join("messenger.db");
                ensure!(file.exists(), "there is no {}", file.display());
            }
            #[cfg(feature = "cassandra")]
            Self::Cassandra(_) => {}
        }
        self.open().await
    }

    /// Opens a store. Creates a SQLite store if it does not exist and, with `migrate`, the tables of a
    /// Cassandra store.
    pub(super) async fn open_target(&self, migrate: bool) -> Result<Box<dyn Store>> {
        match self {
            #[cfg(feature = "cassandra")]
            Self::Cassandra(config) => {
                if migrate {
                    messenger_cassandra::CassandraStore::migrate(config).await?;
                }
            }
            Self::Sqlite(_) => ensure!(!migrate, "--migrate has no effect on a SQLite store"),
        }
        self.open().await
    }

    async fn open(&self) -> Result<Box<dyn Store>> {
        Ok(match self {
            Self::Sqlite(directory) => {
                Box::new(SqliteStore::open(directory).context("cannot open the SQLite store")?)
            }
            #[cfg(feature = "cassandra")]
            Self::Cassandra(config) => Box::new(
                (messenger_cassandra::CassandraStore::connect(config).await)
                    .context("cannot open the Cassandra store")?,
            ),
        })
    }
}
