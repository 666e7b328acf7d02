//! A keyspace for these cases, and messages at any time of the past.

use std::time::{Duration, SystemTime};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use libtest_mimic::{Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{Clock, Message, NewMessage, Store as _, UserId};
use testkit::cassandra::Nodes;

use super::traced::Traced;

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

/// The rows that a page reads in these cases by default: its items, and one more.
pub(crate) const READ: u64 = 21;

/// The messages that are written at the same time.
const AT_ONCE: usize = 32;

/// A case in a keyspace with these windows. When it has ended, the node must not have warned.
pub(crate) fn case<F>(
    name: &str,
    bucket: Duration,
    epoch: Duration,
    play: impl FnOnce(Traced) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Verdict>,
{
    testkit::trial::with_shared(format!("flatness::{name}"), move |nodes| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let keyspace = format!("flat_{:016x}", rand::random::<u64>());
        let config = CassandraConfig::new(nodes.contact_points())
            .with_keyspace(&keyspace)
            .with_replication(Replication::everywhere(1))
            // A loaded machine is no reason to fail.
            .with_connect_timeout(Duration::from_secs(60))
            .with_request_timeout(Duration::from_secs(30))
            // So that what is counted was read once.
            .with_speculative_reads(None)
            .with_windows(bucket, epoch);
        runtime.block_on(async {
            CassandraStore::migrate(&config).await?;
            play(Traced::connect(&config, &nodes.contact_points()[0]).await?).await
        })?;
        has_not_warned(nodes, &keyspace)
    })
}

/// The node has strict limits: it warns of a read over 100 tombstones.
fn has_not_warned(nodes: &Nodes, keyspace: &str) -> Verdict {
    let log = nodes.log()?.unwrap_or_default();
    let warns = |line: &&str| line.starts_with("WARN") && line.contains(keyspace);
    let warning = log.lines().find(warns);
    ensure!(warning.is_none(), "the node has logged: {warning:?}");
    Ok(())
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(format!("{name}.{:016x}", rand::random::<u64>())).expect("a valid id")
}

/// A message of this time.
pub(crate) fn message(from: &UserId, to: &UserId, at: SystemTime) -> Message {
    NewMessage::new(from.clone(), to.clone(), "How are you?")
        .expect("a valid message")
        .with_id(Clock::with_source(move || at).next_id())
}

/// Appends all of them, many at a time.
pub(crate) async fn fill(
    store: &CassandraStore,
    messages: impl IntoIterator<Item = Message>,
) -> Verdict {
    let appends = messages
        .into_iter()
        .map(async |message| store.put(message.id().into(), &message).await);
    stream::iter(appends)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(())
}
