//! The best length of an epoch: a measurement rather than a test, so it runs only when asked, with
//! `cargo test --release -p messenger-cassandra --test integration -- --ignored epochs`.
//!
//! The same two users in keyspaces with epochs of an hour, six hours and a day:
//!
//! - one with 30 conversations, each active every ten minutes: their rows move in each epoch, and a
//!   page meets the tombstones of three hours;
//! - one with 10,000 conversations that were active on one day, one after the other: a page reads
//!   those of a whole epoch.
//!
//! Now is one minute past midnight, when an epoch of each length has just begun: the worst time.

use std::time::{Duration, Instant, SystemTime};

use libtest_mimic::{Completion, Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{InboxQuery, Messenger, Store as _, UserId};
use testkit::cassandra::Cluster;

use super::traced::Traced;
use super::world::{READ, Verdict, fill, message, user};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The time for which deleted rows are kept, and count.
const GRACE: Duration = Duration::from_secs(10_800);

/// The number of times that a page is timed. The median counts.
const TIMES: usize = 15;

pub(crate) fn trial() -> Trial {
    Trial::ignorable_test("flatness::epochs_of_an_hour_of_six_and_of_a_day", || {
        // What is measured goes beyond the strict limits.
        let node = match Cluster::builder().strict(false).start() {
            Ok(node) => node,
            Err(unavailable) => return testkit::trial::verdict(unavailable),
        };
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            for hours in [1, 6, 24] {
                measure(&node.contact_points(), hours).await?;
            }
            Ok::<_, Failed>(())
        })?;
        Ok(Completion::Completed)
    })
    .with_ignored_flag(true)
}

async fn measure(nodes: &[String], hours: u32) -> Verdict {
    let keyspace = format!("epochs_{hours}");
    let config = CassandraConfig::new(nodes)
        .with_keyspace(&keyspace)
        .with_replication(Replication::everywhere(1))
        .with_connect_timeout(Duration::from_secs(60))
        .with_request_timeout(Duration::from_secs(60))
        .with_speculative_reads(None)
        .with_windows(10 * DAY, HOUR * hours);
    CassandraStore::migrate(&config).await?;
    let traced = Traced::connect(&config, &nodes[0]).await?;
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let days = since_epoch.as_secs() / DAY.as_secs();
    let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(days * DAY.as_secs());

    let few = user("few");
    let others: Vec<_> = (0..30).map(|_| user("other")).collect();
    let mut at = midnight - GRACE;
    while at < midnight + MINUTE {
        let all = others.iter().map(|other| message(other, &few, at));
        fill(&traced.quick, all).await?;
        at += 10 * MINUTE;
    }

    let many = user("many");
    let apart = DAY / 10_000;
    let day = (0..10_000).map(|n| message(&user("other"), &many, midnight - apart * (n + 1)));
    fill(&traced.quick, day).await?;

    for (whose, user) in [("30 conversations", &few), ("10,000 in a day", &many)] {
        let (_, cost) = traced
            .cost(traced.store.inbox(user, None, READ as usize))
            .await?;
        let time = median(&traced.quick, user).await?;
        println!("epochs of {hours} h, {whose}: {cost}, {time:.1?}");
    }
    Ok(())
}

async fn median(store: &CassandraStore, user: &UserId) -> Result<Duration, Failed> {
    let messenger = Messenger::new(store.clone());
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        messenger.inbox(user, InboxQuery::new()).await?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times[TIMES / 2])
}
