//! Pages of histories: no tombstones, and hardly more rows than the page has.

use std::time::{Duration, SystemTime};

use libtest_mimic::Trial;
use messenger_core::{HistoryQuery, Messenger};

use super::traced::Traced;
use super::world::{READ, Verdict, case, ensure, fill, message, user};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
const BUCKET: Duration = Duration::from_secs(10 * 24 * 3600);
const EPOCH: Duration = Duration::from_secs(6 * 3600);

/// A page and the list of the buckets that it may need.
const MOST: u64 = READ + 16;

/// The list of buckets, and a page that lies in at most three of them.
const MOST_STATEMENTS: u64 = 4;

pub(crate) fn long() -> Trial {
    case(
        "a_page_of_a_history_costs_the_same_at_any_length",
        BUCKET,
        EPOCH,
        async |traced| {
            let longest = match std::env::var("MESSENGER_FLAT_MESSAGES") {
                Ok(number) => number.parse()?,
                Err(_) => 10_000,
            };
            for length in [100, 1_000, 10_000, 100_000] {
                if length <= longest {
                    history(&traced, length, MINUTE, MOST, MOST_STATEMENTS).await?;
                }
            }
            Ok(())
        },
    )
}

pub(crate) fn sparse() -> Trial {
    let name = "a_page_of_a_sparse_history_reads_a_row_or_two_for_each_message";
    case(name, DAY, EPOCH, async |traced| {
        // Each message in a bucket of its own: the lists of buckets, of messages and of changes, and one
        // row in each bucket; the last ones are read four at a time, and listed sixteen at a time.
        history(&traced, 200, 2 * DAY, 2 * 16 + READ + 3, 4 + READ + 3).await
    })
}

async fn history(
    traced: &Traced,
    length: u32,
    apart: Duration,
    most: u64,
    most_statements: u64,
) -> Verdict {
    let (one, two) = (user("one"), user("two"));
    let now = SystemTime::now();
    let at = |n: u32| now - apart * n;
    fill(
        &traced.quick,
        (0..length).map(|n| message(&one, &two, at(n))),
    )
    .await?;
    let conversation = message(&one, &two, now).conversation_id();
    let messenger = Messenger::new(traced.store.clone());

    let middle = message(&one, &two, at(length / 2)).created_at();
    let before = HistoryQuery::new().with_before(middle);
    let (first, first_cost) = traced
        .cost(messenger.history(conversation, HistoryQuery::new()))
        .await?;
    let (page, before_cost) = traced.cost(messenger.history(conversation, before)).await?;
    let in_the_middle = HistoryQuery::new().with_cursor(page.next);
    let (next, middle_cost) = traced
        .cost(messenger.history(conversation, in_the_middle))
        .await?;
    let back = HistoryQuery::new().with_cursor(next.prev);
    let (newer, newer_cost) = traced.cost(messenger.history(conversation, back)).await?;
    for (which, page, cost) in [
        ("first", first, first_cost),
        ("before a time", page, before_cost),
        ("middle", next, middle_cost),
        ("newer", newer, newer_cost),
    ] {
        println!("{length} messages {apart:?} apart, {which} page: {cost}");
        ensure!(page.items.len() == 20, "{} items", page.items.len());
        ensure!(
            cost.tombstones == 0 && cost.rows <= most && cost.statements <= most_statements,
            "the {which} page of {length} messages read {cost}, at most {most} expected"
        );
    }
    Ok(())
}
