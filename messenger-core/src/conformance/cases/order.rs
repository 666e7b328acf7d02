//! The order of writes does not matter. Rule 4.

use futures_util::future::try_join_all;

use crate::conformance::failure::Checked;
use crate::conformance::fixture::{AT_ONCE, DAY, Fixture, NOON, Pair, Write, exact_id, id_at};
use crate::conformance::{Failure, Model, views};

/// Tries every order of the writes, each with users of its own, and compares all views.
async fn any_order(
    fixture: &Fixture,
    name: &str,
    writes: impl Fn(&Pair, &Pair) -> Result<Vec<Write>, Failure> + Send + Sync,
) -> Checked {
    let count = {
        let pair = fixture.pair()?;
        writes(&pair, &pair)?.len()
    };
    let orders: Vec<_> = permutations(count).into_iter().enumerate().collect();
    for some in orders.chunks(AT_ONCE) {
        let tries = some.iter().map(async |(n, order)| {
            let user = |role: &str| fixture.nth_user(&format!("{name}.{role}"), *n);
            let alice = user("alice")?;
            let bob = Pair::new(alice.clone(), user("bob")?);
            let carol = Pair::new(user("carol")?, alice);
            let writes = writes(&bob, &carol)?;
            let writes: Vec<_> = order.iter().map(|&at| &writes[at]).collect();
            if is_possible(&writes) {
                agree_after(fixture, &writes).await?;
            }
            Ok::<_, Failure>(())
        });
        try_join_all(tries).await?;
    }
    Ok(())
}

async fn agree_after(fixture: &Fixture, writes: &[&Write]) -> Checked {
    let mut model = Model::new();
    for (n, write) in writes.iter().enumerate() {
        // The clients take turns: neither knows what the other wrote.
        write.to(&*fixture.nth_client(n)).await?;
        write.add_to(&mut model);
    }
    views::agree(&*fixture.store, &model)
        .await
        .map_err(|failure| {
            let names: Vec<_> = writes.iter().map(|write| write.name()).collect();
            failure.during(format!("written in this order: {}", names.join("; ")))
        })
}

/// Returns whether each marker names a message that is there.
fn is_possible(writes: &[&Write]) -> bool {
    let is_put = |up_to, earlier: &[&Write]| {
        earlier
            .iter()
            .any(|write| matches!(write, Write::Put(_, message) if message.id() == up_to))
    };
    writes.iter().enumerate().all(|(n, write)| match write {
        Write::Put(..) => true,
        Write::Mark(_, marker) => is_put(marker.up_to, &writes[..n]),
    })
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        all = all
            .iter()
            .flat_map(|shorter| {
                (0..=next).map(|at| {
                    let mut longer: Vec<usize> = shorter.clone();
                    longer.insert(at, next);
                    longer
                })
            })
            .collect();
    }
    all
}

pub(super) async fn any_order_of_sends_gives_the_same_views(fixture: &Fixture) -> Checked {
    any_order(fixture, "sends", |bob, carol| {
        Ok(vec![
            Write::send(&bob.message(id_at(NOON), "first")?),
            Write::send(&carol.message(id_at(NOON + DAY), "second")?),
            Write::send(&bob.turned().message(id_at(NOON + 40 * DAY), "third")?),
            Write::send(&bob.message(id_at(NOON + 40 * DAY), "fourth, or third")?),
        ])
    })
    .await
}

pub(super) async fn any_order_of_versions_gives_the_same_views(fixture: &Fixture) -> Checked {
    any_order(fixture, "versions", |bob, _| {
        let hello = bob.message(id_at(NOON), "hello")?;
        Ok(vec![
            Write::send(&hello),
            Write::edit(&hello, id_at(NOON + 1_000), "first edit")?,
            Write::edit(&hello, id_at(NOON + 2_000), "second edit")?,
            Write::late(&hello, id_at(NOON + 3_000)),
        ])
    })
    .await?;
    // Of an unsend and an edit at the same time, the edit may have the greater revision.
    any_order(fixture, "unsend", |bob, _| {
        let hello = bob.message(id_at(NOON), "hello")?;
        Ok(vec![
            Write::send(&hello),
            Write::edit(&hello, id_at(NOON + 1_000), "before the unsend")?,
            Write::unsend(&hello, id_at(NOON + 2_000)),
            Write::edit(&hello, id_at(NOON + 3_000), "after the unsend")?,
            Write::late(&hello, id_at(NOON + 4_000)),
        ])
    })
    .await
}

pub(super) async fn any_order_of_changes_of_two_messages_gives_the_same_views(
    fixture: &Fixture,
) -> Checked {
    any_order(fixture, "two", |bob, _| {
        let older = bob.message(id_at(NOON), "older")?;
        let newer = bob.turned().message(id_at(NOON + DAY), "newer")?;
        Ok(vec![
            Write::send(&older),
            Write::send(&newer),
            Write::edit(&newer, id_at(NOON + 2 * DAY), "newer, edited")?,
            Write::edit(&older, id_at(NOON + 3 * DAY), "older, edited")?,
        ])
    })
    .await?;
    // The key of the older message's edit lies below the newer message, and above it.
    for (name, at) in [("below", NOON + 1), ("above", NOON + 2 * DAY)] {
        any_order(fixture, name, |bob, carol| {
            let older = bob.message(id_at(NOON), "older")?;
            let newer = bob.message(id_at(NOON + DAY), "newer")?;
            Ok(vec![
                Write::send(&newer),
                Write::unsend(&newer, id_at(NOON + DAY + 1)),
                Write::edit(&older, id_at(at), "older, edited")?,
                Write::send(&carol.message(id_at(NOON + DAY + 5), "elsewhere")?),
            ])
        })
        .await?;
    }
    Ok(())
}

pub(super) async fn any_order_of_markers_gives_the_same_views(fixture: &Fixture) -> Checked {
    any_order(fixture, "markers", |bob, _| {
        let older = bob.message(id_at(NOON), "older")?;
        let newer = bob.turned().message(id_at(NOON + 1_000), "newer")?;
        Ok(vec![
            Write::send(&older),
            Write::send(&newer),
            bob.read(newer.id(), id_at(NOON + 2_000)),
            bob.read(older.id(), id_at(NOON + 3_000)),
            bob.turned().read(older.id(), id_at(NOON + 4_000)),
        ])
    })
    .await
}

pub(super) async fn an_edit_is_complete_without_its_message(fixture: &Fixture) -> Checked {
    for (n, unsent) in [false, true].into_iter().enumerate() {
        let pair = fixture.nth_pair(n)?;
        let mut model = Model::new();
        let hello = pair.message(id_at(NOON), "hello")?;
        let change = if unsent {
            Write::unsend(&hello, id_at(NOON + 1_000))
        } else {
            Write::edit(&hello, id_at(NOON + 1_000), "edited")?
        };
        let marked = pair.turned().read(hello.id(), id_at(NOON + 2_000));
        let writes = [change, marked, Write::send(&hello)];
        fixture.write_and_compare(&mut model, writes).await?;
    }
    Ok(())
}

pub(super) async fn an_older_message_does_not_become_the_last(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let newest = pair.message(exact_id(NOON, 5, 1 << 60), "the newest")?;
    fixture.send(&mut model, &newest).await?;
    // Older by years, by a millisecond, by a fraction of one, and by the random bits alone.
    let older = [
        exact_id(NOON - 2_000 * DAY, 0, 1),
        exact_id(NOON - 1, 0xfff, u64::MAX),
        exact_id(NOON, 4, u64::MAX),
        exact_id(NOON, 5, 1),
    ];
    let older = pair.messages(older)?;
    let sends = older.iter().map(Write::send);
    fixture.write_and_compare(&mut model, sends).await
}
