//! Idempotency keys: one winner, for everyone and permanently. Rule 9.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::conformance::describe::{Describe as _, same};
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::fixture::{Fixture, NOON, id_at};
use crate::conformance::{Failure, Model};
use crate::{Claim, Fingerprint, IdempotencyKey, Reservation, UserId};

const TASKS: u64 = 16;

fn key(text: &str) -> Result<IdempotencyKey, Failure> {
    Ok(IdempotencyKey::new(text)?)
}

/// Returns a claim that differs from those of other numbers.
fn claim(n: u64) -> Claim {
    Claim {
        message_id: id_at(NOON + n),
        fingerprint: Fingerprint::from(uuid::Uuid::from_u128(n.into())),
    }
}

fn reservation(sender: &UserId, key: &IdempotencyKey, claim: Claim) -> Reservation {
    Reservation::new(sender.clone(), key.clone(), claim)
}

pub(super) async fn one_claim_wins_any_race(fixture: &Fixture) -> Checked {
    let sender = fixture.user("alice")?;
    for round in 0..10 {
        let key = key(&format!("round-{round}"))?;
        let claims: Vec<_> = (0..TASKS).map(claim).collect();
        let barrier = Arc::new(Barrier::new(claims.len()));
        let mut tasks = JoinSet::new();
        for (n, &claim) in claims.iter().enumerate() {
            let barrier = Arc::clone(&barrier);
            let reservation = reservation(&sender, &key, claim);
            let store = fixture.nth_client(n);
            tasks.spawn(async move {
                barrier.wait().await;
                store.reserve(&reservation).await
            });
        }
        let mut held = Vec::new();
        while let Some(done) = tasks.join_next().await {
            held.push(done??);
        }
        let winner = held[0];
        for other in held {
            same("`reserve`, called by many for one key,", &other, &winner)?;
        }
        ensure!(
            claims.contains(&winner),
            "`reserve` returned {}, which nobody asked for",
            winner.name()
        );
        let late = reservation(&sender, &key, claim(1_000));
        let held = fixture.other.reserve(&late).await?;
        same("`reserve` after a race for the key", &held, &winner)?;
    }
    Ok(())
}

pub(super) async fn a_claim_stays(fixture: &Fixture) -> Checked {
    let (sender, key) = (fixture.user("alice")?, key("key")?);
    let first = claim(5);
    // The same claim again, greater ones, and one with a smaller id.
    for claim in [first, first, claim(6), claim(7), claim(0)] {
        let claim = reservation(&sender, &key, claim);
        let held = fixture.store.reserve(&claim).await?;
        same("`reserve` for a key that was claimed", &held, &first)?;
    }
    Ok(())
}

pub(super) async fn keys_are_independent(fixture: &Fixture) -> Checked {
    let longest = "k".repeat(IdempotencyKey::MAX_LEN);
    let almost = format!("{}j", &longest[1..]);
    let keys = ["key", "KEY", "!\"#$%&'()~", &longest, &almost, "ke", "yx"];
    let senders = [fixture.user("u")?, fixture.user("U")?, fixture.user("u1")?];
    let mut reservations = Vec::new();
    for sender in &senders {
        for text in keys {
            let claim = claim(reservations.len() as u64);
            reservations.push(reservation(sender, &key(text)?, claim));
        }
    }
    let mut model = Model::new();
    // Twice: the second time everything is claimed.
    for _ in 0..2 {
        for reservation in &reservations {
            let held = fixture.store.reserve(reservation).await?;
            let expected = model.reserve(reservation);
            let (sender, key) = (&reservation.sender_id, &reservation.key);
            same(
                &format!("`reserve` of {sender} for {key}"),
                &held,
                &expected,
            )?;
        }
    }
    Ok(())
}
