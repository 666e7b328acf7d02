//! Read markers: forward only, for both participants. Rule 14.

use crate::MessageId;
use crate::conformance::Model;
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::fixture::{Fixture, NOON, Write, id_at, ids, shuffled};

fn at(second: u64) -> MessageId {
    id_at(NOON + second * 1_000)
}

pub(super) async fn a_marker_only_moves_forward(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let messages = pair.messages(ids(8))?;
    fixture.send_all(&mut model, &messages).await?;
    let marks = shuffled(messages, 2).into_iter().zip(100..);
    let marks = marks.map(|(message, second)| pair.read(message.id(), at(second)));
    fixture.write_and_compare(&mut model, marks).await
}

pub(super) async fn each_participant_sees_how_far_the_other_has_read(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let messages = pair.messages(ids(3))?;
    fixture.send_all(&mut model, &messages).await?;
    let (first, last) = (messages[0].id(), messages[2].id());
    let marks = [pair.read(last, at(10)), pair.turned().read(first, at(11))];
    fixture.write_and_compare(&mut model, marks).await?;
    for (user, read, seen) in [(&pair.one, last, first), (&pair.two, first, last)] {
        let entry = fixture.store.entry(user, pair.id()).await?;
        let markers = entry.map(|entry| (entry.read_up_to(), entry.seen_up_to()));
        ensure!(
            markers == Some((Some(read), Some(seen))),
            "`entry` of {user} has other markers than both users set"
        );
    }
    Ok(())
}

pub(super) async fn no_message_moves_a_marker(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let messages = pair.messages(ids(4))?;
    fixture.send_all(&mut model, &messages[..3]).await?;
    let read = messages[1].id();
    let writes = [
        pair.read(read, at(10)),
        // By the reader, by the other one, and changes of the message that was read.
        Write::send(&pair.message(at(20), "from the reader")?),
        Write::send(&pair.turned().message(at(21), "to the reader")?),
        Write::send(&messages[3]),
        Write::edit(&messages[1], at(30), "edited")?,
        Write::unsend(&messages[1], at(31)),
        Write::late(&messages[0], at(32)),
    ];
    for write in &writes {
        fixture.write(&mut model, write).await?;
        let entry = fixture.store.entry(&pair.one, pair.id()).await?;
        let markers = entry.map(|entry| (entry.read_up_to(), entry.seen_up_to()));
        ensure!(
            markers == Some((Some(read), None)),
            "{} moved a read marker",
            write.name()
        );
        fixture.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn a_user_has_a_marker_in_each_conversation(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pairs = fixture.pairs_of(&fixture.user("alice")?, 3)?;
    for (n, pair) in (0..).zip(&pairs) {
        let messages = pair.messages([at(n), at(n + 10)])?;
        fixture.send_all(&mut model, &messages).await?;
        let mark = pair.read(messages[0].id(), at(n + 20));
        fixture.write(&mut model, &mark).await?;
        fixture.agrees_with(&model).await?;
    }
    Ok(())
}
