//! The logs of histories and inboxes: each change at its key. Rules 7 and 11.

use crate::conformance::describe::{same_list, user_name};
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::fixture::{DAY, Fixture, NOON, Pair, Write, id_at, ids, shuffled};
use crate::conformance::{Failure, Model, views};
use crate::store::{MAX_KEY_AGE, MAX_LIMIT};
use crate::{Message, Position};

use super::history::tied_ids;
use super::inbox::one_each;

/// Returns an id this many seconds after noon.
fn at(second: u64) -> crate::MessageId {
    id_at(NOON + second * 1_000)
}

pub(super) async fn without_changes_the_log_is_the_list(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let pairs = fixture.pairs_of(&alice, 5)?;
    for round in 0..3 {
        for (n, pair) in pairs.iter().enumerate() {
            let second = (round * pairs.len() + n) as u64;
            let message = pair.message(at(second), format!("message {second}"))?;
            fixture.send(&mut model, &message).await?;
        }
    }
    for limit in [1, 2, 100] {
        for pair in &pairs {
            let mut history = views::whole_history(&*fixture.store, pair.id(), limit).await?;
            history.reverse();
            let log = views::whole_history_log(&*fixture.store, pair.id(), limit).await?;
            let log: Vec<_> = log.into_iter().map(|logged| logged.item).collect();
            same_list("`history_log` without changes", &log, &history)?;
        }
        let mut inbox = views::whole_inbox(&*fixture.store, &alice, limit).await?;
        inbox.reverse();
        let log = views::whole_inbox_log(&*fixture.store, &alice, limit).await?;
        let log: Vec<_> = log.into_iter().map(|logged| logged.item).collect();
        same_list("`inbox_log` without changes", &log, &inbox)?;
    }
    fixture.agrees_with(&model).await
}

/// Returns sends and changes of them, and the users. Each third message is changed, some twice.
fn changed_history(pair: &Pair, count: u64) -> Result<Vec<Write>, Failure> {
    let messages = pair.messages(ids(count))?;
    let mut writes: Vec<_> = messages.iter().map(Write::send).collect();
    for (n, message) in messages.iter().enumerate().filter(|(n, _)| n % 3 != 0) {
        // Some keys lie between later messages, others above all.
        let second = n as u64 + [5, 500][n % 2];
        let key = |millis| id_at(NOON + second * 1_000 + millis);
        writes.push(match n % 4 {
            0 => Write::unsend(message, key(1)),
            1 => Write::edit(message, key(2), "edited")?,
            2 => Write::late(message, key(3)),
            _ => pair.read(message.id(), key(4)),
        });
        if n % 5 == 0 {
            writes.push(Write::edit(message, key(700), "edited again")?);
        }
    }
    Ok(writes)
}

pub(super) async fn bounds_of_a_log_are_exclusive(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    for write in changed_history(&pair, 9)? {
        fixture.write(&mut model, &write).await?;
    }
    let places = model.history_log(pair.id(), Position::MIN, usize::MAX);
    let entries = model.inbox_log(&pair.one, Position::MIN, usize::MAX);
    let keys = places.iter().map(|logged| logged.key);
    let keys = keys.chain(entries.iter().map(|logged| logged.key));
    let bounds = keys.map(Position::from).flat_map(|key| [key, key.pred()]);
    for above in bounds.chain([Position::MIN]) {
        let got = fixture
            .store
            .history_log(pair.id(), above, MAX_LIMIT)
            .await?;
        let expected = model.history_log(pair.id(), above, MAX_LIMIT);
        let what = format!("`history_log` above {}", above.as_uuid());
        views::log_holds(&what, &got, &expected, None)?;
        for user in [&pair.one, &pair.two] {
            let got = fixture.store.inbox_log(user, above, MAX_LIMIT).await?;
            let expected = model.inbox_log(user, above, MAX_LIMIT);
            let user = user_name(user);
            let what = format!("`inbox_log` of {user} above {}", above.as_uuid());
            same_list(&what, &got, &expected)?;
        }
    }
    Ok(())
}

pub(super) async fn every_limit_reads_the_whole_log_of_a_history(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    for write in changed_history(&pair, 60)? {
        fixture.write(&mut model, &write).await?;
    }
    for limit in 1..=MAX_LIMIT {
        views::history_log_agrees(&*fixture.store, &model, pair.id(), limit).await?;
    }
    fixture.agrees_with(&model).await
}

pub(super) async fn every_limit_reads_the_whole_log_of_an_inbox(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let pairs = fixture.pairs_of(&alice, 40)?;
    let messages = one_each(&pairs)?;
    fixture.send_all(&mut model, &messages).await?;
    let changes = pairs.iter().zip(&messages).enumerate();
    for (n, (pair, message)) in shuffled(changes.collect(), 7) {
        // Some keys lie between later messages, others above all.
        let key = at(n as u64 * 2 + 20);
        let change = match n % 5 {
            0 => continue,
            1 => Write::edit(message, key, "edited")?,
            2 => Write::unsend(message, key),
            3 => pair.read(message.id(), key),
            _ => pair.turned().read(message.id(), key),
        };
        fixture.write(&mut model, &change).await?;
    }
    for limit in 1..=MAX_LIMIT {
        views::inbox_log_agrees(&*fixture.store, &model, &alice, limit).await?;
    }
    fixture.agrees_with(&model).await
}

pub(super) async fn a_log_is_ordered_by_the_whole_key(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    let keys = tied_ids(NOON + DAY);
    // Not alice: within one log no two changes have the same key.
    let bob = Pair::new(fixture.user("carol")?, fixture.user("bob")?);
    let others = fixture.pairs_of(&alice, keys.len())?;
    let to_bob = bob.messages(ids(keys.len() as u64))?;
    let to_others = one_each(&others)?;
    fixture.send_all(&mut model, &to_bob).await?;
    fixture.send_all(&mut model, &to_others).await?;
    for (n, key) in shuffled(keys.iter().enumerate().collect(), 3) {
        let edit = Write::edit(&to_bob[n], *key, "edited")?;
        fixture.write(&mut model, &edit).await?;
        let marked = others[n].read(to_others[n].id(), *key);
        fixture.write(&mut model, &marked).await?;
    }
    for limit in [1, 2, 3, 50] {
        views::history_log_agrees(&*fixture.store, &model, bob.id(), limit).await?;
        views::inbox_log_agrees(&*fixture.store, &model, &alice, limit).await?;
    }
    Ok(())
}

pub(super) async fn a_change_of_an_older_message_raises_the_entry(fixture: &Fixture) -> Checked {
    for n in 0..3 {
        let mut model = Model::new();
        let alice = fixture.nth_user("alice", n)?;
        let bob = Pair::new(alice.clone(), fixture.nth_user("bob", n)?);
        let carol = Pair::new(fixture.nth_user("carol", n)?, alice.clone());
        let older = bob.message(at(1), "older")?;
        let writes = [
            Write::send(&older),
            Write::send(&bob.message(at(2), "newer")?),
            Write::send(&carol.message(at(3), "elsewhere")?),
            match n {
                0 => Write::edit(&older, at(10), "edited")?,
                1 => Write::unsend(&older, at(10)),
                _ => Write::late(&older, at(10)),
            },
        ];
        let change = writes[3].name();
        fixture.write_and_compare(&mut model, writes).await?;
        for user in [&bob.one, &bob.two] {
            let log = fixture.store.inbox_log(user, at(9).into(), 10).await?;
            ensure!(
                log.len() == 1 && log[0].item.id() == bob.id(),
                "after {change} `inbox_log` of {} above the keys before has {} entries, and should \
                 have the conversation",
                user_name(user),
                log.len()
            );
        }
    }
    Ok(())
}

pub(super) async fn a_mark_raises_the_entries_of_both(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let messages = pair.messages(ids(3))?;
    let mut writes: Vec<_> = messages.iter().map(Write::send).collect();
    writes.push(pair.read(messages[2].id(), at(10)));
    writes.push(pair.turned().read(messages[1].id(), at(20)));
    // Behind the present marker: it stands in the log all the same.
    writes.push(pair.read(messages[0].id(), at(30)));
    fixture.write_and_compare(&mut model, writes).await
}

pub(super) async fn a_smaller_key_lowers_no_entry(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let older = pair.message(at(5), "older")?;
    let newer = pair.turned().message(at(13), "newer")?;
    let writes = [
        Write::send(&older),
        // The edit is there before a message with a smaller id and a mark with a smaller key.
        Write::edit(&older, at(22), "edited")?,
        Write::send(&newer),
        pair.read(older.id(), at(20)),
        pair.turned().read(newer.id(), at(21)),
        Write::edit(&newer, at(19), "edited")?,
        Write::late(&older, at(18)),
    ];
    fixture.write_and_compare(&mut model, writes).await
}

pub(super) async fn a_superseded_change_is_not_skipped(fixture: &Fixture) -> Checked {
    let pair = fixture.pair()?;
    let mut model = Model::new();
    let hello = pair.message(at(1), "hello")?;
    let other = pair.message(at(2), "other")?;
    let writes = [
        Write::send(&hello),
        Write::send(&other),
        Write::edit(&hello, at(20), "the second edit")?,
        // It is not the message, and a reader who has not read that far finds the message by it.
        Write::edit(&hello, at(10), "the first edit")?,
        Write::unsend(&other, at(15)),
        Write::edit(&other, at(30), "too late")?,
        Write::late(&hello, at(40)),
    ];
    fixture.write_and_compare(&mut model, writes).await?;
    let log = fixture
        .store
        .history_log(pair.id(), at(29).into(), 10)
        .await?;
    let found = |message: &Message| log.iter().any(|logged| logged.item.id() == message.id());
    ensure!(
        found(&hello) && found(&other),
        "`history_log` misses a message that was written with a smaller version under a greater key"
    );
    Ok(())
}

pub(super) async fn a_late_send_is_in_the_log_at_its_key(fixture: &Fixture) -> Checked {
    let alice = fixture.user("alice")?;
    let bob = Pair::new(alice.clone(), fixture.user("bob")?);
    let carol = Pair::new(alice.clone(), fixture.user("carol")?);
    let mut model = Model::new();
    let writes = [
        Write::send(&bob.message(at(5), "on time")?),
        Write::send(&carol.message(at(22), "elsewhere")?),
        // Both conversations stand in the log below their late messages.
        Write::late(&bob.turned().message(at(12), "late")?, at(32)),
        Write::late(&carol.message(at(1), "late, and older than all")?, at(33)),
        // The first message of a conversation may be late too.
        Write::late(
            &Pair::new(fixture.user("dave")?, alice).message(at(3), "late")?,
            at(34),
        ),
    ];
    fixture.write_and_compare(&mut model, writes).await
}

pub(super) async fn a_store_of_several_processes_states_a_settle_time(
    fixture: &Fixture,
) -> Checked {
    let (settle, other) = (fixture.store.settle(), fixture.other.settle());
    ensure!(
        !fixture.has_other || settle > MAX_KEY_AGE,
        "`settle` is {settle:?}, but the store has a second client, so other processes write to \
         it: a key may be {MAX_KEY_AGE:?} old when its write begins"
    );
    ensure!(
        settle == other,
        "`settle` of two clients of one store differs: {settle:?} and {other:?}"
    );
    Ok(())
}
