//! Writes whose future is dropped. Rule 8.

use std::time::Duration;

use futures_util::FutureExt as _;

use crate::Store;
use crate::conformance::failure::Checked;
use crate::conformance::fixture::{Fixture, NOON, Write, id_at};
use crate::conformance::{Model, views};

/// The time that a store may take until a dropped write is in all views or in none.
const IN_THE_END: Duration = Duration::from_secs(10);

/// The numbers of times that a future is polled before it is dropped.
const POLLS: std::ops::Range<usize> = 0..8;

pub(super) async fn a_dropped_first_message_is_all_or_nothing(fixture: &Fixture) -> Checked {
    for polls in POLLS {
        let message = fixture.nth_pair(polls)?.message(id_at(NOON), "dropped")?;
        let write = Write::send(&message);
        drop_and_repeat(fixture, &mut Model::new(), &write, polls).await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_send_is_all_or_nothing(fixture: &Fixture) -> Checked {
    let pair = fixture.pair()?;
    let mut model = Model::new();
    let first = pair.message(id_at(NOON), "first")?;
    fixture.send(&mut model, &first).await?;
    for polls in POLLS {
        let at = NOON + 1_000 * (polls as u64 + 1);
        let message = pair.message(id_at(at), "dropped")?;
        drop_and_repeat(fixture, &mut model, &Write::send(&message), polls).await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_change_is_all_or_nothing(fixture: &Fixture) -> Checked {
    for polls in POLLS {
        let pair = fixture.nth_pair(polls)?;
        let mut model = Model::new();
        let older = pair.message(id_at(NOON), "older")?;
        let last = pair.message(id_at(NOON + 1_000), "last")?;
        fixture.send(&mut model, &older).await?;
        fixture.send(&mut model, &last).await?;
        for write in [
            Write::edit(&last, id_at(NOON + 10_000), "edited")?,
            Write::edit(&older, id_at(NOON + 20_000), "edited")?,
            pair.turned().read(last.id(), id_at(NOON + 30_000)),
            Write::unsend(&last, id_at(NOON + 40_000)),
            Write::late(&older, id_at(NOON + 50_000)),
        ] {
            drop_and_repeat(fixture, &mut model, &write, polls).await?;
        }
    }
    Ok(())
}

async fn drop_and_repeat(
    fixture: &Fixture,
    model: &mut Model,
    write: &Write,
    polls: usize,
) -> Checked {
    start_and_drop(&*fixture.store, write, polls).await;
    let name = format!("{}, dropped after {polls} polls", write.name());
    let result = all_or_nothing(&*fixture.store, model, write).await;
    result.map_err(|failure| failure.during(&name))?;
    // Repeating it completes it.
    let result = fixture.write_and_compare(model, [write.clone()]).await;
    result.map_err(|failure| failure.during(format!("{name} and repeated")))
}

/// Polls the write this many times, with growing pauses for a network to do its part, and drops it.
async fn start_and_drop(store: &dyn Store, write: &Write, polls: usize) {
    let mut write = Box::pin(write.to(store));
    for n in 0..polls {
        if (&mut write).now_or_never().is_some() {
            return;
        }
        if n > 2 {
            tokio::time::sleep(Duration::from_micros(200 << n)).await;
        }
        tokio::task::yield_now().await;
    }
}

/// Checks that all views are in the end as they were before the write, or all as they are after it.
async fn all_or_nothing(store: &dyn Store, before: &Model, write: &Write) -> Checked {
    let mut after = before.clone();
    write.add_to(&mut after);
    let start = tokio::time::Instant::now();
    loop {
        let Err(not_all) = views::agree_about(store, &after, &after).await else {
            return Ok(());
        };
        let Err(not_nothing) = views::agree_about(store, before, &after).await else {
            return Ok(());
        };
        if start.elapsed() > IN_THE_END {
            return Err(crate::conformance::Failure::new(format!(
                "after {IN_THE_END:?} it is in some views and not in others. If it was applied: \
                 {not_all}. If it was not: {not_nothing}"
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
