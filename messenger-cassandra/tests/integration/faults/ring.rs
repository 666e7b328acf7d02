//! A ring of three under load, whose nodes are killed and stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use libtest_mimic::{Failed, Trial};
use messenger_cassandra::CassandraConfig;
use messenger_core::{Clock, HistoryQuery, Messenger};
use testkit::cassandra::Cluster;

use super::load::{Load, Record};
use super::views::Views;
use super::world::{
    Pair, TIMEOUT, Verdict, circle, client, ensure, failed, migrated, number, runtime, start_again,
    wait_until, with_cluster,
};

/// Longer than this nobody may be kept from sending.
///
/// A node keeps the log of a batch on two others, and waits for both. With three nodes those are
/// all others, so while one of them has died and the failure detector does not know it yet, every
/// send times out: 18 s with the server's defaults, more where nodes wait for the processor.
const LONGEST_GAP: Duration = Duration::from_secs(60);

pub(crate) fn trial() -> Trial {
    Trial::ignorable_test(
        "faults::a_ring_loses_nothing_when_nodes_die_or_hang",
        || {
            let faults = number("MESSENGER_RING_FAULTS", 2)?;
            let ring = Cluster::builder()
                .nodes(3)
                // Else a node that is killed forgets the tables, and what was written to them.
                .commitlog_batch(true)
                .heap_mb(512)
                .jvm("-XX:TieredStopAtLevel=1");
            with_cluster(ring, |cluster| play(cluster, faults))
        },
    )
}

fn play(cluster: &Cluster, faults: usize) -> Verdict {
    let (config, _) = runtime().block_on(migrated(&cluster.contact_points(), 3))?;
    let pairs: Arc<[_]> = circle(5).into();
    let quiet = runtime().block_on(Quiet::begin(&config))?;
    let load = runtime().block_on(Load::start(&config, 3, &pairs))?;
    let started = Instant::now();
    thread::sleep(Duration::from_secs(3));
    let calm_until = Instant::now();
    let mut log = Log::default();
    for number in 0..faults {
        match number % 2 {
            0 => kill(cluster, number % 3, &mut log)?,
            _ => hang(cluster, number % 3, &mut log, &quiet)?,
        }
    }
    let record = runtime().block_on(load.stop())?;
    println!(
        "{faults} faults: {record}; before the first fault {:.0}/s",
        record.rate_between(started, calm_until)
    );
    for (kind, gaps) in log.gaps(&record) {
        println!("longest gap of each time when a node was {kind}: {gaps:.1?}");
    }
    runtime().block_on(async {
        let fresh = client(&config, Clock::new()).await?;
        let (views, after) = Views::settled(&fresh, &pairs, &record).await?;
        println!(
            "{} messages; all views agreed {after:.1?} later",
            views.messages()
        );
        until_nothing_changes(&fresh, &pairs, &record, views).await?;
        Ok::<_, Failed>(())
    })?;
    let gap = record.longest_gap();
    ensure!(gap < LONGEST_GAP, "for {gap:?} no client could send");
    Ok(())
}

/// Hints and the log of batches whose outcome was unknown are played for a while yet. In the end two
/// looks with more than a round of that between them see the same.
async fn until_nothing_changes(
    messenger: &Messenger,
    pairs: &[Pair],
    record: &Record,
    mut views: Views,
) -> Verdict {
    let limit = Instant::now() + Duration::from_secs(90);
    loop {
        tokio::time::sleep(Duration::from_secs(12)).await;
        let later = Views::read(messenger, pairs).await?;
        later.hold(record)?;
        if later.disagreement().is_none() && later.messages() == views.messages() {
            return Ok(());
        }
        ensure!(Instant::now() < limit, "the views go on changing");
        views = later;
    }
}

/// `kill -9`, and back when the others have gone on without it for a while.
fn kill(cluster: &Cluster, index: usize, log: &mut Log) -> Verdict {
    let seen = ups(cluster, index)?;
    let began = Instant::now();
    cluster.node(index).kill()?;
    thread::sleep(Duration::from_secs(5));
    start_again(cluster.node(index))?;
    // A second node must not go before the others know that the first one is back.
    wait_until(
        || Ok(ups(cluster, index)? >= seen + 2),
        || "the ring does not take back the node that was killed".to_owned(),
    )?;
    thread::sleep(Duration::from_secs(2));
    log.add("killed", began);
    Ok(())
}

/// Stopped for longer than a call may take: its connections stay open, and nobody answers.
fn hang(cluster: &Cluster, index: usize, log: &mut Log, quiet: &Quiet) -> Verdict {
    let began = Instant::now();
    cluster.node(index).pause()?;
    runtime().block_on(quiet.most_reads_are_answered())?;
    runtime().block_on(quiet.is_ready_until(began + TIMEOUT + Duration::from_secs(3)))?;
    cluster.node(index).resume()?;
    thread::sleep(Duration::from_secs(3));
    log.add("stopped", began);
    Ok(())
}

/// A conversation that nobody writes in any more, so that its replicas agree.
struct Quiet {
    messenger: Messenger,
    pair: Pair,
}

impl Quiet {
    async fn begin(config: &CassandraConfig) -> Result<Self, Failed> {
        let messenger = client(config, Clock::new()).await?;
        let [pair] = circle(2).try_into().map_err(|_| "two users are one pair")?;
        let first = pair.message(0, "It is quiet here".to_owned());
        messenger.send(first).await.map_err(failed)?;
        Ok(Self { messenger, pair })
    }

    /// Reads go on while a node hangs, although a third of them ask it first and more wait for it as
    /// a replica. A few may be late for another reason: three nodes and their load share the machine.
    async fn most_reads_are_answered(&self) -> Verdict {
        const READS: usize = 40;
        let reads = (0..READS).map(async |_| {
            let started = Instant::now();
            let page = self.messenger.history(self.pair.id(), HistoryQuery::new());
            page.await.map(|_| started.elapsed())
        });
        let mut answered: Vec<_> = join_all(reads).await.into_iter().flatten().collect();
        answered.sort_unstable();
        println!(
            "reads when a node was stopped: {} of {READS} answered, half of them after {:?}, the \
             longest after {:?}",
            answered.len(),
            answered.get(READS / 2).copied().unwrap_or_default(),
            answered.last().copied().unwrap_or_default(),
        );
        ensure!(
            answered.len() >= READS * 3 / 4,
            "{} of {READS} reads were answered while one node of three hung",
            answered.len()
        );
        Ok(())
    }

    /// One node of three that hangs leaves the store ready.
    async fn is_ready_until(&self, end: Instant) -> Verdict {
        while Instant::now() < end {
            self.messenger.health().await.map_err(failed)?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

/// The times at which each fault began and was over.
#[derive(Default)]
struct Log {
    faults: Vec<(&'static str, Instant, Instant)>,
}

impl Log {
    fn add(&mut self, kind: &'static str, began: Instant) {
        self.faults.push((kind, began, Instant::now()));
    }

    /// For each kind of fault, the longest gap of each.
    fn gaps(&self, record: &Record) -> BTreeMap<&'static str, Vec<Duration>> {
        let mut gaps = BTreeMap::<_, Vec<_>>::new();
        for &(kind, began, over) in &self.faults {
            let gap = record.longest_gap_between(began, over);
            gaps.entry(kind).or_default().push(gap);
        }
        gaps
    }
}

/// Returns how often the two other nodes have noticed that a node came up.
fn ups(cluster: &Cluster, index: usize) -> Result<usize, Failed> {
    let mut count = 0;
    for (other, node) in cluster.nodes().iter().enumerate() {
        if other != index {
            count += node.log()?.matches("is now UP").count();
        }
    }
    Ok(count)
}
