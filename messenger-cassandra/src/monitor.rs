//! Watches the cluster in a task: does a majority answer, and do the clocks agree?
//!
//! Every few seconds some nodes are each asked for their time and for a read at the store's
//! consistency, with the node as the coordinator. The node's time is that of the node alone; the
//! read is of a different partition each time, so that a partition that has lost its majority does
//! not decide for all others. Calls only look at the last result: a health check costs no request,
//! and a write knows at any time whether the clocks agree.
//!
//! - **Not reachable**: [`FAILED_LOOKS`] times in a row none of the nodes could serve the read. One
//!   node that hangs, and a part of the data that cannot be read, leave the store ready.
//! - **Clocks apart**: the median of the nodes is further away than
//!   [`TOLERATED`](crate::clock::TOLERATED). Nothing is written then.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::{join, join_all};
use messenger_core::{Error, ErrorKind, Outcome};
use metrics::gauge;
use scylla::cluster::Node;
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::{NodesClock, Offset, Sample, Steady, TOLERATED};
use crate::config::CassandraConfig;
use crate::error::{self, Diagnosis};
use crate::session::Client;

/// The number of nodes that are asked at a time. They take turns.
const NODES: usize = 3;

/// The most samples of a node's clock that are taken, if none is precise.
const SAMPLES: usize = 3;

/// The number of failed looks in a row after which the store is not ready.
const FAILED_LOOKS: u32 = 3;

/// The longest time that a node may take to answer.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// The time between two looks, and the time after a failed one.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The result of the last look. The task ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Monitor {
    steady: Steady,
    state: watch::Receiver<State>,
    _task: JoinSet<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    clock: Option<NodesClock>,
    failed_looks: u32,
    failure: Option<Diagnosis>,
}

impl Monitor {
    /// Starts the task on the current runtime.
    pub(crate) fn start(client: Client, config: &CassandraConfig) -> Self {
        let steady = Steady::start();
        let (sender, state) = watch::channel(State::default());
        let watcher = Watcher {
            client,
            keyspace: config.keyspace.clone(),
            datacenter: config.datacenter.clone(),
            limit: LOOK_LIMIT.min(config.request_timeout),
            steady,
            looks: 0,
            state: sender,
        };
        let mut task = JoinSet::new();
        task.spawn(watcher.run());
        Self {
            steady,
            state,
            _task: task,
        }
    }

    /// Waits for the result of the first look.
    pub(crate) async fn first_look(&self) {
        // It fails only if the task has ended, and then there is nothing to wait for.
        let _ = self.state.clone().changed().await;
    }

    /// Checks that the store can take calls.
    pub(crate) fn health(&self) -> Result<(), Error> {
        self.state.borrow().verdict(self.steady)
    }

    /// Checks that the clocks agree, before a write.
    pub(crate) fn writable(&self) -> Result<(), Error> {
        check_clock(self.state.borrow().clock, self.steady)
            .map_err(|error| error.with_outcome(Outcome::NotApplied))
    }
}

impl State {
    fn verdict(self, steady: Steady) -> Result<(), Error> {
        check_clock(self.clock, steady)?;
        match self.failure {
            Some(failure) if self.failed_looks >= FAILED_LOOKS => Err(failure.of_read()),
            _ => Ok(()),
        }
    }
}

fn check_clock(clock: Option<NodesClock>, steady: Steady) -> Result<(), Error> {
    match clock.map(|clock| clock.system_offset(steady)) {
        Some(offset) if !offset.is_tolerated() => Err(clocks_apart(offset)),
        _ => Ok(()),
    }
}

fn clocks_apart(offset: Offset) -> Error {
    let direction = if offset.is_ahead() {
        "ahead of"
    } else {
        "behind"
    };
    Error::new(
        ErrorKind::Unavailable,
        format!(
            "this machine's clock is {:.1?} {direction} the clocks of the Cassandra nodes; more \
             than {TOLERATED:?} is not tolerated, and nothing is written until they are \
             synchronized",
            offset.abs()
        ),
    )
}

/// The task.
struct Watcher {
    client: Client,
    keyspace: String,
    datacenter: Option<String>,
    limit: Duration,
    steady: Steady,
    looks: usize,
    state: watch::Sender<State>,
}

/// The answers of one node.
struct Answers {
    samples: Vec<Sample>,
    read: Result<(), Diagnosis>,
}

impl Watcher {
    async fn run(mut self) {
        loop {
            let before = *self.state.borrow();
            let after = self.look(before).await;
            self.report(before, after);
            self.state.send_replace(after);
            tokio::time::sleep(match after.failed_looks {
                0 => PAUSE,
                _ => PAUSE_AFTER_FAILURE,
            })
            .await;
        }
    }

    async fn look(&mut self, before: State) -> State {
        let mut answers = self.ask().await;
        let measured = |answers: &[Answers]| {
            NodesClock::measured(answers.iter().map(|answer| answer.samples.clone()))
        };
        let mut clock = measured(&answers);
        // A measurement that changes the verdict counts if others confirm it.
        if self.is_apart(clock.or(before.clock)) != self.is_apart(before.clock) {
            answers = self.ask().await;
            clock = measured(&answers);
        }
        let read = answers
            .into_iter()
            .map(|answer| answer.read)
            .reduce(|one, other| one.or(other))
            .unwrap_or(Err(error::no_node()));
        State {
            // A measurement does not age: the steady clock runs on.
            clock: clock.or(before.clock),
            failed_looks: match read {
                Ok(()) => 0,
                Err(_) => before.failed_looks.saturating_add(1),
            },
            failure: read.err(),
        }
    }

    fn is_apart(&self, clock: Option<NodesClock>) -> bool {
        check_clock(clock, self.steady).is_err()
    }

    async fn ask(&mut self) -> Vec<Answers> {
        self.looks = self.looks.wrapping_add(1);
        let nodes = self.next_nodes();
        join_all(nodes.into_iter().map(|node| self.ask_node(node))).await
    }

    /// Returns the nodes whose turn it is.
    fn next_nodes(&self) -> Vec<Arc<Node>> {
        let state = self.client.session.get_cluster_state();
        let nodes = state.get_nodes_info().iter();
        let usable: Vec<_> = nodes
            .filter(|node| node.is_connected())
            .filter(|node| self.datacenter.is_none() || node.datacenter == self.datacenter)
            .collect();
        let turns = (0..usable.len().min(NODES))
            .map(|n| self.looks.wrapping_mul(NODES).wrapping_add(n) % usable.len());
        turns.map(|index| Arc::clone(usable[index])).collect()
    }

    async fn ask_node(&self, node: Arc<Node>) -> Answers {
        let mut samples = Vec::with_capacity(SAMPLES);
        let sample = async {
            while samples.len() < SAMPLES
                && !samples.last().copied().is_some_and(Sample::is_precise)
            {
                match self.sample(&node).await {
                    Ok(sample) => samples.push(sample),
                    Err(error) => {
                        tracing::debug!(%error, ?node.address, "a node did not tell its time");
                        break;
                    }
                }
            }
        };
        let both = join(
            tokio::time::timeout(self.limit, sample),
            tokio::time::timeout(self.limit, self.read(&node)),
        );
        let (_, read) = both.await;
        let read = read.unwrap_or_else(|_| Err(error::timed_out()));
        Answers { samples, read }
    }

    async fn sample(&self, node: &Arc<Node>) -> Result<Sample, Error> {
        // Not prepared, and at the node alone: every user may read this table.
        let cql = "SELECT toUnixTimestamp(now()) FROM system.local WHERE key = 'local'";
        let mut statement = self.statement(cql, node);
        statement.set_consistency(Consistency::One);
        let before = self.steady.now();
        let result = self.client.session.query_unpaged(statement, ()).await;
        let after = self.steady.now();
        let rows = result
            .map_err(error::read)?
            .into_rows_result()
            .map_err(error::undecodable)?;
        let (millis,) = rows.single_row::<(i64,)>().map_err(error::undecodable)?;
        let since_epoch = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        let node = SystemTime::UNIX_EPOCH + since_epoch;
        Ok(Sample {
            before,
            node,
            after,
        })
    }

    /// Reads a row that does not exist, of a different partition in each look.
    async fn read(&self, node: &Arc<Node>) -> Result<(), Diagnosis> {
        let cql = format!(
            "SELECT version FROM {}.schema_info WHERE name = 'probe {}'",
            self.keyspace, self.looks
        );
        let result = self
            .client
            .session
            .query_unpaged(self.statement(&cql, node), ())
            .await;
        result.map(drop).map_err(|error| {
            tracing::debug!(%error, ?node.address, "a node could not serve a read");
            error::of_request(&error)
        })
    }

    fn statement(&self, cql: &str, node: &Arc<Node>) -> Statement {
        let mut statement = self.client.statement(cql);
        let only = NodeIdentifier::Node(Arc::clone(node));
        statement.set_load_balancing_policy(Some(SingleTargetLoadBalancingPolicy::new(only, None)));
        statement
    }

    /// Logs changes, and sets the metric.
    fn report(&self, before: State, after: State) {
        if let Some(clock) = after.clock {
            let offset = clock.system_offset(self.steady).abs();
            gauge!("messenger_cassandra_clock_difference_seconds").set(offset);
        }
        match (before.verdict(self.steady), after.verdict(self.steady)) {
            (Ok(()), Err(error)) => tracing::warn!(%error, "the store is not ready"),
            (Err(_), Ok(())) => tracing::info!("the store is ready again"),
            _ => {}
        }
    }
}
