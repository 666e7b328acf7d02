//! Long silences: years between messages, in which a store may have nothing, or remains. Rule 11.

use crate::store::{Order, Slice};
use crate::testing::failure::Verdict;
use crate::testing::stage::{DAY, NOON, Pair, Stage, id_at, shuffled};
use crate::testing::{Model, check};
use crate::{Position, Timestamp};

const ORDERS: [Order; 2] = [Order::NewestFirst, Order::OldestFirst];

/// Times with everything from a millisecond to decades between them, the first one at the epoch.
fn times() -> Vec<u64> {
    let mut times = vec![0, 1, DAY, 10 * DAY, 4_000 * DAY];
    for years in [20, 11, 3, 1] {
        let then = NOON - years * 365 * DAY;
        times.extend([then, then + 1, then + 3_600_000, then + 2 * DAY]);
    }
    // Each day of a month, then hours.
    times.extend((0..31).map(|day| NOON - (60 - day) * DAY));
    times.extend((0..12).map(|hour| NOON - hour * 3_600_000));
    times
}

/// Bounds within and between the times, and none.
fn bounds() -> Vec<Option<Position>> {
    let mut bounds = vec![None];
    for millis in [DAY, 2_000 * DAY, NOON - 2_000 * DAY, NOON - 45 * DAY, NOON] {
        let time = Timestamp::saturating_from_millis(millis.into());
        bounds.push(Some(Position::start_of(time)));
    }
    bounds
}

fn slices() -> Vec<Slice> {
    let mut slices = Vec::new();
    for above in bounds() {
        for below in bounds() {
            for order in ORDERS {
                for limit in [1, 7, Slice::MAX_LIMIT] {
                    slices.push(Slice {
                        above,
                        below,
                        order,
                        limit,
                    });
                }
            }
        }
    }
    slices
}

pub(super) async fn years_between_messages_cut_no_page_short(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pair = stage.pair()?;
    let ids = shuffled(times(), 4).into_iter().map(id_at);
    stage.append_all(&mut model, &pair.messages(ids)?).await?;
    for slice in slices() {
        let got = stage.store.history(pair.conversation(), slice).await?;
        let expected = model.history(pair.conversation(), slice);
        check::same_list(
            &format!("a history ({})", check::slice(slice)),
            &got,
            &expected,
        )?;
    }
    stage.agrees_with(&model).await
}

pub(super) async fn years_between_conversations_cut_no_page_short(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let alice = stage.user("alice")?;
    let mut messages = Vec::new();
    for (n, millis) in times().into_iter().enumerate() {
        let pair = Pair::new(stage.nth_user("friend", n)?, alice.clone());
        messages.push(pair.message(id_at(millis), format!("message {n}"))?);
    }
    stage.append_all(&mut model, &shuffled(messages, 4)).await?;
    for slice in slices() {
        let got = stage.store.inbox(&alice, slice).await?;
        let expected = model.inbox(&alice, slice);
        check::same_list(
            &format!("an inbox ({})", check::slice(slice)),
            &got,
            &expected,
        )?;
    }
    Ok(())
}

/// Where conversations were listed before they moved up, nothing may stand in a page's way.
pub(super) async fn moves_leave_no_holes_in_an_inbox(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let alice = stage.user("alice")?;
    let pairs = (0..7)
        .map(|n| Ok(Pair::new(alice.clone(), stage.nth_user("friend", n)?)))
        .collect::<Result<Vec<_>, crate::testing::Failure>>()?;
    // All wrote each day for six days; after that the later ones stopped, one a day. (A store that
    // leaves something behind at each of these moves may warn of a hundred.)
    for day in 0..13 {
        let still = if day < 6 { 7 } else { 13 - day as usize };
        let messages = pairs[..still]
            .iter()
            .enumerate()
            .map(|(n, pair)| pair.message(id_at(NOON + day * DAY + n as u64), format!("day {day}")))
            .collect::<Result<Vec<_>, _>>()?;
        stage.append_all(&mut model, &messages).await?;
    }
    for limit in 1..=8 {
        for order in ORDERS {
            let slice = Slice {
                limit,
                ..check::whole(order)
            };
            let got = stage.store.inbox(&alice, slice).await?;
            let expected = model.inbox(&alice, slice);
            check::same_list(
                &format!("an inbox ({})", check::slice(slice)),
                &got,
                &expected,
            )?;
        }
    }
    stage.agrees_with(&model).await
}
