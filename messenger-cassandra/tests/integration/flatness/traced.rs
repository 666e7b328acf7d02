//! A store whose requests are traced by the node: the number of rows and tombstones that they read.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::Failed;
use messenger_cassandra::{CassandraConfig, CassandraStore};
use messenger_core::Error;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use uuid::Uuid;

use crate::relay::{Frame, Relay, Way};

/// The opcode of EXECUTE in the protocol, and the flag of a request that is traced.
const EXECUTE: u8 = 0x0a;
const TRACE: u8 = 0x02;

/// A store behind a relay that marks each statement as one to be traced.
pub(crate) struct Traced {
    pub(crate) store: CassandraStore,
    /// The same keyspace, past the relay.
    pub(crate) quick: CassandraStore,
    pub(crate) keyspace: String,
    pub(crate) bare: Session,
    traces: Arc<Mutex<Vec<Uuid>>>,
    _relay: Relay,
}

/// The rows that all statements of a call read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) statements: u64,
    pub(crate) rows: u64,
    pub(crate) tombstones: u64,
}

impl Traced {
    pub(crate) async fn connect(config: &CassandraConfig, node: &str) -> Result<Self, Failed> {
        let traces: Arc<Mutex<Vec<Uuid>>> = Arc::default();
        let collected = Arc::clone(&traces);
        let relay = Relay::start(node, move |way, frame| {
            match way {
                Way::Request => mark(frame),
                Way::Answer => {
                    let mut traces = collected.lock().unwrap_or_else(PoisonError::into_inner);
                    traces.extend(trace_of(frame));
                }
            }
            Duration::ZERO
        })
        .await?;
        // Traces are kept twice, which a single node cannot.
        let one = ExecutionProfile::builder()
            .consistency(Consistency::One)
            .build();
        let bare = SessionBuilder::new()
            .known_node(node)
            .default_execution_profile_handle(one.into_handle())
            .build()
            .await?;
        Ok(Self {
            store: CassandraStore::connect(&relay.on_the_way(config, node).await?).await?,
            quick: CassandraStore::connect(config).await?,
            keyspace: config.keyspace().to_owned(),
            bare,
            traces,
            _relay: relay,
        })
    }

    /// Makes a call and says what it read.
    pub(crate) async fn cost<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<(T, Cost), Failed> {
        self.take_traces();
        let result = call.await?;
        let mut cost = Cost::default();
        for trace in self.take_traces() {
            // A deletion of left-over rows may have come between: it reads nothing.
            if let Some((rows, tombstones)) = self.read_of(trace).await? {
                cost.statements += 1;
                cost.rows += rows;
                cost.tombstones += tombstones;
            }
        }
        Ok((result, cost))
    }

    fn take_traces(&self) -> Vec<Uuid> {
        std::mem::take(&mut *self.traces.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the numbers of rows and tombstones that a statement read, or `None` if it was not a read.
    async fn read_of(&self, trace: Uuid) -> Result<Option<(u64, u64)>, Failed> {
        for _ in 0..200 {
            let cql = "SELECT duration FROM system_traces.sessions WHERE session_id = ?";
            let session = self.bare.query_unpaged(cql, (trace,)).await?;
            let session = session.into_rows_result()?;
            let duration = session.maybe_first_row::<(Option<i32>,)>()?;
            // It is written when all has been written that the trace says.
            if let Some((Some(_),)) = duration {
                return self.events_of(trace).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("the node has not written a trace".into())
    }

    async fn events_of(&self, trace: Uuid) -> Result<Option<(u64, u64)>, Failed> {
        let cql = "SELECT activity FROM system_traces.events WHERE session_id = ?";
        let events = self.bare.query_unpaged(cql, (trace,)).await?;
        let events = events.into_rows_result()?;
        let mut read = None;
        for event in events.rows::<(String,)>()? {
            let (activity,) = event?;
            // "Read 21 live rows and 0 tombstone cells"
            let words: Vec<&str> = activity.split(' ').collect();
            if let [
                "Read",
                rows,
                "live",
                "rows",
                "and",
                tombstones,
                "tombstone",
                ..,
            ] = words[..]
            {
                let (so_far_rows, so_far_tombstones) = read.unwrap_or_default();
                let (rows, tombstones): (u64, u64) = (rows.parse()?, tombstones.parse()?);
                read = Some((so_far_rows + rows, so_far_tombstones + tombstones));
            }
        }
        Ok(read)
    }
}

fn mark(frame: &mut Frame) {
    let [_version, flags, _, _, operation] = &mut frame.head;
    if *operation == EXECUTE {
        *flags |= TRACE;
    }
}

/// The id of the trace, with which the answer to a traced request begins.
fn trace_of(frame: &Frame) -> Option<Uuid> {
    let is_traced = frame.head[1] & TRACE != 0;
    let id = frame.body.first_chunk::<16>()?;
    is_traced.then(|| Uuid::from_bytes(*id))
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            statements,
            rows,
            tombstones,
        } = self;
        write!(
            f,
            "{rows} rows, {tombstones} tombstones, {statements} statements"
        )
    }
}
