//! Keys: one winner, for everyone and for good. Rule 9.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::testing::failure::{Verdict, ensure};
use crate::testing::stage::{NOON, Pair, Stage, id_at};
use crate::testing::{Failure, Gate, Model, Point};
use crate::{
    Claim, ErrorKind, Fingerprint, IdempotencyKey, Messenger, Outcome, Reservation, UserId,
};

const TASKS: u64 = 16;

fn key(text: &str) -> Result<IdempotencyKey, Failure> {
    Ok(IdempotencyKey::new(text)?)
}

/// The n-th claim that somebody makes.
fn claim(n: u64) -> Claim {
    Claim {
        message_id: id_at(NOON + n),
        fingerprint: Fingerprint::from(uuid::Uuid::from_u128(n.into())),
    }
}

fn reservation(sender: &UserId, key: &IdempotencyKey, claim: Claim) -> Reservation {
    Reservation::new(sender.clone(), key.clone(), claim)
}

pub(super) async fn one_claim_wins_any_race(stage: &Stage) -> Verdict {
    let sender = stage.user("alice")?;
    for round in 0..10 {
        let key = key(&format!("round-{round}"))?;
        let claims: Vec<_> = (0..TASKS).map(claim).collect();
        let barrier = Arc::new(Barrier::new(claims.len()));
        let mut tasks = JoinSet::new();
        for (n, &claim) in claims.iter().enumerate() {
            let barrier = Arc::clone(&barrier);
            let reservation = reservation(&sender, &key, claim);
            let store = Arc::clone(if n % 2 == 0 {
                &stage.store
            } else {
                &stage.other
            });
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
            ensure!(
                other == winner,
                "of {TASKS} claims to one key at the same time one was given {winner:?}, another \
                 {other:?}"
            );
        }
        ensure!(
            claims.contains(&winner),
            "the winner of a key is a claim that nobody made: {winner:?}"
        );
        let later = stage
            .other
            .reserve(&reservation(&sender, &key, claim(1_000)))
            .await?;
        ensure!(
            later == winner,
            "a claim after the race was given {later:?}, and the winner was {winner:?}"
        );
    }
    Ok(())
}

pub(super) async fn a_claim_stays(stage: &Stage) -> Verdict {
    let (sender, key) = (stage.user("alice")?, key("key")?);
    let first = claim(1);
    for n in 1..=5 {
        // The same claim, later ones, and one with an older id.
        let claim = claim(if n == 5 { 0 } else { n });
        let claim = if n == 1 { first } else { claim };
        let held = stage
            .store
            .reserve(&reservation(&sender, &key, claim))
            .await?;
        ensure!(
            held == first,
            "claim {n} to a key was given {held:?}, and the first one was {first:?}"
        );
    }
    Ok(())
}

pub(super) async fn keys_have_nothing_to_do_with_each_other(stage: &Stage) -> Verdict {
    let longest = "k".repeat(IdempotencyKey::MAX_LEN);
    let almost = format!("{}j", &longest[1..]);
    let keys = [
        "key",
        "KEY",
        "key ".trim(),
        "!\"#$%&'()~",
        &longest,
        &almost,
        "ke",
        "yx",
    ];
    let senders = [stage.user("u")?, stage.user("U")?, stage.user("u1")?];
    let mut claims = Vec::new();
    for sender in &senders {
        for text in keys {
            let reservation = reservation(sender, &key(text)?, claim(claims.len() as u64));
            claims.push(reservation);
        }
    }
    let mut model = Model::new();
    // Twice: the second time everything is held.
    for _ in 0..2 {
        for reservation in &claims {
            let held = stage.store.reserve(reservation).await?;
            let expected = model.reserve(reservation);
            ensure!(
                held == expected,
                "{} under the key {} holds {held:?}, and should hold {expected:?}",
                reservation.sender_id,
                reservation.key
            );
        }
    }
    Ok(())
}

pub(super) async fn a_key_sends_once(stage: &Stage) -> Verdict {
    let (messenger, _) = stage.messenger();
    for round in 0..5 {
        let pair = Pair::new(
            stage.nth_user("alice", round)?,
            stage.nth_user("bob", round)?,
        );
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let (messenger, text, key) = (messenger.clone(), pair.text("once")?, key("key")?);
            tasks.spawn(async move { messenger.send_once(text, key).await });
        }
        let mut sent = Vec::new();
        while let Some(done) = tasks.join_next().await {
            sent.push(done??);
        }
        let first = &sent[0].message;
        ensure!(
            sent.iter().all(|sent| sent.message == *first),
            "sends under one key gave different messages: {sent:?}"
        );
        let made = sent.iter().filter(|sent| !sent.replayed).count();
        ensure!(
            made == 1,
            "of {TASKS} sends under one key {made} were the first one"
        );
        let mut model = Model::new();
        model.append(first);
        stage.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn a_key_with_another_payload_is_refused(stage: &Stage) -> Verdict {
    let (messenger, _) = stage.messenger();
    let pair = stage.pair()?;
    let carol = Pair::new(pair.one.clone(), stage.user("carol")?);
    let sent = messenger
        .send_once(pair.text("first")?, key("key")?)
        .await?;
    let mut model = Model::new();
    model.append(&sent.message);
    for other in [pair.text("second")?, carol.text("first")?] {
        let error = messenger.send_once(other, key("key")?).await.err();
        let about = error.as_ref().map(|error| (error.kind(), error.outcome()));
        ensure!(
            about == Some((ErrorKind::KeyReused, Some(Outcome::NotApplied))),
            "a used key with another payload should be refused, and gave {error:?}"
        );
    }
    // The receiver's own key of that name is another one.
    let back = messenger
        .send_once(pair.turned().text("second")?, key("key")?)
        .await?;
    ensure!(!back.replayed, "someone else's key was taken for one's own");
    model.append(&back.message);
    stage.agrees_with(&model).await
}

pub(super) async fn a_send_that_was_cut_off_is_completed_by_the_next(stage: &Stage) -> Verdict {
    let (_, time) = stage.messenger();
    let gate = Gate::new(Arc::clone(&stage.store));
    let messenger = Messenger::with_clock(gate.clone(), time.clock());
    let pair = stage.pair()?;

    let mut held = gate.hold(Point::Before);
    let cut_off = {
        let (messenger, text, key) = (messenger.clone(), pair.text("once")?, key("key")?);
        tokio::spawn(async move { messenger.send_once(text, key).await })
    };
    let claimed = held.arrived().await?;
    cut_off.abort();
    let _ = cut_off.await;

    time.advance(Duration::from_secs(60));
    let mut model = Model::new();
    messenger
        .send(pair.text("meanwhile")?)
        .await
        .map(|sent| model.append(&sent))?;
    let sent = messenger.send_once(pair.text("once")?, key("key")?).await?;
    ensure!(
        sent.replayed && sent.message == claimed,
        "the second send under a key gave {sent:?}, and the first had claimed {claimed:?}"
    );
    model.append(&claimed);
    stage.agrees_with(&model).await
}
