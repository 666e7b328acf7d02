//! The flags of the Cassandra store.

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};

/// Overrides what [`CassandraConfig::from_env`] reads, which also takes user, password and timeouts.
/// A password has no flag: other users of the machine could read it.
#[derive(Args, Clone, Debug)]
pub(super) struct CassandraArguments {
    /// Some nodes of the cluster, separated by commas (default 127.0.0.1:9042). The environment
    /// variables MESSENGER_CASSANDRA_USER and MESSENGER_CASSANDRA_PASSWORD hold the credentials.
    #[arg(
        id = "cassandra-nodes",
        long,
        env = "MESSENGER_CASSANDRA_NODES",
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        value_parser = node
    )]
    nodes: Option<Vec<String>>,

    /// Keyspace of the tables (default messenger).
    #[arg(
        id = "cassandra-keyspace",
        long,
        env = "MESSENGER_CASSANDRA_KEYSPACE",
        value_name = "NAME"
    )]
    keyspace: Option<String>,

    /// Datacenter to talk to. Required if the cluster has several.
    #[arg(
        id = "cassandra-datacenter",
        long,
        env = "MESSENGER_CASSANDRA_DATACENTER",
        value_name = "NAME"
    )]
    datacenter: Option<String>,

    /// Creates the keyspace and tables in Cassandra if they do not exist.
    #[arg(long, env = "MESSENGER_MIGRATE")]
    migrate: bool,

    /// Replicas of a keyspace that --migrate creates: in each datacenter, such as 3 (the default; a
    /// single node needs 1), or by datacenter, such as eu=3,us=2.
    #[arg(
        id = "cassandra-replication",
        long,
        env = "MESSENGER_CASSANDRA_REPLICATION",
        value_name = "REPLICAS"
    )]
    replication: Option<Replication>,
}

impl CassandraArguments {
    /// Opens the store, after creating its tables if `--migrate` is set.
    pub(super) async fn open(&self) -> Result<CassandraStore> {
        self.connect()
            .await
            .context("cannot open the Cassandra store")
    }

    async fn connect(&self) -> Result<CassandraStore> {
        let config = self.config()?;
        if self.migrate {
            CassandraStore::migrate(&config).await?;
        }
        Ok(CassandraStore::connect(&config).await?)
    }

    fn config(&self) -> Result<CassandraConfig> {
        let mut config = CassandraConfig::from_env()?;
        if let Some(nodes) = &self.nodes {
            config = config.with_nodes(nodes);
        }
        if let Some(keyspace) = &self.keyspace {
            config = config.with_keyspace(keyspace);
        }
        if let Some(replication) = &self.replication {
            config = config.with_replication(replication.clone());
        }
        if let Some(datacenter) = &self.datacenter {
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
