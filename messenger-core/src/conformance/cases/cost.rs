//! What a page costs. Rule 12.
//!
//! A ratio within one run, so that no machine is too slow for it: the same page when the list is
//! short and when it has grown. It is generous, and fails only where a page reads far more than it
//! holds.

use std::time::{Duration, Instant};

use crate::testing::Failure;
use crate::testing::failure::{Verdict, ensure};
use crate::testing::stage::{AT_ONCE, DAY, NOON, Pair, Stage, id_at};
use crate::{ConversationId, Message, Slice, Store, UserId};

/// How much is little, and how much is much at least and at most. A store over a network comes
/// to less than one in memory in the time that there is.
const LITTLE: usize = 30;
const MUCH: std::ops::RangeInclusive<usize> = 300..=6_000;
const TIME_TO_FILL: Duration = Duration::from_secs(3);

/// What the page of much may cost, as a multiple of the page of little.
const AT_MOST: u32 = 10;
const TRIES: usize = 40;
const ROUNDS: usize = 5;
const PAUSE: Duration = Duration::from_millis(100);
const PAGE: usize = 10;

/// Appends on from what is there until there is much, or time is up. Gives how many.
async fn fill(
    store: &dyn Store,
    message: impl Fn(usize) -> Result<Message, Failure>,
) -> Result<usize, Failure> {
    let start = Instant::now();
    let mut count = LITTLE;
    while count < *MUCH.end() && (count < *MUCH.start() || start.elapsed() < TIME_TO_FILL) {
        let messages = (count..count + AT_ONCE)
            .map(&message)
            .collect::<Result<Vec<_>, _>>()?;
        let appends = messages.iter().map(|message| store.append(message));
        futures_util::future::try_join_all(appends).await?;
        count += AT_ONCE;
    }
    Ok(count)
}

/// The time of the n-th message: half a day apart, so that they spread over a store's partitions.
fn at(n: usize) -> u64 {
    NOON - n as u64 * DAY / 2
}

pub(super) async fn a_page_of_a_long_history_costs_as_much_as_one_of_a_short_one(
    stage: &Stage,
) -> Verdict {
    let pair = stage.pair()?;
    let message = |n| pair.message(id_at(at(n)), "hello");
    grow(stage, message, &Listed::History(pair.conversation())).await
}

pub(super) async fn a_page_of_a_large_inbox_costs_as_much_as_one_of_a_small_one(
    stage: &Stage,
) -> Verdict {
    let alice = stage.user("alice")?;
    let message = |n| {
        let pair = Pair::new(alice.clone(), stage.nth_user("friend", n)?);
        pair.message(id_at(at(n)), "hello")
    };
    grow(stage, message, &Listed::Inbox(alice.clone())).await
}

/// What a page is read of.
enum Listed {
    History(ConversationId),
    Inbox(UserId),
}

impl Listed {
    /// Reads a page, and gives how many items it holds.
    async fn page(&self, store: &dyn Store) -> Result<usize, Failure> {
        let page = Slice::newest(PAGE);
        Ok(match self {
            Self::History(conversation) => store.history(*conversation, page).await?.len(),
            Self::Inbox(user) => store.inbox(user, page).await?.len(),
        })
    }
}

/// Reads a page of the list when it is short, and again when it has grown.
async fn grow(
    stage: &Stage,
    message: impl Fn(usize) -> Result<Message, Failure>,
    list: &Listed,
) -> Verdict {
    for n in 0..LITTLE {
        stage.store.append(&message(n)?).await?;
    }
    let of_little = fastest(stage, list).await?;
    let much = fill(&*stage.store, message).await?;
    let mut of_much = Duration::MAX;
    for _ in 0..ROUNDS {
        of_much = fastest(stage, list).await?.min(of_much);
        if of_much <= of_little * AT_MOST {
            return Ok(());
        }
        // Something else may keep the machine busy; not for ever.
        tokio::time::sleep(PAUSE).await;
    }
    Err(Failure::new(format!(
        "a page of {PAGE} out of {much} takes {of_much:?}, and out of {LITTLE} it took \
         {of_little:?}: what a page costs must not grow with what it is a page of"
    )))
}

/// The fastest of some reads of a page.
async fn fastest(stage: &Stage, list: &Listed) -> Result<Duration, Failure> {
    let mut fastest = Duration::MAX;
    for _ in 0..TRIES {
        let start = Instant::now();
        let items = list.page(&*stage.store).await?;
        fastest = start.elapsed().min(fastest);
        ensure!(items == PAGE, "a page of {PAGE} holds {items} items");
    }
    Ok(fastest)
}
