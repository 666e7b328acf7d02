//! Writes: repeated, and shown in every view as they were written. Rules 1 and 2.

use crate::conformance::failure::Checked;
use crate::conformance::fixture::{Fixture, NOON, Pair, Write, exact_id, id_at, ids};
use crate::conformance::{Failure, Model};
use crate::{Message, UserId};

/// A send, an edit, an unsend and a mark, in this order, in a conversation with one message more.
fn one_of_each(pair: &Pair) -> Result<Vec<Write>, Failure> {
    let [first, second] = &pair.messages(ids(2))?[..] else {
        return Err(Failure::new("two ids make two messages"));
    };
    let at = |second: u64| id_at(NOON + second * 1_000);
    Ok(vec![
        Write::send(first),
        Write::send(second),
        Write::edit(second, at(10), "edited")?,
        Write::unsend(first, at(11)),
        pair.read(second.id(), at(12)),
        pair.turned().read(first.id(), at(13)),
        Write::edit(second, at(14), "edited again")?,
    ])
}

pub(super) async fn a_repeated_write_changes_nothing(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    for write in one_of_each(&fixture.pair()?)? {
        let repeated = [write.clone(), write.clone(), write];
        fixture.write_and_compare(&mut model, repeated).await?;
    }
    Ok(())
}

pub(super) async fn a_write_repeated_later_changes_nothing_but_the_log(
    fixture: &Fixture,
) -> Checked {
    let mut model = Model::new();
    let writes = one_of_each(&fixture.pair()?)?;
    for write in &writes {
        fixture.write(&mut model, write).await?;
    }
    for (n, write) in writes.iter().enumerate() {
        // Under the same key, and under a later one, as a send that is repeated; through the other
        // client, which does not know what the first one wrote.
        let later = write.again(id_at(NOON + 60_000 + n as u64));
        for again in [write, &later] {
            again.to(&*fixture.other).await?;
            again.add_to(&mut model);
            let agreed = fixture.agrees_with(&model).await;
            agreed.map_err(|failure| failure.during(format!("after {}, again", write.name())))?;
        }
    }
    Ok(())
}

pub(super) async fn a_write_shows_in_every_view(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let (alice, bob) = (fixture.user("alice")?, fixture.user("bob")?);
    let pairs = [
        Pair::new(alice.clone(), bob.clone()),
        Pair::new(bob, alice.clone()),
        Pair::new(fixture.user("carol")?, alice),
    ];
    let mut sent: Vec<Message> = Vec::new();
    for (n, id) in ids(12).enumerate() {
        let message = pairs[n % 3].message(id, format!("message {n}"))?;
        let mut writes = vec![Write::send(&message)];
        let later = |millis| id_at(id.timestamp().as_millis() + millis);
        if let Some(before) = n.checked_sub(3).map(|before| &sent[before]) {
            writes.push(pairs[n % 3].turned().read(before.id(), later(1)));
            writes.push(Write::edit(before, later(2), "edited")?);
        }
        if let Some(before) = n.checked_sub(5).map(|before| &sent[before]) {
            writes.push(Write::unsend(before, later(3)));
        }
        fixture.write_and_compare(&mut model, writes).await?;
        sent.push(message);
    }
    Ok(())
}

pub(super) async fn every_field_comes_back_as_it_was_written(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    // The longest text, one whose preview is cut within a cluster of 25 bytes, one that begins with
    // white space, and those that break quoting and escaping.
    let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
    let texts = [
        "x".into(),
        "é".repeat(10_000),
        format!("{}{family}", "a".repeat(190)),
        "  leading and trailing  ".into(),
        "'; -- \"\\ \u{0} \r\n\t \u{feff} \u{10ffff}".into(),
    ];
    let users = odd_users(fixture)?;
    for (m, pair) in users.windows(2).enumerate() {
        let pair = Pair::new(pair[0].clone(), pair[1].clone());
        for (n, text) in texts.iter().enumerate() {
            let at = NOON + (100 * n + 10 * m) as u64;
            let message = pair.message(exact_id(at, 0xfff, u64::MAX), text.as_str())?;
            let edited = &texts[(n + 1) % texts.len()];
            // Each text is that of a last message for a while, so its preview is compared too.
            let writes = [
                Write::send(&message),
                Write::edit(&message, exact_id(at + 1, 0xfff, u64::MAX), edited)?,
                pair.turned().read(message.id(), exact_id(at + 2, 0, 0)),
            ];
            fixture.write_and_compare(&mut model, writes).await?;
        }
    }
    Ok(())
}

/// Returns users with every character that an id may have, of the greatest length, and such that
/// differ in case only.
fn odd_users(fixture: &Fixture) -> Result<Vec<UserId>, Failure> {
    let longest = UserId::MAX_LEN - fixture.user("")?.as_str().len();
    Ok(vec![
        fixture.user("-._~@:+=")?,
        fixture.user(&"z".repeat(longest))?,
        fixture.user("0123456789")?,
        fixture.user("case")?,
        fixture.user("CASE")?,
        fixture.user("")?,
    ])
}
