//! The rate of pages by how many conversations of a user are active in one epoch: a measurement rather
//! than a test, so it runs only when asked, with
//! `cargo test -p messenger-cassandra --test integration -- --ignored active`.
//!
//! `MESSENGER_ACTIVE` is the largest number of conversations, 1,000 by default.

use std::time::{Duration, Instant, SystemTime};

use futures_util::future::try_join_all;
use libtest_mimic::{Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{Error, Position, Store as _};
use testkit::cassandra::Nodes;

use super::world::{READ, Verdict, fill, message, user};

const EPOCH: Duration = Duration::from_secs(6 * 3600);

/// The number of concurrent callers, and the time for which each call is measured.
const CALLERS: usize = 16;
const TIME: Duration = Duration::from_secs(3);

pub(crate) fn trial() -> Trial {
    testkit::trial::with_shared("flatness::active_in_one_epoch", |nodes| {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(measure(nodes))
    })
    .with_ignored_flag(true)
}

async fn measure(nodes: &Nodes) -> Verdict {
    let config = CassandraConfig::new(nodes.contact_points())
        .with_keyspace(format!("active_{:016x}", rand::random::<u64>()))
        .with_replication(Replication::everywhere(1))
        .with_connect_timeout(Duration::from_secs(60))
        .with_request_timeout(Duration::from_secs(60));
    CassandraStore::migrate(&config).await?;
    // Long enough for 100,000; the settle time follows from the usual timeout.
    let slow = CassandraStore::connect(&config).await?;
    let store =
        CassandraStore::connect(&config.with_request_timeout(Duration::from_secs(5))).await?;
    let largest = match std::env::var("MESSENGER_ACTIVE") {
        Ok(number) => number.parse()?,
        Err(_) => 1_000,
    };
    let limit = READ as usize;

    let (one, two) = (user("one"), user("two"));
    let now = SystemTime::now();
    let history = (0..200).map(|n| message(&one, &two, now - Duration::from_secs(n)));
    fill(&store, history).await?;
    let conversation = message(&one, &two, now).conversation_id();
    let page = rate(async || store.history(conversation, None, limit).await.map(drop)).await?;
    println!("history page: {:.0}/s", page.per_second);

    for active in [6, 100, 1_000, 10_000, 100_000] {
        if active > largest {
            break;
        }
        let owner = user("owner");
        // In the middle of an epoch long ago.
        let start = SystemTime::UNIX_EPOCH + EPOCH * 70_000;
        let apart = EPOCH / (active + 1);
        let messages = (0..active).map(|n| message(&user("other"), &owner, start + apart * n));
        fill(&store, messages).await?;
        let end = Position::from(message(&one, &owner, start + EPOCH).id());
        let latest = message(&one, &owner, start + apart * active).id().into();
        let whole = rate(async || slow.inbox(&owner, Some(end), limit).await.map(drop)).await?;
        let idle = rate(async || store.inbox_log(&owner, latest, limit).await.map(drop)).await?;
        tokio::time::sleep(store.settle() + Duration::from_secs(1)).await;
        let first = rate(async || store.inbox(&owner, None, limit).await.map(drop)).await?;
        println!(
            "{active} active: page read {:.1?}, {:.2} of a history page; first page unchanged \
             {:.1?}, {:.2}; idle poll {:.1?}, {:.2}",
            whole.median,
            whole.per_second / page.per_second,
            first.median,
            first.per_second / page.per_second,
            idle.median,
            idle.per_second / page.per_second,
        );
    }
    Ok(())
}

struct Rate {
    per_second: f64,
    /// Of one caller alone.
    median: Duration,
}

#[expect(clippy::future_not_send, reason = "it is not spawned")]
async fn rate(call: impl AsyncFn() -> Result<(), Error>) -> Result<Rate, Failed> {
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < 5 || (started.elapsed() < TIME / 3 && times.len() < 200) {
        let before = Instant::now();
        call().await?;
        times.push(before.elapsed());
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    let started = Instant::now();
    let callers = (0..CALLERS).map(async |_| {
        let mut count = 0_u32;
        // At least one each, however long it takes.
        while count == 0 || started.elapsed() < TIME {
            call().await?;
            count += 1;
        }
        Ok::<_, Error>(count)
    });
    let count: u32 = try_join_all(callers).await?.into_iter().sum();
    Ok(Rate {
        per_second: f64::from(count) / started.elapsed().as_secs_f64(),
        median,
    })
}
