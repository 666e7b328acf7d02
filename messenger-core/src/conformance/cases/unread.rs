//! The number of unread messages. Rule 15.

use crate::conformance::describe::same;
use crate::conformance::failure::Checked;
use crate::conformance::fixture::{Fixture, NOON, Pair, Write, id_at, ids, shuffled};
use crate::conformance::{Model, views};
use crate::store::MAX_LIMIT;
use crate::{MessageId, Position};

fn at(second: u64) -> MessageId {
    id_at(NOON + second * 1_000)
}

/// Compares the counts above every message, and above nothing, for both users.
async fn counts_agree(fixture: &Fixture, model: &Model, pair: &Pair) -> Checked {
    let places = model.messages(pair.id());
    let places = places.iter().map(|message| Position::from(message.id()));
    let mut bounds = vec![None, Some(Position::MIN)];
    bounds.extend(places.flat_map(|place| [Some(place.pred()), Some(place)]));
    for above in bounds {
        for user in [&pair.one, &pair.two] {
            let (store, id) = (&*fixture.store, pair.id());
            views::unread_agrees(store, model, id, user, above, MAX_LIMIT).await?;
        }
    }
    Ok(())
}

pub(super) async fn messages_of_others_above_the_position_are_counted(
    fixture: &Fixture,
) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    fixture
        .send_all(&mut model, &pair.messages(ids(9))?)
        .await?;
    counts_agree(fixture, &model, &pair).await?;
    // Two more of one's own, so that the counts of the two users differ.
    for second in [20, 21] {
        let own = pair.message(at(second), "one's own")?;
        fixture.send(&mut model, &own).await?;
    }
    counts_agree(fixture, &model, &pair).await?;
    let (store, id) = (&fixture.store, pair.id());
    let own = store.unread(id, &pair.one, Some(at(19).into()), 10).await?;
    same("`unread` above which there are only own messages", &own, &0)?;
    let others = store.unread(id, &pair.two, Some(at(19).into()), 10).await?;
    same(
        "`unread` above which there are two of the other",
        &others,
        &2,
    )
}

pub(super) async fn changes_are_not_counted_and_unsent_messages_neither(
    fixture: &Fixture,
) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let messages = pair.messages(ids(8))?;
    fixture.send_all(&mut model, &messages).await?;
    for (n, write) in [
        Write::edit(&messages[0], at(20), "edited")?,
        Write::edit(&messages[1], at(21), "edited")?,
        Write::late(&messages[2], at(22)),
        Write::unsend(&messages[3], at(23)),
        Write::unsend(&messages[4], at(24)),
        Write::unsend(&messages[7], at(25)),
        // Neither of these counts an unsent message again.
        Write::edit(&messages[4], at(26), "edited")?,
        Write::late(&messages[3], at(27)),
        pair.read(messages[5].id(), at(28)),
    ]
    .iter()
    .enumerate()
    {
        write.to(&*fixture.nth_client(n)).await?;
        write.add_to(&mut model);
        let agreed = counts_agree(fixture, &model, &pair).await;
        agreed.map_err(|failure| failure.during(format!("after {}", write.name())))?;
    }
    fixture.agrees_with(&model).await
}

pub(super) async fn the_order_of_writes_does_not_change_the_count(fixture: &Fixture) -> Checked {
    for n in 0..12 {
        let mut model = Model::new();
        let pair = fixture.nth_pair(n)?;
        let messages = pair.messages(ids(4))?;
        let mut writes: Vec<_> = messages.iter().map(Write::send).collect();
        writes.extend([
            Write::unsend(&messages[1], at(10)),
            Write::edit(&messages[1], at(11), "edited")?,
            Write::unsend(&messages[2], at(12)),
            Write::edit(&messages[3], at(13), "edited")?,
        ]);
        for write in shuffled(writes, n as u64) {
            fixture.write(&mut model, &write).await?;
        }
        counts_agree(fixture, &model, &pair).await?;
    }
    Ok(())
}

pub(super) async fn counting_stops_at_the_cap(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    // More than the greatest cap, from both users.
    let messages = pair.messages(ids(2 * MAX_LIMIT as u64 + 10))?;
    fixture.send_all(&mut model, &messages).await?;
    // The newest ones are unsent, so they do not fill the cap.
    for (n, message) in messages.iter().rev().take(9).enumerate() {
        let unsend = Write::unsend(message, at(1_000 + n as u64));
        fixture.write(&mut model, &unsend).await?;
    }
    let middle = Position::from(messages[messages.len() / 2].id());
    for cap in [1, 2, 50, MAX_LIMIT - 1, MAX_LIMIT] {
        for above in [None, Some(middle)] {
            for user in [&pair.one, &pair.two] {
                let (store, id) = (&*fixture.store, pair.id());
                views::unread_agrees(store, &model, id, user, above, cap).await?;
            }
        }
    }
    Ok(())
}
