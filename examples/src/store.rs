//! Which store a program works on.

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::Store;
use messenger_memory::MemoryStore;

use crate::program::yes_or_no;

/// The flags that choose a store.
///
/// Those of Cassandra go over what [`CassandraConfig::from_env`] reads, which also takes user,
/// password and timeouts. A password has no flag: others on the machine could read it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// Where messages are kept.
    #[arg(
        long,
        env = "MESSENGER_STORE",
        value_enum,
        default_value_t,
        value_name = "STORE"
    )]
    store: StoreKind,

    /// Some nodes of the Cassandra cluster, with commas between them. Else 127.0.0.1:9042.
    #[arg(
        long,
        env = "MESSENGER_CASSANDRA_NODES",
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        value_parser = node
    )]
    cassandra_nodes: Option<Vec<String>>,

    /// The keyspace of the tables. Else messenger.
    #[arg(long, env = "MESSENGER_CASSANDRA_KEYSPACE", value_name = "NAME")]
    cassandra_keyspace: Option<String>,

    /// How many copies --migrate gives a new keyspace: in each datacenter, such as 3 (the default;
    /// a single node can have only 1), or by datacenter, such as eu=3,us=2.
    #[arg(long, env = "MESSENGER_CASSANDRA_REPLICATION", value_name = "COPIES")]
    cassandra_replication: Option<Replication>,

    /// The datacenter to talk to; to be named where the cluster has several.
    #[arg(long, env = "MESSENGER_CASSANDRA_DATACENTER", value_name = "NAME")]
    cassandra_datacenter: Option<String>,

    /// First makes the keyspace and the tables in Cassandra, as far as they are not there.
    #[arg(long, env = "MESSENGER_MIGRATE", value_parser = yes_or_no)]
    migrate: bool,
}

/// A store by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// In this process, until it ends.
    #[default]
    Memory,
    /// In an Apache Cassandra cluster. MESSENGER_CASSANDRA_USER and MESSENGER_CASSANDRA_PASSWORD
    /// say as whom; MESSENGER_CASSANDRA_URL can say all of it at once.
    Cassandra,
}

impl StoreArgs {
    /// Which store was chosen.
    pub fn kind(&self) -> StoreKind {
        self.store
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// When it cannot be reached or is not set up.
    pub async fn open(&self) -> Result<Box<dyn Store>> {
        match self.store {
            StoreKind::Memory => Ok(Box::new(MemoryStore::new())),
            StoreKind::Cassandra => {
                let store = self.open_cassandra().await.context("no Cassandra store")?;
                Ok(Box::new(store))
            }
        }
    }

    async fn open_cassandra(&self) -> Result<CassandraStore> {
        let config = self.cassandra_config()?;
        if self.migrate {
            CassandraStore::migrate(&config).await?;
        }
        Ok(CassandraStore::connect(&config).await?)
    }

    fn cassandra_config(&self) -> Result<CassandraConfig> {
        let mut config = CassandraConfig::from_env()?;
        if let Some(nodes) = &self.cassandra_nodes {
            config = config.with_nodes(nodes);
        }
        if let Some(keyspace) = &self.cassandra_keyspace {
            config = config.with_keyspace(keyspace);
        }
        if let Some(replication) = &self.cassandra_replication {
            config = config.with_replication(replication.clone());
        }
        if let Some(datacenter) = &self.cassandra_datacenter {
            config = config.with_datacenter(datacenter);
        }
        Ok(config)
    }
}

fn node(text: &str) -> Result<String> {
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let well_formed = match text.rsplit_once(':') {
        Some((host, port)) => !host.is_empty() && is_port(port),
        None => !text.is_empty(),
    };
    ensure!(
        well_formed,
        "each must be a host, or a host and a port, such as 10.0.0.1:9042"
    );
    Ok(text.to_owned())
}

impl StoreKind {
    /// The store's name, as the flag takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cassandra => "cassandra",
        }
    }
}
