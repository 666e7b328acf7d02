//! Many writes at once, from several threads and clients. Rule 6, with 1, 2 and 5.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::conformance::describe::{same, same_list};
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::fixture::{DAY, Fixture, NOON, Write, exact_id, id_at, ids, shuffled};
use crate::conformance::{Failure, Model, views};
use crate::{Message, Position, Store};

const TASKS: usize = 8;

/// Makes all writes at once: each list in a task of its own, in its order, and through both clients.
async fn write_at_once(fixture: &Fixture, model: &mut Model, lists: Vec<Vec<Write>>) -> Checked {
    let barrier = Arc::new(Barrier::new(lists.len()));
    let mut tasks = JoinSet::new();
    for (n, writes) in lists.into_iter().enumerate() {
        writes.iter().for_each(|write| write.add_to(model));
        let (barrier, store) = (Arc::clone(&barrier), fixture.nth_client(n));
        tasks.spawn(async move {
            barrier.wait().await;
            for write in writes {
                write.to(&*store).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Deals items out to this many lists.
fn dealt<T: Clone>(items: Vec<T>, lists: usize) -> Vec<Vec<T>> {
    let mut dealt = vec![Vec::new(); lists];
    for (n, item) in items.into_iter().enumerate() {
        dealt[n % lists].push(item);
    }
    dealt
}

fn sends(messages: &[Message]) -> Vec<Write> {
    messages.iter().map(Write::send).collect()
}

pub(super) async fn concurrent_sends_lose_nothing(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let ids = shuffled(ids(200).collect(), 6);
    let messages = fixture.pair()?.messages(ids)?;
    write_at_once(fixture, &mut model, dealt(sends(&messages), TASKS)).await?;
    fixture.agrees_with(&model).await
}

pub(super) async fn the_greatest_id_wins_any_race(fixture: &Fixture) -> Checked {
    for round in 0..40 {
        let mut model = Model::new();
        let pair = fixture.nth_pair(round)?;
        // Apart by the random bits, by a fraction, by a second, by months.
        let ids = [
            exact_id(NOON, 9, 1),
            exact_id(NOON, 9, 1 << 61),
            exact_id(NOON, 10, 5),
            exact_id(NOON - 1_000, 0, 5),
            exact_id(NOON - 90 * DAY, 0, 5),
        ];
        let messages = shuffled(pair.messages(ids)?, round as u64);
        write_at_once(fixture, &mut model, dealt(sends(&messages), 5)).await?;
        fixture.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn the_greatest_version_wins_any_race(fixture: &Fixture) -> Checked {
    for round in 0..40 {
        let mut model = Model::new();
        let pair = fixture.nth_pair(round)?;
        let messages = pair.messages(ids(2))?;
        let [older, newer] = &messages[..] else {
            return Err(Failure::new("two ids make two messages"));
        };
        let key = |n: u64| id_at(NOON + 60_000 + n);
        // In half of the rounds the last message is edited only, in the others it is unsent too.
        let mut writes = vec![
            Write::send(newer),
            Write::edit(newer, key(1), "first edit")?,
            Write::edit(newer, key(2), "second edit")?,
            Write::edit(older, key(3), "older, edited")?,
            Write::unsend(older, key(4)),
        ];
        if round % 2 == 0 {
            writes.push(Write::unsend(newer, key(0)));
        }
        fixture.send(&mut model, older).await?;
        let lists = dealt(shuffled(writes, round as u64), TASKS);
        write_at_once(fixture, &mut model, lists).await?;
        fixture.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn concurrent_marks_and_sends_lose_nothing(fixture: &Fixture) -> Checked {
    for round in 0..20 {
        let mut model = Model::new();
        let pair = fixture.nth_pair(round)?;
        let messages = pair.messages(ids(6))?;
        fixture.send_all(&mut model, &messages[..4]).await?;
        let key = |n: u64| id_at(NOON + 60_000 + n);
        let mut writes = sends(&messages[4..]);
        for (n, message) in messages[..4].iter().enumerate() {
            writes.push(pair.read(message.id(), key(n as u64)));
            writes.push(pair.turned().read(message.id(), key(10 - n as u64)));
        }
        let lists = dealt(shuffled(writes, round as u64), TASKS);
        write_at_once(fixture, &mut model, lists).await?;
        fixture.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn concurrent_puts_of_one_message_are_one(fixture: &Fixture) -> Checked {
    for round in 0..10 {
        let mut model = Model::new();
        let messages = fixture.nth_pair(round)?.messages(ids(3))?;
        let lists = vec![sends(&messages); TASKS];
        write_at_once(fixture, &mut model, lists).await?;
        fixture.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn concurrent_first_messages_make_one_conversation(fixture: &Fixture) -> Checked {
    for round in 0..25 {
        let mut model = Model::new();
        let pair = fixture.nth_pair(round)?;
        let there = pair.message(id_at(NOON + round as u64), "to bob")?;
        let back = pair
            .turned()
            .message(id_at(NOON + 25 - round as u64), "to alice")?;
        let lists = vec![sends(&[there]), sends(&[back])];
        write_at_once(fixture, &mut model, lists).await?;
        fixture.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn concurrent_moves_lose_no_conversation(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pairs = fixture.pairs_of(&fixture.user("alice")?, 6)?;
    let mut messages = Vec::new();
    for n in 0..120 {
        // Hours apart, so that conversations move through a store's partitions of time.
        let id = id_at(NOON - n * 7 * 3_600_000);
        messages.push(pairs[n as usize % 6].message(id, format!("move {n}"))?);
    }
    let lists = dealt(sends(&shuffled(messages, 8)), TASKS);
    write_at_once(fixture, &mut model, lists).await?;
    fixture.agrees_with(&model).await
}

pub(super) async fn an_acknowledged_write_shows_under_concurrency(fixture: &Fixture) -> Checked {
    let pair = fixture.pair()?;
    let messages = pair.messages(shuffled(ids(80).collect(), 7))?;
    let mut model = Model::new();
    for message in &messages {
        model.put(message.id().into(), message);
    }
    let mut tasks = JoinSet::new();
    for messages in dealt(messages, TASKS) {
        let (writer, reader) = (fixture.nth_client(0), fixture.nth_client(1));
        tasks.spawn(async move {
            for message in messages {
                writer.put(message.id().into(), &message).await?;
                shows(&*writer, &message).await?;
                shows(&*reader, &message).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    views::agree(&*fixture.store, &model).await
}

/// Checks that a message that nobody changes, or a newer one, is in each view.
async fn shows(store: &dyn Store, message: &Message) -> Checked {
    let (conversation, id) = (message.conversation_id(), message.id());
    let expected = [message.clone()];
    let found = store.message(conversation, id).await?;
    same("`message` after its `put`", &found, &Some(message.clone()))?;

    let before = Position::from(id).pred();
    let log = store.history_log(conversation, before, 1).await?;
    let log: Vec<_> = log.into_iter().map(|logged| logged.item).collect();
    same_list("`history_log` after a `put`", &log, &expected)?;

    for user in [message.sender_id(), message.receiver_id()] {
        let inbox = store.inbox_log(user, before, 1).await?;
        ensure!(
            inbox.len() == 1,
            "`inbox_log` of {user} shows neither a message after its `put` nor a newer one"
        );
        let inbox = store.inbox(user, None, 1).await?;
        let last = inbox.first().map(|entry| entry.last_message().id());
        ensure!(
            last >= Some(id),
            "the first entry of `inbox` of {user} is older than a message after its `put`"
        );
        let entry = store.entry(user, conversation).await?;
        let last = entry.map(|entry| entry.last_message().id());
        ensure!(
            last >= Some(id),
            "the last message in `entry` of {user} is older than a message after its `put`"
        );
    }
    Ok(())
}
