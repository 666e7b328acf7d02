//! Inboxes: each conversation once, at the id of its last message. Rules 5 and 11.

use crate::conformance::failure::{Checked, ensure};
use crate::conformance::fixture::{
    DAY, Fixture, NOON, Pair, Write, exact_id, id_at, ids, shuffled,
};
use crate::conformance::{Failure, Model, describe, views};
use crate::store::MAX_LIMIT;
use crate::{Message, Position};

/// Returns one message in each conversation, a second apart, in an order of its own.
pub(super) fn one_each(pairs: &[Pair]) -> Result<Vec<Message>, Failure> {
    let ids = shuffled(ids(pairs.len() as u64).collect(), 5);
    pairs
        .iter()
        .zip(ids)
        .map(|(pair, id)| pair.message(id, "hello"))
        .collect()
}

pub(super) async fn a_conversation_is_listed_once_however_often_it_moves(
    fixture: &Fixture,
) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let pairs = fixture.pairs_of(&alice, 5)?;
    // Moves within a second, over hours and over months.
    for (round, gap) in [1_000, 3_600_000, 31 * DAY, 400 * DAY]
        .into_iter()
        .enumerate()
    {
        for n in 0..15 {
            let at = NOON - 2_000 * DAY + round as u64 * 500 * DAY + n * gap / 15;
            let pair = &pairs[shuffled((0..5).collect::<Vec<usize>>(), n)[0]];
            let message = pair.message(id_at(at), format!("move {round}.{n}"))?;
            fixture.send(&mut model, &message).await?;
            views::inbox_agrees(&*fixture.store, &model, &alice, MAX_LIMIT).await?;
        }
    }
    fixture.agrees_with(&model).await
}

pub(super) async fn an_inbox_is_ordered_by_the_whole_id_of_the_last_message(
    fixture: &Fixture,
) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let pairs = fixture.pairs_of(&alice, 24)?;
    let ties = (0..24).map(|n: u64| match n % 3 {
        0 => exact_id(NOON, 7, n + 1),
        1 => exact_id(NOON, 7, (n + 1) << 55),
        _ => exact_id(NOON, n << 7, 1),
    });
    for (pair, id) in pairs.iter().zip(shuffled(ties.collect(), 9)) {
        let message = pair.message(id, "at the same time")?;
        fixture.send(&mut model, &message).await?;
    }
    for limit in [1, 2, 5] {
        views::inbox_agrees(&*fixture.store, &model, &alice, limit).await?;
    }
    fixture.agrees_with(&model).await
}

pub(super) async fn bounds_are_exclusive_and_by_the_last_message(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let pairs = fixture.pairs_of(&alice, 4)?;
    // Two rounds, so that each conversation has a message where it is no longer listed.
    let mut bounds = vec![None];
    for round in 0..2 {
        for (n, pair) in pairs.iter().enumerate() {
            let at = NOON + round * DAY + n as u64 * 1_000;
            let message = pair.message(id_at(at), format!("round {round}"))?;
            fixture.send(&mut model, &message).await?;
            let position = Position::from(message.id());
            bounds.extend([Some(position), Some(position.pred())]);
        }
    }
    for below in bounds {
        for limit in [1, 3] {
            let got = fixture.store.inbox(&alice, below, limit).await?;
            let expected = model.inbox(&alice, below, limit);
            describe::same_list("`inbox` below a bound", &got, &expected)?;
        }
    }
    Ok(())
}

pub(super) async fn every_limit_gives_every_conversation_once(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let pairs = fixture.pairs_of(&alice, 112)?;
    fixture.send_all(&mut model, &one_each(&pairs)?).await?;
    for limit in 1..=MAX_LIMIT {
        views::inbox_agrees(&*fixture.store, &model, &alice, limit).await?;
    }
    Ok(())
}

pub(super) async fn each_participant_has_the_conversation(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let message = pair.message(id_at(NOON), "hello")?;
    fixture.send(&mut model, &message).await?;
    for user in [&pair.one, &pair.two] {
        let got = fixture.store.inbox(user, None, 10).await?;
        ensure!(
            got.len() == 1,
            "after the first message between two users `inbox` of {user} returned {} entries",
            got.len()
        );
    }
    let carol = fixture.user("carol")?;
    let got = fixture.store.inbox(&carol, None, 10).await?;
    describe::same_list("`inbox` of somebody else", &got, &[])?;
    fixture.agrees_with(&model).await
}

pub(super) async fn a_change_moves_no_entry(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let pairs = fixture.pairs_of(&alice, 6)?;
    let messages = one_each(&pairs)?;
    fixture.send_all(&mut model, &messages).await?;
    for (n, (pair, message)) in pairs.iter().zip(&messages).enumerate() {
        let key = id_at(NOON + 100_000 - n as u64);
        let change = match n % 4 {
            0 => Write::edit(message, key, "edited")?,
            1 => Write::unsend(message, key),
            2 => Write::late(message, key),
            _ => pair.read(message.id(), key),
        };
        fixture.write(&mut model, &change).await?;
        for limit in [1, 4] {
            let agreed = views::inbox_agrees(&*fixture.store, &model, &alice, limit).await;
            agreed.map_err(|failure| failure.during(format!("after {}", change.name())))?;
        }
    }
    fixture.agrees_with(&model).await
}

pub(super) async fn a_walk_through_a_moving_inbox_shows_nothing_twice(
    fixture: &Fixture,
) -> Checked {
    let mut model = Model::new();
    for limit in [1, 2, 3] {
        let alice = fixture.nth_user("alice", limit)?;
        let pairs = fixture.pairs_of(&alice, 9)?;
        fixture.send_all(&mut model, &one_each(&pairs)?).await?;
        let mut moves = shuffled(pairs, 2).into_iter().zip(60..);
        let (mut listed, mut below) = (Vec::new(), None);
        // Entries only leave the part that is still to be read, so the walk ends.
        loop {
            let page = fixture.store.inbox(&alice, below, limit).await?;
            let Some(last) = page.last() else { break };
            below = Some(last.place());
            listed.extend(page.iter().map(crate::InboxEntry::id));
            if let Some((pair, second)) = moves.next() {
                let message = pair.message(id_at(NOON + second * 1_000), "it moves")?;
                fixture.send(&mut model, &message).await?;
            }
        }
        let all = listed.len();
        listed.sort();
        listed.dedup();
        ensure!(
            listed.len() == all,
            "a walk through a moving inbox, {limit} at a time, returned {} conversations {all} \
             times",
            listed.len()
        );
    }
    fixture.agrees_with(&model).await
}
