//! Many at once, from several threads. Rule 6, with 1, 2 and 5 under it.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::testing::failure::{Verdict, ensure};
use crate::testing::stage::{DAY, NOON, Pair, Stage, exact_id, id_at, ids, shuffled};
use crate::testing::{Failure, Model, check};
use crate::{Message, Slice, Store};

const TASKS: usize = 8;

/// Appends all messages at once: each list in a task of its own, in its order.
async fn append_at_once(stage: &Stage, lists: Vec<Vec<Message>>) -> Verdict {
    let barrier = Arc::new(Barrier::new(lists.len()));
    let mut tasks = JoinSet::new();
    for (n, messages) in lists.into_iter().enumerate() {
        let barrier = Arc::clone(&barrier);
        // Through both clients, where there are two.
        let store = Arc::clone(if n % 2 == 0 {
            &stage.store
        } else {
            &stage.other
        });
        tasks.spawn(async move {
            barrier.wait().await;
            for message in messages {
                store.append(&message).await?;
            }
            Ok::<_, crate::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Deals messages out to so many lists.
fn dealt(messages: Vec<Message>, lists: usize) -> Vec<Vec<Message>> {
    let mut dealt = vec![Vec::new(); lists];
    for (n, message) in messages.into_iter().enumerate() {
        dealt[n % lists].push(message);
    }
    dealt
}

fn model_of<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Model {
    let mut model = Model::new();
    for message in messages {
        model.append(message);
    }
    model
}

pub(super) async fn concurrent_appends_lose_nothing(stage: &Stage) -> Verdict {
    let messages = stage.pair()?.messages(shuffled(ids(200).collect(), 6))?;
    let model = model_of(&messages);
    append_at_once(stage, dealt(messages, TASKS)).await?;
    stage.agrees_with(&model).await
}

pub(super) async fn the_greatest_id_wins_any_race(stage: &Stage) -> Verdict {
    for round in 0..40 {
        let pair = Pair::new(
            stage.nth_user("alice", round)?,
            stage.nth_user("bob", round)?,
        );
        // Apart by the random bits, by a fraction, by a second, by months.
        let ids = [
            exact_id(NOON, 9, 1),
            exact_id(NOON, 9, 1 << 61),
            exact_id(NOON, 10, 5),
            exact_id(NOON - 1_000, 0, 5),
            exact_id(NOON - 90 * DAY, 0, 5),
        ];
        let messages = shuffled(pair.messages(ids)?, round as u64);
        let model = model_of(&messages);
        append_at_once(stage, dealt(messages, 5)).await?;
        let got = stage.store.conversation(pair.conversation()).await?;
        let expected = model.conversation(pair.conversation());
        check::same("the conversation after a race", &got, &expected)?;
        stage.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn concurrent_appends_of_one_message_are_one(stage: &Stage) -> Verdict {
    for round in 0..10 {
        let pair = Pair::new(
            stage.nth_user("alice", round)?,
            stage.nth_user("bob", round)?,
        );
        let messages = pair.messages(ids(3))?;
        let model = model_of(&messages);
        append_at_once(stage, vec![messages; TASKS]).await?;
        stage.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn concurrent_first_messages_make_one_conversation(stage: &Stage) -> Verdict {
    for round in 0..25 {
        let pair = Pair::new(
            stage.nth_user("alice", round)?,
            stage.nth_user("bob", round)?,
        );
        let there = pair.message(id_at(NOON + round as u64), "to bob")?;
        let back = pair
            .turned()
            .message(id_at(NOON + 25 - round as u64), "to alice")?;
        let model = model_of([&there, &back]);
        append_at_once(stage, vec![vec![there], vec![back]]).await?;
        stage.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn concurrent_moves_lose_no_conversation(stage: &Stage) -> Verdict {
    let alice = stage.user("alice")?;
    let pairs = (0..6)
        .map(|n| Ok(Pair::new(alice.clone(), stage.nth_user("friend", n)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let mut messages = Vec::new();
    for n in 0..120 {
        // Hours apart, so that conversations move through a store's partitions of time.
        let id = id_at(NOON - n * 7 * 3_600_000);
        messages.push(pairs[n as usize % 6].message(id, format!("move {n}"))?);
    }
    let messages = shuffled(messages, 8);
    let model = model_of(&messages);
    append_at_once(stage, dealt(messages, TASKS)).await?;
    stage.agrees_with(&model).await
}

pub(super) async fn what_is_acknowledged_shows_under_concurrency(stage: &Stage) -> Verdict {
    let pair = stage.pair()?;
    let messages = pair.messages(shuffled(ids(80).collect(), 7))?;
    let model = model_of(&messages);
    let mut tasks = JoinSet::new();
    for messages in dealt(messages, TASKS) {
        let writer = Arc::clone(&stage.store);
        let reader = Arc::clone(&stage.other);
        tasks.spawn(async move {
            for message in messages {
                writer.append(&message).await?;
                shows(&*writer, &message).await?;
                shows(&*reader, &message).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    stage.agrees_with(&model).await
}

/// The message, or one that is newer, is in each view.
async fn shows(store: &dyn Store, message: &Message) -> Verdict {
    let conversation = message.conversation_id();
    let found = store.message(conversation, message.id()).await?;
    check::same("an acknowledged message", &found, &Some(message.clone()))?;

    let above = Slice {
        above: Some(crate::Position::from(message.id()).pred()),
        order: crate::Order::OldestFirst,
        ..Slice::newest(1)
    };
    let history = store.history(conversation, above).await?;
    check::same_list(
        "an acknowledged message's history",
        &history,
        std::slice::from_ref(message),
    )?;

    for user in [message.sender_id(), message.receiver_id()] {
        let inbox = store.inbox(user, above).await?;
        ensure!(
            inbox.len() == 1,
            "the inbox of {user} does not show an acknowledged message, nor a newer one"
        );
    }
    let head = store.conversation(conversation).await?;
    let last = head.map(|found| found.last_message().id());
    ensure!(
        last >= Some(message.id()),
        "the last message after an append is {last:?}, and was acknowledged to be {} or newer",
        message.id()
    );
    Ok(())
}
