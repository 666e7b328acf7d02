//! The driver's session: how it is set up, and the few ways in which requests are made.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use messenger_core::{Error, ErrorKind, Outcome};
use metrics::counter;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::cluster::ClusterState;
use scylla::errors::TranslationError;
use scylla::policies::address_translator::{AddressTranslator, UntranslatedPeer};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency as DriverConsistency, SerialConsistency};

use crate::config::{CassandraConfig, Consistency};
use crate::error;
use crate::retry::Retry;
use crate::schema;
use crate::statements::Statements;
use crate::window::Windows;

/// How far the clocks of two machines may be apart. It is part of the settle time.
pub(crate) const TOLERATED_SKEW: Duration = Duration::from_secs(2);

/// How often an idle connection is asked whether it is still one, and how long it may take to
/// answer. A node that hangs is left after twice this time.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// A session whose tables were checked, with the statements prepared.
#[derive(Debug)]
pub(crate) struct Db {
    session: Session,
    pub(crate) statements: Statements,
    pub(crate) windows: Windows,
    pub(crate) timeout: Duration,
    serial: SerialConsistency,
}

/// When a call must have come to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(tokio::time::Instant);

impl Deadline {
    /// The result of the future, or, when the time is over before, this error.
    pub(crate) async fn bound<T>(
        self,
        future: impl Future<Output = Result<T, Error>>,
        late: impl FnOnce() -> Error,
    ) -> Result<T, Error> {
        match tokio::time::timeout_at(self.0, future).await {
            Ok(result) => result,
            Err(_) => Err(late()),
        }
    }
}

/// Opens a session, and refuses what can be known to be wrong about the cluster.
pub(crate) async fn open(config: &CassandraConfig) -> Result<Session, Error> {
    config.check()?;
    let local = config.datacenter.as_ref();
    let mut policy = DefaultPolicy::builder().token_aware(true);
    if let Some(datacenter) = local {
        policy = policy.prefer_datacenter(datacenter.clone());
    }
    let consistency = match config.consistency {
        Consistency::LocalQuorum => DriverConsistency::LocalQuorum,
        Consistency::Quorum => DriverConsistency::Quorum,
    };
    let profile = ExecutionProfile::builder()
        .consistency(consistency)
        .serial_consistency(Some(serial(config)))
        .load_balancing_policy(policy.permit_dc_failover(false).build())
        .retry_policy(Arc::new(Retry::default()))
        // Each call has a deadline that bounds all of its requests and their attempts.
        .request_timeout(None)
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.nodes)
        .default_execution_profile_handle(profile.into_handle())
        .keyspaces_to_fetch([config.keyspace.as_str()])
        .connection_timeout(config.connect_timeout)
        .keepalive_interval(KEEPALIVE)
        .keepalive_timeout(KEEPALIVE);
    if let Some((user, password)) = &config.credentials {
        builder = builder.user(user, password);
    }
    if !config.addresses.is_empty() {
        builder = builder.address_translator(Arc::new(Addresses(config.addresses.clone())));
    }
    #[cfg(feature = "tls")]
    {
        builder = builder.tls_context(config.tls.as_ref().map(crate::tls::Tls::context));
    }
    let session = builder
        .build()
        .await
        .map_err(|error| error::connect(error, &config.nodes))?;
    check_datacenter(&session.get_cluster_state(), local)?;
    Ok(session)
}

/// The driver gives an empty plan for each request when the datacenter does not exist.
fn check_datacenter(state: &ClusterState, datacenter: Option<&String>) -> Result<(), Error> {
    let existing = schema::datacenters(state);
    match datacenter {
        Some(name) if !existing.contains(&name.as_str()) => Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "the cluster has no datacenter {name}; it has {}",
                existing.join(", ")
            ),
        )),
        _ => Ok(()),
    }
}

/// Only processes of one datacenter may settle a transaction among themselves.
fn serial(config: &CassandraConfig) -> SerialConsistency {
    match (&config.datacenter, config.consistency) {
        (Some(_), Consistency::LocalQuorum) => SerialConsistency::LocalSerial,
        _ => SerialConsistency::Serial,
    }
}

impl Db {
    /// Opens a session on tables that are there.
    pub(crate) async fn open(config: &CassandraConfig) -> Result<Self, Error> {
        let session = open(config).await?;
        let state = session.get_cluster_state();
        schema::check_replication(&state, config)?;
        let has_second = schema::has_second_replica(&state, &config.keyspace);
        let windows = schema::check(&session, &config.keyspace).await?;
        let mut statements = Statements::prepare(&session, &config.keyspace).await?;
        // The driver prepares for a second attempt with each read: that shows where reads are fast.
        let speculative = config.speculative_reads.filter(|_| has_second);
        statements.let_reads_speculate(speculative.map(|after| {
            let handle = session.get_default_execution_profile_handle();
            handle
                .pointee_to_builder()
                .speculative_execution_policy(Some(Arc::new(SimpleSpeculativeExecutionPolicy {
                    max_retry_count: 1,
                    retry_interval: after,
                })))
                .build()
                .into_handle()
        }));
        Ok(Self {
            session,
            statements,
            windows,
            timeout: config.request_timeout,
            serial: serial(config),
        })
    }

    pub(crate) fn deadline(&self) -> Deadline {
        Deadline(tokio::time::Instant::now() + self.timeout)
    }

    /// The rows of a read.
    pub(crate) async fn read(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<QueryRowsResult, Error> {
        let result = self
            .session
            .execute_unpaged(statement, values)
            .await
            .map_err(error::read)?;
        result.into_rows_result().map_err(error::undecodable)
    }

    /// A write of one row outside of any view: its outcome is the caller's to say.
    pub(crate) async fn write(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<(), Error> {
        self.session
            .execute_unpaged(statement, values)
            .await
            .map_err(error::read)?;
        Ok(())
    }

    /// A logged batch: all of it or nothing, in the end. The first statement decides which replica
    /// is asked.
    ///
    /// Its log is kept on two other nodes, and the coordinator waits for both. When one of them has
    /// died and nobody knows it yet, the batch times out with its log on the other one: it will be
    /// played from there, so its rows may be written now, each by itself. Without that, nobody
    /// could send on a ring of three until the failure detector has noticed.
    pub(crate) async fn batch<V: SerializeRow + Send + Sync>(
        &self,
        rows: Vec<(&PreparedStatement, V)>,
    ) -> Result<(), Error> {
        let retry = Retry::default();
        let mut batch = Batch::new(BatchType::Logged);
        batch.set_is_idempotent(true);
        batch.set_retry_policy(Some(Arc::new(retry.clone())));
        let (statements, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        for &statement in &statements {
            batch.append_statement(statement.clone());
        }
        match self.session.batch(&batch, &values).await {
            Ok(_) => Ok(()),
            Err(error) if error::is_logged_once(&error) => {
                counter!("messenger_cassandra_half_logged_batches_total").increment(1);
                self.write_each(&statements, &values).await
            }
            Err(error) => {
                let verdict = error::of_request(&error);
                Err(verdict
                    .of_write(worst(verdict.outcome, retry.outcome()))
                    .with_source(error))
            }
        }
    }

    /// The rows of a batch that will be played in any case, each by itself and at once.
    async fn write_each<V: SerializeRow + Send + Sync>(
        &self,
        statements: &[&PreparedStatement],
        values: &[V],
    ) -> Result<(), Error> {
        let rows = statements.iter().zip(values);
        let writes = rows.map(|(&statement, row)| self.session.execute_unpaged(statement, row));
        try_join_all(writes).await.map_err(|error| {
            let verdict = error::of_request(&error);
            verdict.of_write(Outcome::Unknown).with_source(error)
        })?;
        Ok(())
    }

    /// A lightweight transaction, and the row that it answers.
    pub(crate) async fn transaction(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<QueryRowsResult, Error> {
        let retry = Retry::default();
        let mut statement = statement.clone();
        statement.set_serial_consistency(Some(self.serial));
        statement.set_retry_policy(Some(Arc::new(retry.clone())));
        match self.session.execute_unpaged(&statement, values).await {
            Ok(result) => result.into_rows_result().map_err(error::undecodable),
            Err(error) => {
                let verdict = error::of_request(&error);
                Err(verdict
                    .of_write(worst(verdict.outcome, retry.outcome()))
                    .with_source(error))
            }
        }
    }

    /// Whether a majority answers and this machine's clock agrees with that of the node.
    pub(crate) async fn health(&self) -> Result<(), Error> {
        let skew = self.skew().await?;
        if skew > TOLERATED_SKEW {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "this machine's clock is {skew:.1?} apart from that of a Cassandra node, more \
                     than the tolerated {TOLERATED_SKEW:?}; synchronize both"
                ),
            ));
        }
        Ok(())
    }

    /// By how much this clock and that of a node are apart at least: the node's time was taken
    /// between sending and receiving.
    async fn skew(&self) -> Result<Duration, Error> {
        let (before, started) = (SystemTime::now(), Instant::now());
        let rows = self.read(&self.statements.health, ("messenger",)).await?;
        let after = before + started.elapsed();
        let (_, there) = rows
            .single_row::<(i32, i64)>()
            .map_err(error::undecodable)?;
        let there =
            SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(there).unwrap_or(0));
        let ahead = there.duration_since(after).unwrap_or_default();
        let behind = before.duration_since(there).unwrap_or_default();
        Ok(ahead.max(behind))
    }

    /// Warns at the start about what will make the store not ready.
    pub(crate) async fn warn_of_skew(&self) {
        if let Err(error) = self.health().await {
            tracing::warn!(%error, "the store is not ready yet");
        }
    }
}

fn worst(one: Outcome, other: Outcome) -> Outcome {
    match (one, other) {
        (Outcome::NotApplied, Outcome::NotApplied) => Outcome::NotApplied,
        _ => Outcome::Unknown,
    }
}

/// Addresses that are not in the map stay as they are.
struct Addresses(HashMap<SocketAddr, SocketAddr>);

#[async_trait]
impl AddressTranslator for Addresses {
    async fn translate_address(
        &self,
        peer: &UntranslatedPeer,
    ) -> Result<SocketAddr, TranslationError> {
        let given = peer.untranslated_address();
        Ok(self.0.get(&given).copied().unwrap_or(given))
    }
}
