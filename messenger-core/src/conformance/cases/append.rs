//! Appending: once, to all views, in any order. Rules 1, 2 and 4.

use std::time::Duration;

use crate::testing::failure::Verdict;
use crate::testing::stage::{DAY, NOON, Pair, Stage, exact_id, id_at, ids, shuffled};
use crate::testing::{Model, check};
use crate::{Import, Message, Order, Timestamp, UserId};

pub(super) async fn the_same_message_twice_is_there_once(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    for message in stage.pair()?.messages(ids(3))? {
        for _ in 0..3 {
            stage.append(&mut model, &message).await?;
            stage.agrees_with(&model).await?;
        }
    }
    Ok(())
}

pub(super) async fn appending_again_later_changes_nothing(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let alice = stage.user("alice")?;
    let mut messages = Vec::new();
    for (n, id) in ids(6).enumerate() {
        let pair = Pair::new(alice.clone(), stage.nth_user("friend", n % 3)?);
        messages.push(pair.message(id, format!("message {n}"))?);
    }
    stage.append_all(&mut model, &messages).await?;
    for again in &messages {
        // Through the other client: it does not know what the first one has written.
        stage.other.append(again).await?;
        stage.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn an_append_shows_in_every_view(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pairs = [
        Pair::new(stage.user("alice")?, stage.user("bob")?),
        Pair::new(stage.user("bob")?, stage.user("alice")?),
        Pair::new(stage.user("carol")?, stage.user("alice")?),
    ];
    for (n, id) in ids(12).enumerate() {
        let message = pairs[n % 3].message(id, format!("message {n}"))?;
        stage.append(&mut model, &message).await?;
        stage.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn every_field_comes_back_as_it_was_written(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    // The longest text, one whose preview is cut within a cluster of 25 bytes, and what quoting and
    // escaping go wrong on.
    let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
    let texts = [
        "x".into(),
        "é".repeat(10_000),
        format!("{}{family}", "a".repeat(190)),
        "  leading and trailing  ".into(),
        "'; -- \"\\ \u{0} \r\n\t \u{feff} \u{10ffff}".into(),
    ];
    let users = odd_users(stage)?;
    for (n, text) in texts.iter().enumerate() {
        for (m, pair) in users.windows(2).enumerate() {
            let pair = Pair::new(pair[0].clone(), pair[1].clone());
            let id = exact_id(NOON + (10 * n + m) as u64, 0xfff, u64::MAX);
            stage
                .append(&mut model, &pair.message(id, text.as_str())?)
                .await?;
        }
    }
    stage.agrees_with(&model).await
}

/// Users with every character that an id may have, of the greatest length, and apart by case.
fn odd_users(stage: &Stage) -> Result<Vec<UserId>, crate::testing::Failure> {
    let longest = UserId::MAX_LEN - stage.user("")?.as_str().len();
    Ok(vec![
        stage.user("-._~@:+=")?,
        stage.user(&"z".repeat(longest))?,
        stage.user("0123456789")?,
        stage.user("case")?,
        stage.user("CASE")?,
        stage.user("")?,
    ])
}

pub(super) async fn any_order_of_appends_gives_the_same_views(stage: &Stage) -> Verdict {
    for (n, order) in permutations_of_four().into_iter().enumerate() {
        let alice = stage.nth_user("alice", n)?;
        let bob = Pair::new(alice.clone(), stage.nth_user("bob", n)?);
        let carol = Pair::new(stage.nth_user("carol", n)?, alice);
        let messages = [
            bob.message(id_at(NOON), "first")?,
            carol.message(id_at(NOON + DAY), "second")?,
            bob.turned().message(id_at(NOON + 40 * DAY), "third")?,
            bob.message(id_at(NOON + 40 * DAY), "fourth, or third")?,
        ];
        let mut model = Model::new();
        for at in order {
            stage.append(&mut model, &messages[at]).await?;
        }
        stage
            .agrees_with(&model)
            .await
            .map_err(|failure| failure.during(format!("appended in the order {order:?}")))?;
    }
    Ok(())
}

fn permutations_of_four() -> Vec<[usize; 4]> {
    let of = 0..4;
    let mut all = Vec::new();
    for a in of.clone() {
        for b in of.clone().filter(|&b| b != a) {
            for c in of.clone().filter(|&c| c != a && c != b) {
                all.push([a, b, c, 6 - a - b - c]);
            }
        }
    }
    all
}

pub(super) async fn an_older_message_changes_no_head(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pair = stage.pair()?;
    let newest = pair.message(exact_id(NOON, 5, 1 << 60), "the newest")?;
    stage.append(&mut model, &newest).await?;
    // Older by years, by a millisecond, by a fraction of one, and by the random bits alone.
    let older = [
        exact_id(NOON - 2_000 * DAY, 0, 1),
        exact_id(NOON - 1, 0xfff, u64::MAX),
        exact_id(NOON, 4, u64::MAX),
        exact_id(NOON, 5, 1),
    ];
    for message in pair.messages(older)? {
        stage.append(&mut model, &message).await?;
        let got = stage.store.conversation(pair.conversation()).await?;
        let expected = model.conversation(pair.conversation());
        check::same("the conversation after an older message", &got, &expected)?;
        stage.agrees_with(&model).await?;
    }
    Ok(())
}

pub(super) async fn imports_sort_where_their_time_says(stage: &Stage) -> Verdict {
    let (messenger, time) = stage.messenger();
    let pair = stage.pair()?;
    let mut model = Model::new();
    model.append(&messenger.send(pair.text("now")?).await?);
    let days = shuffled((1..=20).collect(), 1);
    for day in days {
        let at = time.now().saturating_sub(Duration::from_millis(day * DAY));
        model.append(&import(&messenger, &pair, at, "the first time").await?);
    }
    stage.agrees_with(&model).await?;
    // The same import again makes no new messages.
    let before = model.messages().count();
    for day in 1..=20 {
        let at = time.now().saturating_sub(Duration::from_millis(day * DAY));
        model.append(&import(&messenger, &pair, at, "the first time").await?);
    }
    crate::testing::failure::ensure!(
        model.messages().count() == before,
        "an import with the same source ids made other messages"
    );
    let history = check::whole(Order::OldestFirst);
    let got = check::read_history(&*stage.store, pair.conversation(), history).await?;
    check::same_list(
        "the history after a second import",
        &got,
        &model.history(pair.conversation(), history),
    )
}

async fn import(
    messenger: &crate::Messenger,
    pair: &Pair,
    at: Timestamp,
    text: &str,
) -> Result<Message, crate::testing::Failure> {
    let import = Import::new(pair.text(text)?, at).with_source_id(at.to_string());
    Ok(messenger.import(import).await?)
}
