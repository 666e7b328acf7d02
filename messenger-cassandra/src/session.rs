//! The driver's session: its setup, and the few ways in which requests are sent.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use messenger_core::{Clock, Error, ErrorKind, Outcome, Position, Timestamp};
use metrics::counter;
use scylla::client::execution_profile::{ExecutionProfile, ExecutionProfileHandle};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::cluster::ClusterState;
use scylla::errors::{ExecutionError, TranslationError};
use scylla::policies::address_translator::{AddressTranslator, UntranslatedPeer};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch as DriverBatch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;
use scylla::statement::{Consistency as DriverConsistency, SerialConsistency};
use tokio::sync::Semaphore;

use crate::budget::{Budget, SpeculativeReads};
use crate::clock;
use crate::config::{CassandraConfig, Consistency};
use crate::error;
use crate::monitor::Monitor;
use crate::retry::Retry;
use crate::schema;
use crate::statements::Statements;
use crate::window::{Bucket, Windows};
use crate::write::batch::{Batch, Write};

/// The time after which an idle connection is probed, and the time that the answer may take. A
/// node that hangs is given up after twice this time.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// The largest number of tasks that delete left-over rows at the same time.
const TIDYING: usize = 64;

/// A session, and the execution profile of a configuration. Every statement names the profile, so
/// that a session that the service uses for other things as well will do.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) session: Arc<Session>,
    profile: ExecutionProfileHandle,
    budget: Arc<Budget>,
}

/// A session whose tables were checked, with the statements prepared.
#[derive(Debug)]
pub(crate) struct Db {
    client: Client,
    pub(crate) statements: Statements,
    pub(crate) windows: Windows,
    pub(crate) timeout: Duration,
    /// The position from which on `latest` holds every change; `None` while servers of version 1 may
    /// write.
    latest_since: Option<Position>,
    pub(crate) monitor: Monitor,
    serial: SerialConsistency,
    tidying: Arc<Semaphore>,
}

/// The time at which a call must end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(tokio::time::Instant);

impl Deadline {
    /// Returns the result of the future, or this error if the time is over first.
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

/// Opens a session, and refuses what is known to be wrong about the cluster.
pub(crate) async fn open(config: &CassandraConfig) -> Result<Client, Error> {
    config.check()?;
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.nodes)
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
    Client::new(Arc::new(session), config)
}

impl Client {
    pub(crate) fn new(session: Arc<Session>, config: &CassandraConfig) -> Result<Self, Error> {
        config.check()?;
        let local = config.datacenter.as_ref();
        check_datacenter(&session.get_cluster_state(), local)?;
        let mut policy = DefaultPolicy::builder().token_aware(true);
        if let Some(datacenter) = local {
            policy = policy.prefer_datacenter(datacenter.clone());
        }
        let consistency = match config.consistency {
            Consistency::LocalQuorum => DriverConsistency::LocalQuorum,
            Consistency::Quorum => DriverConsistency::Quorum,
        };
        let budget = Budget::full();
        let profile = ExecutionProfile::builder()
            .consistency(consistency)
            .serial_consistency(Some(serial(config)))
            .load_balancing_policy(policy.permit_dc_failover(false).build())
            .retry_policy(Arc::new(Retry::new(Arc::clone(&budget))))
            // Each call has a deadline that bounds all of its requests and their attempts.
            .request_timeout(None)
            .build();
        Ok(Self {
            session,
            profile: profile.into_handle(),
            budget,
        })
    }

    /// A statement that is sent as text. It must be one that may be executed twice.
    pub(crate) fn statement(&self, cql: impl Into<String>) -> Statement {
        let mut statement = Statement::new(cql);
        statement.set_execution_profile_handle(Some(self.profile.clone()));
        statement.set_is_idempotent(true);
        statement
    }

    /// Prepares a statement that may be executed twice.
    pub(crate) async fn prepare(&self, cql: String) -> Result<PreparedStatement, Error> {
        let mut statement = self.session.prepare(cql).await.map_err(error::prepare)?;
        statement.set_execution_profile_handle(Some(self.profile.clone()));
        statement.set_history_listener(Arc::clone(&self.budget) as _);
        statement.set_is_idempotent(true);
        Ok(statement)
    }

    /// The profile of reads that may go to a second node.
    fn speculative(&self, delay: Duration) -> ExecutionProfileHandle {
        let policy = SpeculativeReads {
            delay,
            budget: Arc::clone(&self.budget),
        };
        let builder = self.profile.pointee_to_builder();
        let builder = builder.speculative_execution_policy(Some(Arc::new(policy)));
        builder.build().into_handle()
    }
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

/// The replicas that decide a transaction: those of the local datacenter if one is declared.
fn serial(config: &CassandraConfig) -> SerialConsistency {
    match (&config.datacenter, config.consistency) {
        (Some(_), Consistency::LocalQuorum) => SerialConsistency::LocalSerial,
        _ => SerialConsistency::Serial,
    }
}

impl Db {
    /// Checks the tables and prepares the statements.
    pub(crate) async fn open(client: Client, config: &CassandraConfig) -> Result<Self, Error> {
        let schema = schema::check(&client, config).await?;
        let state = client.session.get_cluster_state();
        let has_second = schema::has_second_replica(&state, &config.keyspace);
        let mut statements = Statements::prepare(&client, &config.keyspace).await?;
        // The driver prepares for a second attempt with each read: that shows where reads are fast.
        if let Some(delay) = config.speculative_reads.filter(|_| has_second) {
            statements.let_reads_speculate(&client.speculative(delay));
        }
        Ok(Self {
            monitor: Monitor::start(client.clone(), config),
            client,
            statements,
            windows: schema.windows,
            timeout: config.request_timeout,
            latest_since: schema.latest_since,
            serial: serial(config),
            tidying: Arc::new(Semaphore::new(TIDYING)),
        })
    }

    /// Returns the newest bucket that a message or a log key can be in: nothing lies further ahead than
    /// a clock may run, and clocks are apart by no more than is tolerated.
    pub(crate) fn newest_bucket(&self) -> Bucket {
        let ahead = Clock::MAX_AHEAD + 2 * clock::TOLERATED;
        let latest = Timestamp::now().saturating_add(ahead);
        self.windows.bucket(Position::start_of(latest))
    }

    /// Returns whether only servers of version 2 write to the tables.
    pub(crate) fn has_only_version_2(&self) -> bool {
        self.latest_since.is_some()
    }

    /// Returns whether `latest` holds every change with a key above a position: servers of version 1
    /// did not write it.
    pub(crate) fn has_latest_above(&self, position: Position) -> bool {
        self.latest_since.is_some_and(|since| since <= position)
    }

    pub(crate) fn deadline(&self) -> Deadline {
        // The configuration bounds it, so the sum does not overflow.
        Deadline(tokio::time::Instant::now() + self.timeout)
    }

    /// Runs work that nobody waits for, or drops it if there is too much of it already. What it
    /// would have deleted stays, changes no page, and is deleted by whoever meets it next.
    pub(crate) fn tidy_later(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(permit) = Arc::clone(&self.tidying).try_acquire_owned() {
            tokio::spawn(async move {
                work.await;
                drop(permit);
            });
        }
    }

    /// Returns the rows of a read.
    pub(crate) async fn read(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<QueryRowsResult, Error> {
        let result = self
            .client
            .session
            .execute_unpaged(statement, values)
            .await
            .map_err(error::read)?;
        result.into_rows_result().map_err(error::undecodable)
    }

    /// Writes one row outside of any view: the caller states the outcome.
    pub(crate) async fn write(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<(), Error> {
        self.monitor.writable()?;
        self.client
            .session
            .execute_unpaged(statement, values)
            .await
            .map_err(error::read)?;
        Ok(())
    }

    /// Executes a logged batch: all of it or nothing, in the end. It goes to a replica of the first
    /// statement's partition.
    ///
    /// Its log is kept on two other nodes, and the coordinator waits for both. If one of them has
    /// died and the cluster does not know it yet, the batch times out with its log on the other
    /// node. It will be replayed from there, so its partitions may be written now, each by itself.
    /// Otherwise no send would succeed on a ring of three until the failure detector has noticed.
    pub(crate) async fn batch(&self, partitions: Batch<'_>) -> Result<(), Error> {
        self.monitor.writable()?;
        let retry = Retry::new(Arc::clone(&self.client.budget));
        let all = partitions.iter().flatten();
        match self
            .execute(BatchType::Logged, all, Some(retry.clone()))
            .await
        {
            Ok(()) => Ok(()),
            Err(error) if error::is_logged_once(&error) => {
                counter!("messenger_cassandra_half_logged_batches_total").increment(1);
                self.write_each(&partitions).await
            }
            Err(error) => {
                let verdict = error::of_request(&error);
                Err(verdict
                    .of_write(worst(verdict.outcome, retry.outcome()))
                    .with_source(error))
            }
        }
    }

    /// Writes the partitions of a batch that will be replayed in any case, each by itself and at
    /// once. What goes to one partition stays one mutation.
    async fn write_each(&self, partitions: &Batch<'_>) -> Result<(), Error> {
        let writes = partitions
            .iter()
            .map(|partition| self.execute(BatchType::Unlogged, partition, None));
        try_join_all(writes).await.map_err(|error| {
            let verdict = error::of_request(&error);
            verdict.of_write(Outcome::Unknown).with_source(error)
        })?;
        Ok(())
    }

    async fn execute<'a>(
        &self,
        kind: BatchType,
        rows: impl IntoIterator<Item = &'a Write<'a>>,
        retry: Option<Retry>,
    ) -> Result<(), ExecutionError> {
        let mut batch = DriverBatch::new(kind);
        batch.set_is_idempotent(true);
        batch.set_execution_profile_handle(Some(self.client.profile.clone()));
        batch.set_history_listener(Arc::clone(&self.client.budget) as _);
        if let Some(retry) = retry {
            batch.set_retry_policy(Some(Arc::new(retry)));
        }
        let mut values = Vec::new();
        for (statement, row) in rows {
            batch.append_statement((*statement).clone());
            values.push(row);
        }
        self.client.session.batch(&batch, values).await?;
        Ok(())
    }

    /// Executes a lightweight transaction, and returns its answer.
    pub(crate) async fn transaction(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<QueryRowsResult, Error> {
        self.monitor.writable()?;
        let retry = Retry::new(Arc::clone(&self.client.budget));
        let mut statement = statement.clone();
        statement.set_serial_consistency(Some(self.serial));
        statement.set_retry_policy(Some(Arc::new(retry.clone())));
        match self
            .client
            .session
            .execute_unpaged(&statement, values)
            .await
        {
            Ok(result) => result.into_rows_result().map_err(error::undecodable),
            Err(error) => {
                let verdict = error::of_request(&error);
                Err(verdict
                    .of_write(worst(verdict.outcome, retry.outcome()))
                    .with_source(error))
            }
        }
    }
}

fn worst(one: Outcome, other: Outcome) -> Outcome {
    match (one, other) {
        (Outcome::NotApplied, Outcome::NotApplied) => Outcome::NotApplied,
        _ => Outcome::Unknown,
    }
}

/// A map of addresses. One that is not in the map stays as it is.
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
