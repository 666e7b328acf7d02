//! Long silences: years between messages and changes, in which a store may have nothing, or remains.
//! Rule 11.

use crate::conformance::describe::same_list;
use crate::conformance::failure::Checked;
use crate::conformance::fixture::{DAY, Fixture, NOON, Pair, Write, id_at, shuffled};
use crate::conformance::{Model, views};
use crate::store::MAX_LIMIT;
use crate::{Position, Timestamp};

const LIMITS: [usize; 3] = [1, 7, MAX_LIMIT];

/// Returns times with everything from a millisecond to decades between them, the first one at the
/// epoch.
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

/// Returns bounds within and between the times, and at both ends.
fn bounds() -> Vec<Position> {
    let times = [
        0,
        DAY,
        2_000 * DAY,
        NOON - 2_000 * DAY,
        NOON - 45 * DAY,
        NOON,
        NOON + 1_000 * DAY,
    ];
    times
        .map(|millis| Position::start_of(Timestamp::saturating_from_millis(millis.into())))
        .into()
}

pub(super) async fn years_between_messages_cut_no_page_short(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let messages = pair.messages(shuffled(times(), 4).into_iter().map(id_at))?;
    fixture.send_all(&mut model, &messages).await?;
    histories_agree(fixture, &model, &pair).await?;
    fixture.agrees_with(&model).await
}

pub(super) async fn years_between_changes_cut_no_page_short(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    // The changes fall into times without messages too.
    let messages = pair.messages((0..8).map(id_at))?;
    fixture.send_all(&mut model, &messages).await?;
    let times = times().into_iter().filter(|&time| time > DAY);
    for (n, time) in shuffled(times.collect(), 4).into_iter().enumerate() {
        let message = &messages[n % 8];
        let change = match n % 8 {
            0..5 => Write::edit(message, id_at(time), "edited")?,
            5 => Write::unsend(message, id_at(time)),
            6 => Write::late(message, id_at(time)),
            _ => pair.read(message.id(), id_at(time)),
        };
        fixture.write(&mut model, &change).await?;
    }
    histories_agree(fixture, &model, &pair).await?;
    fixture.agrees_with(&model).await
}

async fn histories_agree(fixture: &Fixture, model: &Model, pair: &Pair) -> Checked {
    for bound in bounds() {
        for limit in LIMITS {
            let got = fixture.store.history(pair.id(), Some(bound), limit).await?;
            let expected = model.history(pair.id(), Some(bound), limit);
            let what = format!("`history` below {}, at most {limit},", bound.as_uuid());
            same_list(&what, &got, &expected)?;
        }
        let places = model.history_log(pair.id(), bound, usize::MAX);
        for limit in LIMITS {
            let got = fixture.store.history_log(pair.id(), bound, limit).await?;
            let what = format!("`history_log` above {}, at most {limit},", bound.as_uuid());
            // A page that is not full reaches the end.
            let last = got.last().map(|logged| logged.key);
            let up_to = last.filter(|_| got.len() == limit);
            views::log_holds(&what, &got, &places, up_to)?;
        }
    }
    Ok(())
}

pub(super) async fn years_between_conversations_cut_no_page_short(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let times = times();
    let pairs = fixture.pairs_of(&alice, times.len())?;
    let mut messages = Vec::new();
    for (n, (pair, millis)) in pairs.iter().zip(times).enumerate() {
        messages.push(pair.message(id_at(millis), format!("message {n}"))?);
    }
    fixture
        .send_all(&mut model, &shuffled(messages.clone(), 4))
        .await?;
    for round in 0..2 {
        for bound in bounds() {
            for limit in LIMITS {
                let got = fixture.store.inbox(&alice, Some(bound), limit).await?;
                let expected = model.inbox(&alice, Some(bound), limit);
                let what = format!("`inbox` below {}, at most {limit},", bound.as_uuid());
                same_list(&what, &got, &expected)?;
                let got = fixture.store.inbox_log(&alice, bound, limit).await?;
                let expected = model.inbox_log(&alice, bound, limit);
                let what = format!("`inbox_log` above {}, at most {limit},", bound.as_uuid());
                same_list(&what, &got, &expected)?;
            }
        }
        if round == 0 {
            // Then some are read years after their last message.
            for (n, (pair, message)) in pairs.iter().zip(&messages).enumerate().step_by(3) {
                let key = id_at(message.created_at().as_millis() + (n as u64 * 97 + 1) * DAY);
                let mark = pair.turned().read(message.id(), key);
                fixture.write(&mut model, &mark).await?;
            }
        }
    }
    Ok(())
}

/// A page must not end early at the places that conversations have left.
pub(super) async fn moves_leave_no_holes_in_an_inbox(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let pairs = fixture.pairs_of(&alice, 7)?;
    // All are active each day for six days; after that the later ones stop, one a day. (A store that
    // leaves something behind at each of these moves may warn at a hundred.)
    for day in 0..13 {
        let still = if day < 6 { 7 } else { 13 - day as usize };
        for (n, pair) in pairs[..still].iter().enumerate() {
            let message = pair.message(id_at(NOON + day * DAY + n as u64), format!("day {day}"))?;
            fixture.send(&mut model, &message).await?;
            let key = id_at(NOON + day * DAY + 3_600_000 + n as u64);
            fixture
                .write(&mut model, &pair.read(message.id(), key))
                .await?;
        }
    }
    for limit in 1..=8 {
        views::inbox_agrees(&*fixture.store, &model, &alice, limit).await?;
        views::inbox_log_agrees(&*fixture.store, &model, &alice, limit).await?;
    }
    fixture.agrees_with(&model).await
}
