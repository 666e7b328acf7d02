//! The walk over all users. Rule 16.

use std::collections::BTreeSet;

use crate::conformance::failure::{Checked, Failure, ensure};
use crate::conformance::fixture::{Fixture, NOON, Write, id_at, ids};
use crate::conformance::{Model, describe};
use crate::store::MAX_LIMIT;
use crate::{Store, UserId};

/// Returns all users after one, or all. A store may hold those of other cases too.
async fn walk(
    store: &dyn Store,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<UserId>, Failure> {
    let mut users: Vec<UserId> = Vec::new();
    let mut seen = BTreeSet::new();
    loop {
        let page = store.users(users.last().or(after), limit).await?;
        for user in &page {
            // Otherwise the walk might never end.
            ensure!(seen.insert(user.clone()), "`users` returned {user} twice");
        }
        let is_full = page.len() == limit;
        users.extend(page);
        if !is_full {
            return Ok(users);
        }
    }
}

pub(super) async fn a_walk_finds_each_user_once(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let alice = fixture.user("alice")?;
    // Alice is in all conversations; each friend is in one, with several messages.
    let pairs = fixture.pairs_of(&alice, MAX_LIMIT + 20)?;
    let mut expected: BTreeSet<_> = [alice].into();
    for pair in &pairs {
        fixture
            .send_all(&mut model, &pair.messages(ids(2))?)
            .await?;
        expected.extend([pair.one.clone(), pair.two.clone()]);
    }
    let mut orders = Vec::new();
    for limit in [MAX_LIMIT, MAX_LIMIT / 3] {
        let mut found = walk(&*fixture.other, None, limit).await?;
        found.retain(|user| expected.contains(user));
        let missing = expected.iter().find(|user| !found.contains(user));
        if let Some(user) = missing {
            return Err(Failure::new(format!(
                "a walk with the limit {limit} did not find {}",
                describe::user_name(user)
            )));
        }
        orders.push(found);
    }
    ensure!(
        orders[0] == orders[1],
        "two walks found the users in different orders"
    );
    Ok(())
}

pub(super) async fn a_walk_goes_on_after_any_user(fixture: &Fixture) -> Checked {
    let (pair, carol) = (fixture.pair()?, fixture.user("carol")?);
    let message = pair.message(id_at(NOON), "hello")?;
    Write::send(&message).to(&*fixture.store).await?;
    let ours = |users: Vec<UserId>| {
        let ours = [&pair.one, &pair.two, &carol];
        let users = users.into_iter();
        users
            .filter(|user| ours.contains(&user))
            .collect::<Vec<_>>()
    };
    let store = &*fixture.store;
    let both = ours(walk(store, None, MAX_LIMIT).await?);
    ensure!(
        both.len() == 2 && !both.contains(&carol),
        "`users` returned {both:?} of three users, two of whom have an inbox"
    );
    for (n, user) in both.iter().enumerate() {
        let rest = ours(walk(store, Some(user), MAX_LIMIT).await?);
        ensure!(
            rest == both[n + 1..],
            "`users` after {user} returned {rest:?}, and before {both:?}"
        );
    }
    Ok(())
}
