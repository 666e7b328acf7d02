//! A runtime for all cases, users that no other case has, and a store with short windows.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use libtest_mimic::{Completion, Failed};
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{Clock, ConversationId, Error, Messenger, NewMessage, UserId};
use testkit::cassandra::{Builder, Cluster, Node};
use tokio::runtime::Runtime;

pub(crate) type Verdict = Result<(), Failed>;

/// Fails with the text unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(libtest_mimic::Failed::from(format!($($text)+)));
        }
    };
}

pub(crate) use ensure;

/// The shortest windows that a schema can have.
pub(crate) const WINDOW: Duration = Duration::from_secs(300);

/// The one runtime: a store lives on that on which it was connected.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    })
}

/// A case on a cluster of its own.
pub(crate) fn with_cluster(
    cluster: Builder,
    case: impl FnOnce(&Cluster) -> Verdict,
) -> Result<Completion, Failed> {
    match cluster.start() {
        Ok(cluster) => case(&cluster).map(|()| Completion::Completed),
        Err(unavailable) => testkit::trial::verdict(unavailable),
    }
}

/// A keyspace of its own, with the tables in it, and its name.
pub(crate) async fn migrated(
    nodes: &[String],
    factor: u8,
) -> Result<(CassandraConfig, String), Failed> {
    let keyspace = name("faults");
    let config = config(nodes, &keyspace).with_replication(Replication::everywhere(factor));
    // Right after its start a node may not have told the driver of the others yet. Then more copies
    // than it knows nodes are refused.
    let limit = Instant::now() + Duration::from_secs(60);
    while let Err(error) = CassandraStore::migrate(&config).await {
        if factor == 1 || Instant::now() > limit {
            return Err(failed(error));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok((config, keyspace))
}

/// Returns the configuration for this keyspace. The timeout is short, so that faults outlast it.
pub(crate) fn config(nodes: &[String], keyspace: &str) -> CassandraConfig {
    CassandraConfig::new(nodes)
        .with_keyspace(keyspace)
        .with_request_timeout(TIMEOUT)
        // A loaded machine is no reason to fail.
        .with_connect_timeout(Duration::from_secs(60))
        .with_windows(WINDOW, WINDOW)
}

/// The time limit of a call.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

/// A client as a process would have it: nothing is shared with others, and nothing remembered.
pub(crate) async fn client(config: &CassandraConfig, clock: Clock) -> Result<Messenger, Failed> {
    let store = CassandraStore::connect(config).await.map_err(failed)?;
    Ok(Messenger::with_clock(store, clock))
}

/// A clock on which windows pass quickly: from half a day ago, thirty times as fast as time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuickTime {
    started: Instant,
    from: SystemTime,
}

impl QuickTime {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            from: SystemTime::now() - Duration::from_secs(12 * 3600),
        }
    }

    pub(crate) fn clock(self) -> Clock {
        Clock::with_source(move || self.from + 30 * self.started.elapsed())
    }
}

/// Two users who write to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    pub(crate) one: UserId,
    pub(crate) two: UserId,
}

impl Pair {
    pub(crate) fn new(one: &str, two: &str) -> Self {
        let user = |name| UserId::new(name).expect("a valid id");
        Self {
            one: user(one),
            two: user(two),
        }
    }

    pub(crate) fn id(&self) -> ConversationId {
        ConversationId::direct(&self.one, &self.two)
    }

    /// A message, each other one in the other direction.
    pub(crate) fn message(&self, number: usize, text: String) -> NewMessage {
        let (from, to) = match number % 2 {
            0 => (&self.one, &self.two),
            _ => (&self.two, &self.one),
        };
        NewMessage::new(from.clone(), to.clone(), text).expect("a valid message")
    }
}

/// Returns all pairs of this many new users.
pub(crate) fn circle(users: usize) -> Vec<Pair> {
    let suffix = name("");
    let user = |n: usize| format!("user{n}{suffix}");
    let pairs = (0..users).flat_map(|one| (one + 1..users).map(move |two| (one, two)));
    pairs
        .map(|(one, two)| Pair::new(&user(one), &user(two)))
        .collect()
}

/// Starts a node that was killed. On a machine with many others on it that may take long, and is
/// worth waiting for.
pub(crate) fn start_again(node: &Node) -> Verdict {
    node.start().or_else(|error| {
        let slow = format!("{error}, nor two minutes later");
        wait_until(|| Ok(node.answers()), || slow)
    })
}

/// Waits for two minutes.
pub(crate) fn wait_until(
    mut holds: impl FnMut() -> Result<bool, Failed>,
    complaint: impl FnOnce() -> String,
) -> Verdict {
    let limit = Instant::now() + Duration::from_secs(120);
    while !holds()? {
        if Instant::now() > limit {
            return Err(complaint().into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// A name that no other run has.
pub(crate) fn name(what: &str) -> String {
    let random: u64 = rand::random();
    format!("{what}_{random:016x}")
}

/// A number out of the environment.
pub(crate) fn number(variable: &str, unless_set: usize) -> Result<usize, Failed> {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{variable} must be a number, not {text:?}").into()),
        Err(_) => Ok(unless_set),
    }
}

/// The error with what caused it.
pub(crate) fn failed(error: Error) -> Failed {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n  because: {error}");
        source = error.source();
    }
    text.into()
}
