//! What a page costs. Rule 12.
//!
//! A ratio within one run, so that no machine is too slow for it: the same page of much and of
//! little. It is generous, and fails only where a page reads far more than it holds.

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
const PAGE: usize = 10;

/// Appends from `message` until there is much, or time is up. Gives how many.
async fn fill(
    store: &dyn Store,
    message: impl Fn(usize) -> Result<Message, Failure>,
) -> Result<usize, Failure> {
    let start = Instant::now();
    let mut count = 0;
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
    let short = Pair::new(stage.user("alice")?, stage.user("bob")?);
    let long = Pair::new(stage.user("carol")?, stage.user("dave")?);
    for n in 0..LITTLE {
        stage
            .store
            .append(&short.message(id_at(at(n)), "short")?)
            .await?;
    }
    let much = fill(&*stage.store, |n| long.message(id_at(at(n)), "long")).await?;
    let pages = [&short, &long].map(|pair| Listed::History(pair.conversation()));
    compare(stage, much, pages).await
}

pub(super) async fn a_page_of_a_large_inbox_costs_as_much_as_one_of_a_small_one(
    stage: &Stage,
) -> Verdict {
    let (few, many) = (stage.user("few")?, stage.user("many")?);
    let message = |user: &UserId, n| {
        Pair::new(user.clone(), stage.nth_user("friend", n)?).message(id_at(at(n)), "hello")
    };
    for n in 0..LITTLE {
        stage.store.append(&message(&few, n)?).await?;
    }
    let much = fill(&*stage.store, |n| message(&many, n)).await?;
    compare(stage, much, [few, many].map(Listed::Inbox)).await
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

/// Reads both pages by turns, and compares the fastest read of each.
async fn compare(stage: &Stage, much: usize, lists: [Listed; 2]) -> Verdict {
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..TRIES {
        for (list, fastest) in lists.iter().zip(&mut fastest) {
            let start = Instant::now();
            let items = list.page(&*stage.store).await?;
            *fastest = start.elapsed().min(*fastest);
            ensure!(items == PAGE, "a page of {PAGE} holds {items} items");
        }
    }
    let [of_little, of_much] = fastest;
    ensure!(
        of_much <= of_little * AT_MOST,
        "a page of {PAGE} out of {much} takes {of_much:?}, and out of {LITTLE} {of_little:?}: what \
         a page costs must not grow with what it is a page of"
    );
    Ok(())
}
