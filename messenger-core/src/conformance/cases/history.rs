//! Histories: their order, their bounds, and nothing lost between two pages. Rules 3 and 11.

use crate::conformance::failure::Checked;
use crate::conformance::fixture::{Fixture, NOON, Pair, Write, exact_id, id_at, ids, shuffled};
use crate::conformance::{Model, describe, views};
use crate::store::MAX_LIMIT;
use crate::{MessageId, Position};

pub(super) async fn bounds_are_exclusive(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    fixture
        .send_all(&mut model, &pair.messages(ids(5))?)
        .await?;
    let mut bounds = vec![None];
    for message in model.messages(pair.id()) {
        let position = Position::from(message.id());
        bounds.extend([Some(position), Some(position.pred())]);
    }
    for below in bounds {
        for limit in [1, 2, 10] {
            let got = fixture.store.history(pair.id(), below, limit).await?;
            let expected = model.history(pair.id(), below, limit);
            describe::same_list("`history` below a bound", &got, &expected)?;
        }
    }
    Ok(())
}

pub(super) async fn ties_are_broken_by_the_whole_id(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let ids = shuffled(tied_ids(NOON), 3);
    fixture.send_all(&mut model, &pair.messages(ids)?).await?;
    for limit in [1, 2, 3, 50] {
        views::history_agrees(&*fixture.store, &model, pair.id(), limit).await?;
    }
    fixture.agrees_with(&model).await
}

/// Returns ids that share the millisecond, mostly its fraction too, and differ in one byte of the
/// rest: on both sides of its sign bit, because a store may compare bytes as signed by mistake.
pub(super) fn tied_ids(millis: u64) -> Vec<MessageId> {
    let fractions = [0, 1, 0x7ff, 0x800, 0xfff].map(|fraction| exact_id(millis, fraction, 7));
    let rests = (0..8).flat_map(|byte| {
        // The highest byte has six bits here: the other two are the variant.
        let bytes: &[u64] = if byte == 7 {
            &[0x01, 0x1f, 0x20, 0x3f]
        } else {
            &[0x01, 0x7f, 0x80, 0xff]
        };
        bytes
            .iter()
            .map(move |value| exact_id(millis, 0x123, value << (8 * byte)))
    });
    fractions.into_iter().chain(rests).collect()
}

pub(super) async fn every_limit_gives_everything_once(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    fixture
        .send_all(&mut model, &pair.messages(ids(128))?)
        .await?;
    for limit in 1..=MAX_LIMIT {
        views::history_agrees(&*fixture.store, &model, pair.id(), limit).await?;
    }
    Ok(())
}

pub(super) async fn conversations_do_not_mix(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    // Names of which one begins with the other, and names that differ in case only.
    let users = ["u", "u1", "u11", "U1"].map(|name| fixture.user(name));
    let users = users.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut ids = ids(24);
    for one in &users {
        for two in users.iter().filter(|two| *two != one) {
            let pair = Pair::new(one.clone(), two.clone());
            let two_ids: Vec<_> = ids.by_ref().take(2).collect();
            fixture
                .send_all(&mut model, &pair.messages(two_ids)?)
                .await?;
        }
    }
    fixture.agrees_with(&model).await
}

pub(super) async fn a_change_moves_no_message(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let messages = pair.messages(ids(9))?;
    fixture.send_all(&mut model, &messages).await?;
    for (n, message) in messages.iter().enumerate() {
        let key = id_at(NOON + 100_000 - n as u64);
        let change = match n % 3 {
            0 => Write::edit(message, key, "edited")?,
            1 => Write::unsend(message, key),
            _ => Write::late(message, key),
        };
        fixture.write(&mut model, &change).await?;
        for limit in [1, 4] {
            let agreed = views::history_agrees(&*fixture.store, &model, pair.id(), limit).await;
            agreed.map_err(|failure| failure.during(format!("after {}", change.name())))?;
        }
    }
    fixture.agrees_with(&model).await
}
