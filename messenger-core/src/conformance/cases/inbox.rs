//! Inboxes: each conversation once, where its last message puts it. Rule 5.

use crate::store::{Order, Slice};
use crate::testing::client::{Client, Inbox};
use crate::testing::failure::{Verdict, ensure};
use crate::testing::stage::{DAY, NOON, Pair, Stage, exact_id, id_at, ids, shuffled};
use crate::testing::{Failure, Model, check};
use crate::{Message, Position, UserId};

const ORDERS: [Order; 2] = [Order::NewestFirst, Order::OldestFirst];

/// Conversations of one user with so many others.
fn pairs_of(stage: &Stage, user: &UserId, count: usize) -> Result<Vec<Pair>, Failure> {
    (0..count)
        .map(|n| {
            let friend = stage.nth_user("friend", n)?;
            let pair = Pair::new(user.clone(), friend);
            // Half of them were begun by the friend.
            Ok(if n % 2 == 0 { pair } else { pair.turned() })
        })
        .collect()
}

/// One message in each conversation, a second apart, in an order of its own.
fn one_each(pairs: &[Pair]) -> Result<Vec<Message>, Failure> {
    let ids = shuffled(ids(pairs.len() as u64).collect(), 5);
    pairs
        .iter()
        .zip(ids)
        .map(|(pair, id)| pair.message(id, "hello"))
        .collect()
}

pub(super) async fn a_conversation_is_listed_once_however_often_it_moves(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let alice = stage.user("alice")?;
    let pairs = pairs_of(stage, &alice, 5)?;
    // Moves within a second, over hours and over months.
    for (round, gap) in [1_000, 3_600_000, 31 * DAY, 400 * DAY]
        .into_iter()
        .enumerate()
    {
        for n in 0..15 {
            let at = NOON - 2_000 * DAY + round as u64 * 500 * DAY + n * gap / 15;
            let pair = &pairs[shuffled((0..5).collect::<Vec<usize>>(), n)[0]];
            let message = pair.message(id_at(at), format!("move {round}.{n}"))?;
            stage.append(&mut model, &message).await?;
            let got = stage.store.inbox(&alice, Slice::newest(100)).await?;
            let expected = model.inbox(&alice, Slice::newest(100));
            check::same_list("the inbox after a move", &got, &expected)?;
        }
    }
    stage.agrees_with(&model).await
}

pub(super) async fn an_inbox_is_ordered_by_the_whole_id_of_the_last_message(
    stage: &Stage,
) -> Verdict {
    let mut model = Model::new();
    let alice = stage.user("alice")?;
    let pairs = pairs_of(stage, &alice, 24)?;
    let ties = (0..24).map(|n: u64| match n % 3 {
        0 => exact_id(NOON, 7, n + 1),
        1 => exact_id(NOON, 7, (n + 1) << 55),
        _ => exact_id(NOON, n << 7, 1),
    });
    for (pair, id) in pairs.iter().zip(shuffled(ties.collect(), 9)) {
        stage
            .append(&mut model, &pair.message(id, "at the same time")?)
            .await?;
    }
    for limit in [1, 2, 5] {
        for order in ORDERS {
            inbox_agrees(stage, &model, &alice, limit, order).await?;
        }
    }
    stage.agrees_with(&model).await
}

/// The whole inbox, read so many at a time, is what the model says.
async fn inbox_agrees(
    stage: &Stage,
    model: &Model,
    user: &UserId,
    limit: usize,
    order: Order,
) -> Verdict {
    let slice = Slice {
        limit,
        ..check::whole(order)
    };
    let got = check::read_inbox(&*stage.store, user, slice).await?;
    let expected = check::read_all(|slice| model.inbox(user, slice), order);
    let what = format!("the inbox of {user} read {limit} at a time ({order:?})");
    check::same_list(&what, &got, &expected)
}

pub(super) async fn bounds_are_exclusive_and_by_the_last_message(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let alice = stage.user("alice")?;
    let pairs = pairs_of(stage, &alice, 4)?;
    // Two rounds, so that each conversation has a message where it is no longer listed.
    for round in 0..2 {
        for (n, pair) in pairs.iter().enumerate() {
            let at = NOON + round * DAY + n as u64 * 1_000;
            let message = pair.message(id_at(at), format!("round {round}"))?;
            stage.append(&mut model, &message).await?;
        }
    }
    let mut bounds = vec![None];
    for message in model.messages() {
        let position = Position::from(message.id());
        bounds.extend([Some(position), Some(position.pred())]);
    }
    for &above in &bounds {
        for &below in &bounds {
            for order in ORDERS {
                let slice = Slice {
                    above,
                    below,
                    order,
                    limit: 3,
                };
                let got = stage.store.inbox(&alice, slice).await?;
                let what = format!("an inbox ({})", check::slice(slice));
                check::same_list(&what, &got, &model.inbox(&alice, slice))?;
            }
        }
    }
    Ok(())
}

pub(super) async fn every_limit_gives_every_conversation_once(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let alice = stage.user("alice")?;
    let pairs = pairs_of(stage, &alice, 112)?;
    stage.append_all(&mut model, &one_each(&pairs)?).await?;
    for order in ORDERS {
        for limit in 1..=Slice::MAX_LIMIT {
            inbox_agrees(stage, &model, &alice, limit, order).await?;
        }
    }
    Ok(())
}

pub(super) async fn each_user_has_an_inbox_of_their_own(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pair = stage.pair()?;
    let message = pair.message(id_at(NOON), "hello")?;
    stage.append(&mut model, &message).await?;
    for user in [&pair.one, &pair.two] {
        let got = stage.store.inbox(user, Slice::newest(10)).await?;
        ensure!(
            got.len() == 1,
            "the inbox of {user} holds {} conversations after the first message between two, and \
             should hold one",
            got.len()
        );
    }
    let got = stage
        .store
        .inbox(&stage.user("carol")?, Slice::newest(10))
        .await?;
    ensure!(got.is_empty(), "someone else's inbox holds {got:?}");
    stage.agrees_with(&model).await
}

pub(super) async fn a_walk_through_a_moving_inbox_shows_nothing_twice(stage: &Stage) -> Verdict {
    for limit in [1, 2, 3] {
        let (messenger, time) = stage.messenger();
        let alice = stage.nth_user("alice", limit)?;
        let pairs = pairs_of(stage, &alice, 9)?;
        for pair in &pairs {
            messenger.send(pair.text("hello")?).await?;
        }
        let mut client = Client::new(&messenger, Inbox(alice.clone()), limit as u64)?;
        let mut next = client.open().await?;
        let mut listed = client.seen.len();
        let mut moves = shuffled(pairs.clone(), 2).into_iter();
        while let Some(cursor) = next {
            if let Some(pair) = moves.next() {
                messenger.send(pair.text("it moves")?).await?;
            }
            let page = client.turn(cursor).await?;
            listed += page.0;
            next = page.1;
        }
        ensure!(
            listed == client.seen.len(),
            "a walk through a moving inbox listed {listed} conversations, of which {} differ",
            client.seen.len()
        );
        time.advance(stage.long_enough());
        client.catch_up().await?;
        for pair in &pairs {
            let now = stage.store.conversation(pair.conversation()).await?;
            let seen = client.seen.get(&pair.conversation().as_uuid()).cloned();
            check::same("a conversation after walk and catch-up", &seen, &now)?;
        }
    }
    Ok(())
}
