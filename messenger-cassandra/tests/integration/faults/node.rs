//! A single node under load, killed and started again. It has acknowledged only what is on disk.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use messenger_core::Clock;
use testkit::cassandra::Cluster;

use super::load::Load;
use super::views::Views;
use super::world::{Verdict, circle, client, migrated, number, runtime, start_again, with_cluster};

pub(crate) fn trial() -> Trial {
    Trial::ignorable_test(
        "faults::a_node_that_syncs_its_log_loses_nothing_when_killed",
        || {
            let kills = number("MESSENGER_NODE_KILLS", 1)?;
            let node = Cluster::builder()
                .commitlog_batch(true)
                .heap_mb(512)
                .jvm("-XX:TieredStopAtLevel=1");
            with_cluster(node, |cluster| play(cluster, kills))
        },
    )
}

fn play(cluster: &Cluster, kills: usize) -> Verdict {
    let (config, _) = runtime().block_on(migrated(&cluster.contact_points(), 1))?;
    for _ in 0..kills {
        let pairs: Arc<[_]> = circle(5).into();
        let load = runtime().block_on(Load::start(&config, 4, &pairs))?;
        thread::sleep(Duration::from_secs(3));
        cluster.node(0).kill()?;
        let record = runtime().block_on(load.stop())?;
        start_again(cluster.node(0))?;
        runtime().block_on(async {
            let fresh = client(&config, Clock::new()).await?;
            let (views, after) = Views::settled(&fresh, &pairs, &record).await?;
            println!(
                "{record}; {} messages; all views agreed {after:.1?} later",
                views.messages()
            );
            Ok::<_, libtest_mimic::Failed>(())
        })?;
    }
    Ok(())
}
