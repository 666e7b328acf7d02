//! A ring of three under load, whose nodes are killed and stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use messenger_core::{Clock, Messenger};
use testkit::cassandra::Cluster;

use super::load::{Load, Record};
use super::views::Views;
use super::world::{
    Pair, TIMEOUT, Verdict, circle, client, ensure, migrated, number, runtime, start_again,
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
    let load = runtime().block_on(Load::start(&config, 3, &pairs))?;
    let started = Instant::now();
    thread::sleep(Duration::from_secs(3));
    let calm_until = Instant::now();
    let mut log = Log::default();
    for number in 0..faults {
        match number % 2 {
            0 => kill(cluster, number % 3, &mut log)?,
            _ => hang(cluster, number % 3, &mut log)?,
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
fn hang(cluster: &Cluster, index: usize, log: &mut Log) -> Verdict {
    let began = Instant::now();
    cluster.node(index).pause()?;
    thread::sleep(TIMEOUT + Duration::from_secs(3));
    cluster.node(index).resume()?;
    thread::sleep(Duration::from_secs(3));
    log.add("stopped", began);
    Ok(())
}

/// When which fault began and was over.
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

/// How often the two other nodes have noticed that a node came up.
fn ups(cluster: &Cluster, index: usize) -> Result<usize, Failed> {
    let mut count = 0;
    for (other, node) in cluster.nodes().iter().enumerate() {
        if other != index {
            count += node.log()?.matches("is now UP").count();
        }
    }
    Ok(count)
}
