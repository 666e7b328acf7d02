//! Test data: users who wrote to each other over the past weeks.

use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use messenger_core::{Error, Messenger};

use crate::retry::retried;

mod command;
mod conversation;
mod dialogue;
mod people;
mod plan;
mod rhythm;

pub(crate) use command::{Arguments, run};
pub use people::user_id;
pub use plan::{Plan, Sizes};

/// The default seed.
pub const DEFAULT_SEED: u64 = 42;

/// Imports the planned messages, this many at a time, and calls `progress` after each one.
///
/// Importing a message again does not add it twice, so an interrupted run is repeated with the same
/// flags. The memory used depends on the number of conversations, not on the number of messages.
///
/// # Errors
///
/// Returns the error of the store if a few retries did not help.
pub async fn generate(
    messenger: &Messenger,
    plan: &Plan,
    concurrency: usize,
    mut progress: impl FnMut(),
) -> Result<(), Error> {
    stream::iter(plan.messages())
        .map(|message| retried(move || messenger.import(message.clone())))
        .buffer_unordered(concurrency)
        .try_for_each(|_| {
            progress();
            future::ok(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::pin::pin;

    use std::time::Duration;

    use messenger_core::{InboxQuery, Limit, Message, Timestamp};
    use messenger_memory::MemoryStore;

    use super::rhythm::DAY;
    use super::*;

    /// Returns all messages of the first users, oldest first.
    async fn messages(messenger: &Messenger, users: u64) -> Vec<Message> {
        let mut messages = BTreeMap::new();
        for user in 1..=users {
            let mut conversations = pin!(messenger.inbox_stream(user_id(user)));
            while let Some(conversation) = conversations.try_next().await.unwrap() {
                let history = messenger.history_stream(conversation.id());
                let history: Vec<_> = history.try_collect().await.unwrap();
                messages.extend(history.into_iter().map(|message| (message.id(), message)));
            }
        }
        messages.into_values().collect()
    }

    async fn generated(seed: u64, until: Timestamp) -> (Messenger, Vec<Message>) {
        let messenger = Messenger::new(MemoryStore::new());
        let plan = Plan::new(Sizes::default(), seed, until).unwrap();
        generate(&messenger, &plan, 8, || ()).await.unwrap();
        let messages = messages(&messenger, plan.sizes().users).await;
        (messenger, messages)
    }

    #[tokio::test]
    async fn a_second_run_changes_nothing() {
        let until = Timestamp::now();
        let (messenger, first) = generated(7, until).await;
        assert_eq!(first.len(), 2_000);
        let plan = Plan::new(Sizes::default(), 7, until).unwrap();
        generate(&messenger, &plan, 3, || ()).await.unwrap();
        assert_eq!(messages(&messenger, Sizes::default().users).await, first);
    }

    #[tokio::test]
    async fn messages_lie_in_the_past_weeks() {
        for seed in 0..20 {
            let until = Timestamp::now();
            let (_, messages) = generated(seed, until).await;
            let since = until.saturating_sub(Duration::from_millis(21 * DAY));
            let times: Vec<_> = messages.iter().map(Message::created_at).collect();
            assert!(times.iter().all(|&time| since <= time && time < until));
            // Some are old and some are new.
            let week = Duration::from_millis(7 * DAY);
            assert!(times[0] < since.saturating_add(week));
            assert!(until.saturating_sub(week) < times[times.len() - 1]);
        }
    }

    #[tokio::test]
    async fn nights_are_quiet_and_replies_come_in_bursts() {
        let (_, messages) = generated(1, Timestamp::now()).await;
        let hour = |message: &Message| message.created_at().as_millis() / 3_600_000 % 24;
        let night = messages
            .iter()
            .filter(|message| (1..5).contains(&hour(message)));
        assert!(night.count() * 20 < messages.len());

        let mut last: BTreeMap<_, Timestamp> = BTreeMap::new();
        let quick = messages.iter().filter(|message| {
            let before = last.insert(message.conversation_id(), message.created_at());
            let pause = before.map(|time| message.created_at().as_millis() - time.as_millis());
            pause.is_some_and(|pause| pause < 5 * 60_000)
        });
        assert!(quick.count() * 2 > messages.len());
    }

    #[tokio::test]
    async fn every_user_of_the_default_data_has_an_inbox() {
        let (messenger, _) = generated(DEFAULT_SEED, Timestamp::now()).await;
        for user in (1..=Sizes::default().users).map(user_id) {
            let query = InboxQuery::new().with_limit(Limit::MAX);
            let inbox = messenger.inbox(&user, query).await.unwrap();
            assert!(!inbox.items.is_empty(), "user {user}");
        }
    }
}
