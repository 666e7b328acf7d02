//! `kill -9` under load, again and again.

use std::time::Duration;

use libtest_mimic::Trial;
use messenger_sqlite::SqliteStore;

use crate::said::{Act, Said};
use crate::world::{Result, ensure};
use crate::{case, child};

/// The number of kills, unless `MESSENGER_SQLITE_KILLS` says otherwise.
const KILLS: u32 = 10;

pub(crate) fn trials(trials: &mut Vec<Trial>) {
    case!(trials, every_acknowledged_write_survives_kill_9);
}

async fn every_acknowledged_write_survives_kill_9() -> Result {
    let kills = std::env::var("MESSENGER_SQLITE_KILLS");
    let kills = kills.map_or(Ok(KILLS), |kills| kills.parse())?;
    let directory = tempfile::tempdir()?;
    let mut said = Said::default();
    for kill in 0..kills {
        // Different moments of a start and of a run.
        let time = Duration::from_millis(u64::from(60 + kill * 37 % 200));
        said.append(child::killed_after(directory.path(), time)?);
    }
    let sent = said.count(Act::Sent);
    ensure(sent > 50, format!("only {sent} sends"))?;
    said.is_in(&SqliteStore::open(&directory)?).await?;
    println!("{kills} kills, {sent} messages");
    Ok(())
}
