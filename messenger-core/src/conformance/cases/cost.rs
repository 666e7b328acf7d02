//! The cost of a page. Rule 12.
//!
//! It is a ratio within one run, so that no machine is too slow for it: the same page of a short list
//! and of a long one. It is generous, and fails only if a page reads far more than it holds.

use std::time::{Duration, Instant};

use crate::conformance::Failure;
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::fixture::{AT_ONCE, DAY, Fixture, NOON, Pair, id_at};
use crate::{ConversationId, Message, MessageId, Position, Store, UserId};

/// The size of the short list, and bounds for the long one. A store over a network gets less far in
/// the time that there is than one in memory.
const SHORT: usize = 30;
const LONG: std::ops::RangeInclusive<usize> = 300..=3_000;
const TIME_TO_FILL: Duration = Duration::from_secs(3);

/// The cost of a page of the long list, at most, as a multiple of one of the short list.
const AT_MOST: u32 = 10;
const TRIES: usize = 40;
/// The time after which no further try begins: a store that reads everything is slow.
const TIME_TO_TRY: Duration = Duration::from_secs(1);
const ROUNDS: usize = 5;
const PAUSE: Duration = Duration::from_millis(100);
const PAGE: usize = 10;

/// Returns the id of the n-th newest message: half a day apart, so that they spread over a store's
/// partitions.
fn nth_id(n: usize) -> MessageId {
    id_at(NOON - n as u64 * DAY / 2)
}

pub(super) async fn a_page_of_a_long_history_costs_as_much_as_one_of_a_short_one(
    fixture: &Fixture,
) -> Checked {
    let pair = fixture.pair()?;
    let message = |n| pair.message(nth_id(n), "hello");
    grow(fixture, message, |_| List::History(pair.id())).await
}

pub(super) async fn a_page_of_the_log_of_a_long_history_costs_as_much_as_one_of_a_short_one(
    fixture: &Fixture,
) -> Checked {
    let pair = fixture.pair()?;
    let message = |n| pair.message(nth_id(n), "hello");
    grow(fixture, message, |above| List::HistoryLog(pair.id(), above)).await
}

pub(super) async fn a_page_of_a_large_inbox_costs_as_much_as_one_of_a_small_one(
    fixture: &Fixture,
) -> Checked {
    let alice = fixture.user("alice")?;
    let message = |n| first_message(fixture, &alice, n);
    grow(fixture, message, |_| List::Inbox(alice.clone())).await
}

pub(super) async fn a_page_of_the_log_of_a_large_inbox_costs_as_much_as_one_of_a_small_one(
    fixture: &Fixture,
) -> Checked {
    let alice = fixture.user("alice")?;
    let message = |n| first_message(fixture, &alice, n);
    grow(fixture, message, |above| {
        List::InboxLog(alice.clone(), above)
    })
    .await
}

fn first_message(fixture: &Fixture, alice: &UserId, n: usize) -> Result<Message, Failure> {
    let pair = Pair::new(alice.clone(), fixture.nth_user("friend", n)?);
    pair.message(nth_id(n), "hello")
}

/// The list that a page is read of.
enum List {
    History(ConversationId),
    HistoryLog(ConversationId, Position),
    Inbox(UserId),
    InboxLog(UserId, Position),
}

impl List {
    /// Reads a page, and returns the number of its items.
    async fn page(&self, store: &dyn Store) -> Result<usize, Failure> {
        Ok(match self {
            Self::History(id) => store.history(*id, None, PAGE).await?.len(),
            Self::HistoryLog(id, above) => store.history_log(*id, *above, PAGE).await?.len(),
            Self::Inbox(user) => store.inbox(user, None, PAGE).await?.len(),
            Self::InboxLog(user, above) => store.inbox_log(user, *above, PAGE).await?.len(),
        })
    }
}

/// Reads a page of the list when it is short, and again when it has grown towards the past. A page
/// of the log begins below the newest items.
async fn grow(
    fixture: &Fixture,
    message: impl Fn(usize) -> Result<Message, Failure>,
    list: impl Fn(Position) -> List,
) -> Checked {
    let mut above = Position::MIN;
    for n in 0..SHORT {
        let message = message(n)?;
        fixture.store.put(message.id().into(), &message).await?;
        if n == PAGE {
            above = message.id().into();
        }
    }
    let list = list(above);
    let of_short = fastest(fixture, &list).await?;
    let long = fill(&*fixture.store, message).await?;
    let mut of_long = Duration::MAX;
    for _ in 0..ROUNDS {
        of_long = fastest(fixture, &list).await?.min(of_long);
        if of_long <= of_short * AT_MOST {
            return Ok(());
        }
        // Something else may keep the machine busy for a while.
        tokio::time::sleep(PAUSE).await;
    }
    Err(Failure::new(format!(
        "a page of {PAGE} out of {long} takes {of_long:?}, and out of {SHORT} it took \
         {of_short:?}: the cost of a page must not grow with its list"
    )))
}

/// Adds messages until the list is long, or the time is up. Returns their number.
async fn fill(
    store: &dyn Store,
    message: impl Fn(usize) -> Result<Message, Failure>,
) -> Result<usize, Failure> {
    let start = Instant::now();
    let mut count = SHORT;
    while count < *LONG.end() && (count < *LONG.start() || start.elapsed() < TIME_TO_FILL) {
        let messages = (count..count + AT_ONCE)
            .map(&message)
            .collect::<Result<Vec<_>, _>>()?;
        let puts = messages
            .iter()
            .map(|message| store.put(message.id().into(), message));
        futures_util::future::try_join_all(puts).await?;
        count += AT_ONCE;
    }
    Ok(count)
}

/// Returns the time of the fastest of some reads of a page.
async fn fastest(fixture: &Fixture, list: &List) -> Result<Duration, Failure> {
    let (mut fastest, first) = (Duration::MAX, Instant::now());
    for _ in 0..TRIES {
        let start = Instant::now();
        if fastest < Duration::MAX && start - first > TIME_TO_TRY {
            break;
        }
        let items = list.page(&*fixture.store).await?;
        fastest = start.elapsed().min(fastest);
        ensure!(items == PAGE, "a page of {PAGE} has {items} items");
    }
    Ok(fastest)
}
