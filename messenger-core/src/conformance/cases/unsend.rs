//! Unsent messages: final, and without their text. Rule 13.

use crate::MessageId;
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::fixture::{Fixture, NOON, Pair, Write, exact_id, id_at};
use crate::conformance::{Failure, Model, views};
use crate::store::MAX_LIMIT;

/// A word of the texts that must be gone.
const CANARY: &str = "canary";

fn at(second: u64) -> MessageId {
    id_at(NOON + second * 1_000)
}

/// Checks all views, and that none of them returns the text.
async fn is_gone(fixture: &Fixture, model: &Model, pair: &Pair, after: &str) -> Checked {
    for (view, text) in texts(fixture, pair).await? {
        ensure!(
            !text.contains(CANARY),
            "after {after} {view} returns the text of an unsent message: {text:?}"
        );
    }
    let agreed = fixture.agrees_with(model).await;
    agreed.map_err(|failure| failure.during(format!("after {after}")))
}

/// Returns every text that a view shows, with the call.
async fn texts(fixture: &Fixture, pair: &Pair) -> Result<Vec<(&'static str, String)>, Failure> {
    let (store, id) = (&*fixture.store, pair.id());
    let mut texts = Vec::new();
    let history = views::whole_history(store, id, MAX_LIMIT).await?;
    let log = views::whole_history_log(store, id, MAX_LIMIT).await?;
    for message in &history {
        let found = store.message(id, message.id()).await?;
        let content = found.and_then(|found| found.content().cloned());
        texts.extend(content.map(|content| ("`message`", content.to_string())));
    }
    let of_history = history.into_iter().map(|message| ("`history`", message));
    let of_log = log.into_iter().map(|logged| ("`history_log`", logged.item));
    for (view, message) in of_history.chain(of_log) {
        texts.extend(message.content().map(|content| (view, content.to_string())));
    }
    for user in [&pair.one, &pair.two] {
        let inbox = views::whole_inbox(store, user, MAX_LIMIT).await?;
        let log = views::whole_inbox_log(store, user, MAX_LIMIT).await?;
        let entry = store.entry(user, id).await?;
        let of_inbox = inbox.into_iter().map(|entry| ("`inbox`", entry));
        let of_log = log.into_iter().map(|logged| ("`inbox_log`", logged.item));
        let of_entry = entry.into_iter().map(|entry| ("`entry`", entry));
        for (view, entry) in of_inbox.chain(of_log).chain(of_entry) {
            let preview = entry.last_message().preview();
            texts.extend(preview.map(|preview| (view, preview.to_string())));
        }
    }
    Ok(texts)
}

pub(super) async fn an_unsend_is_final(fixture: &Fixture) -> Checked {
    // The unsent message is the last one, and an older one.
    for (n, is_last) in [true, false].into_iter().enumerate() {
        let mut model = Model::new();
        let pair = fixture.nth_pair(n)?;
        let other = if is_last { at(1) } else { at(3) };
        let message = pair.message(at(2), format!("{CANARY} first"))?;
        for write in [
            Write::send(&pair.message(other, "stays")?),
            Write::send(&message),
            Write::edit(&message, at(10), &format!("{CANARY} second"))?,
        ] {
            fixture.write(&mut model, &write).await?;
        }
        for write in [
            Write::unsend(&message, at(20)),
            // An edit by another server at the same time, a send that is repeated, an old edit whose
            // outcome was unknown, and another unsend.
            Write::edit(&message, at(30), &format!("{CANARY} third"))?,
            Write::late(&message, at(40)),
            Write::edit(&message, at(10), &format!("{CANARY} second"))?,
            Write::send(&message),
            Write::unsend(&message, at(15)),
            Write::unsend(&message, at(50)),
            Write::edit(&message, at(60), &format!("{CANARY} fourth"))?.again(at(70)),
        ] {
            write.to(&*fixture.other).await?;
            write.add_to(&mut model);
            is_gone(fixture, &model, &pair, &write.name()).await?;
        }
    }
    Ok(())
}

pub(super) async fn an_unsend_before_its_message_is_final(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let message = pair.message(at(2), format!("{CANARY} first"))?;
    for write in [
        Write::unsend(&message, at(20)),
        Write::edit(&message, at(10), &format!("{CANARY} second"))?,
        Write::send(&message),
        Write::late(&message, at(40)),
    ] {
        fixture.write(&mut model, &write).await?;
        is_gone(fixture, &model, &pair, &write.name()).await?;
    }
    Ok(())
}

/// A store whose write timestamps have microseconds cannot tell these apart by them.
pub(super) async fn an_unsend_in_the_microsecond_of_its_message_is_final(
    fixture: &Fixture,
) -> Checked {
    for order in [[0, 1, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0]] {
        let mut model = Model::new();
        let pair = fixture.nth_pair(order[0] * 3 + order[1])?;
        let message = pair.message(exact_id(NOON, 0, 7), format!("{CANARY} first"))?;
        let writes = [
            Write::send(&message),
            Write::edit(&message, exact_id(NOON, 0, 8), &format!("{CANARY} second"))?,
            Write::unsend(&message, exact_id(NOON, 1, 3)),
        ];
        for (n, write) in order.map(|n| &writes[n]).into_iter().enumerate() {
            fixture.write(&mut model, write).await?;
            if order[..=n].contains(&2) {
                is_gone(fixture, &model, &pair, &write.name()).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn an_unsent_message_keeps_its_place(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let messages = pair.messages((1..=3).map(at))?;
    fixture.send_all(&mut model, &messages).await?;
    // The last one first: it stays the last message, and the one before does not take its place.
    for (n, message) in messages.iter().rev().enumerate() {
        let unsend = Write::unsend(message, at(10 + n as u64));
        fixture.write(&mut model, &unsend).await?;
        fixture.agrees_with(&model).await?;
        let entry = fixture.store.entry(&pair.two, pair.id()).await?;
        let last = entry.map(|entry| entry.last_message().clone());
        ensure!(
            last.is_some_and(|last| last.id() == messages[2].id() && last.is_unsent()),
            "after {} the last message in `entry` is not the unsent one",
            unsend.name()
        );
    }
    // The next message is a last message again.
    let next = pair.message(at(60), "next")?;
    fixture.send(&mut model, &next).await?;
    fixture.agrees_with(&model).await
}
