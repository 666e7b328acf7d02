//! Histories: their order, their bounds, and nothing lost between two slices. Rules 3 and 11.

use crate::store::{Order, Slice};
use crate::testing::failure::Verdict;
use crate::testing::stage::{NOON, Pair, Stage, exact_id, ids, shuffled};
use crate::testing::{Model, check};
use crate::{ConversationId, Position};

const ORDERS: [Order; 2] = [Order::NewestFirst, Order::OldestFirst];

/// One slice of a history is what the model says.
async fn slice_agrees(
    stage: &Stage,
    model: &Model,
    conversation: ConversationId,
    slice: Slice,
) -> Verdict {
    let got = stage.store.history(conversation, slice).await?;
    let what = format!("a history ({})", check::slice(slice));
    check::same_list(&what, &got, &model.history(conversation, slice))
}

pub(super) async fn bounds_are_exclusive(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pair = stage.pair()?;
    stage
        .append_all(&mut model, &pair.messages(ids(5))?)
        .await?;
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
                    limit: 10,
                };
                slice_agrees(stage, &model, pair.conversation(), slice).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn a_slice_is_taken_from_the_end_it_names(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pair = stage.pair()?;
    let messages = pair.messages(ids(9))?;
    stage.append_all(&mut model, &messages).await?;
    let position = |n: usize| Some(Position::from(messages[n].id()));
    for order in ORDERS {
        for (above, below) in [
            (None, None),
            (position(1), None),
            (None, position(7)),
            (position(1), position(7)),
        ] {
            for limit in 1..=4 {
                let slice = Slice {
                    above,
                    below,
                    order,
                    limit,
                };
                slice_agrees(stage, &model, pair.conversation(), slice).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn ties_are_broken_by_the_whole_id(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pair = stage.pair()?;
    let ties = tied_ids();
    stage
        .append_all(&mut model, &pair.messages(shuffled(ties, 3))?)
        .await?;
    for limit in [1, 2, 3, 50] {
        for order in ORDERS {
            let slice = Slice {
                limit,
                ..check::whole(order)
            };
            let got = check::read_history(&*stage.store, pair.conversation(), slice).await?;
            let expected = model.history(pair.conversation(), check::whole(order));
            let what = format!("a history of equal times, {limit} at a time ({order:?})");
            check::same_list(&what, &got, &expected)?;
        }
    }
    stage.agrees_with(&model).await
}

/// Ids that share the millisecond, and mostly its fraction, and differ in one byte of the rest: on
/// both sides of its sign bit, for a store may compare bytes as signed by mistake.
fn tied_ids() -> Vec<crate::MessageId> {
    let fractions = [0, 1, 0x7ff, 0x800, 0xfff].map(|fraction| exact_id(NOON, fraction, 7));
    let rests = (0..8).flat_map(|byte| {
        // The highest byte has six bits here: the other two are the variant.
        let bytes: &[u64] = if byte == 7 {
            &[0x01, 0x1f, 0x20, 0x3f]
        } else {
            &[0x01, 0x7f, 0x80, 0xff]
        };
        bytes
            .iter()
            .map(move |value| exact_id(NOON, 0x123, value << (8 * byte)))
    });
    fractions.into_iter().chain(rests).collect()
}

pub(super) async fn every_limit_gives_everything_once(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pair = stage.pair()?;
    stage
        .append_all(&mut model, &pair.messages(ids(128))?)
        .await?;
    for order in ORDERS {
        let expected = check::read_all(|slice| model.history(pair.conversation(), slice), order);
        for limit in 1..=Slice::MAX_LIMIT {
            let slice = Slice {
                limit,
                ..check::whole(order)
            };
            let got = check::read_history(&*stage.store, pair.conversation(), slice).await?;
            let what = format!("a history read {limit} at a time ({order:?})");
            check::same_list(&what, &got, &expected)?;
        }
    }
    Ok(())
}

pub(super) async fn conversations_do_not_mix(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    // Names of which one begins with the other, and equal ones but for their case.
    let users: Vec<_> = ["u", "u1", "u11", "U1"]
        .into_iter()
        .map(|name| stage.user(name))
        .collect::<Result<_, _>>()?;
    let mut ids = ids(24);
    for one in &users {
        for two in users.iter().filter(|two| *two != one) {
            let pair = Pair::new(one.clone(), two.clone());
            let two_ids: Vec<_> = ids.by_ref().take(2).collect();
            stage
                .append_all(&mut model, &pair.messages(two_ids)?)
                .await?;
        }
    }
    stage.agrees_with(&model).await
}
