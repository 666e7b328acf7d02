//! Futures that are dropped, and calls that find the store busy.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use libtest_mimic::Trial;
use messenger_core::{Clock, ErrorKind, HistoryQuery, Limit, Messenger, Outcome, Store as _};
use messenger_sqlite::{SqliteOptions, SqliteStore};

use crate::case;
use crate::world::{Result, ensure, message, views_agree};

pub(crate) fn trials(trials: &mut Vec<Trial>) {
    case!(
        trials,
        a_dropped_send_is_in_all_views_or_in_none_and_caught_up
    );
    case!(trials, a_started_write_commits_and_is_in_flight_until_then);
    case!(trials, a_full_queue_is_overloaded_and_writes_nothing);
    case!(trials, a_write_that_waited_too_long_is_not_applied);
    case!(trials, a_write_that_fails_takes_none_of_its_batch_along);
}

/// A send is dropped at any moment while a client catches up: the client ends with exactly the
/// messages that the history holds.
async fn a_dropped_send_is_in_all_views_or_in_none_and_caught_up() -> Result {
    let directory = tempfile::tempdir()?;
    let messenger = Messenger::new(SqliteStore::open(&directory)?);
    let first = messenger.send(message("alice", "bob", "first")).await?;
    let conversation = first.conversation_id();
    let query = HistoryQuery::new().with_limit(Limit::MAX);
    let mut prev = messenger.history(conversation, query).await?.prev;
    let mut seen = std::collections::BTreeSet::from([first.id()]);
    for number in 0..300_u64 {
        let send = messenger.send(message("alice", "bob", &number.to_string()));
        // Dropped after a time in which some have started and some have not.
        let _ = tokio::time::timeout(Duration::from_micros(number * 7), send).await;
        let other = messenger.send(message("bob", "alice", "between")).await?;
        let page = messenger
            .history(conversation, query.with_cursor(prev))
            .await?;
        seen.extend(page.items.iter().map(messenger_core::Message::id));
        prev = page.prev;
        ensure(
            seen.contains(&other.id()),
            "an acknowledged message was missed",
        )?;
    }
    // Whatever was dropped is done when the next write is.
    messenger.send(message("alice", "bob", "last")).await?;
    let page = messenger
        .history(conversation, query.with_cursor(prev))
        .await?;
    seen.extend(page.items.iter().map(messenger_core::Message::id));
    let held = crate::world::history(&messenger, &first).await?;
    let missed: Vec<_> = held.iter().filter(|id| !seen.contains(id)).collect();
    ensure(missed.is_empty(), format!("the client missed {missed:?}"))?;
    views_agree(&messenger, &first).await
}

async fn a_started_write_commits_and_is_in_flight_until_then() -> Result {
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::open(&directory)?;
    // Another connection holds the write lock, so that the store's writer waits in its transaction.
    let other = rusqlite::Connection::open(directory.path().join("messenger.db"))?;
    other.execute_batch("BEGIN IMMEDIATE")?;

    let id = Clock::new().next_id();
    let sent = message("alice", "bob", "dropped").with_id(id);
    let put = store.put(id.into(), &sent);
    let dropped = tokio::time::timeout(Duration::from_millis(200), put).await;
    ensure(dropped.is_err(), "the write did not wait")?;
    ensure(
        store.in_flight() == Some(id.into()),
        "the log key is not in flight although the write may still commit",
    )?;

    other.execute_batch("ROLLBACK")?;
    for _ in 0..100 {
        if store.in_flight().is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found = store.message(sent.conversation_id(), id).await?;
    ensure(found == Some(sent), "the started write is not there")
}

async fn a_full_queue_is_overloaded_and_writes_nothing() -> Result {
    let directory = tempfile::tempdir()?;
    let options = SqliteOptions::new().with_queue(1);
    let store = Arc::new(SqliteStore::open_with(&directory, options)?);
    let messenger = Messenger::new(Arc::clone(&store));
    let sent = messenger.send(message("alice", "bob", "first")).await?;
    let mut refused = 0;
    let sends = (0..50).map(|number| messenger.send(message("alice", "bob", &number.to_string())));
    let mut acknowledged = 1;
    for result in futures_util::future::join_all(sends).await {
        match result {
            Ok(_) => acknowledged += 1,
            Err(error) => {
                ensure(error.kind() == ErrorKind::Overloaded, format!("{error:?}"))?;
                ensure(
                    error.outcome() == Some(Outcome::NotApplied),
                    format!("{error:?}"),
                )?;
                refused += 1;
            }
        }
    }
    ensure(refused > 0, "no send was refused")?;
    let held = crate::world::history(&messenger, &sent).await?;
    ensure(
        held.len() == acknowledged,
        format!("{} messages of {acknowledged} acknowledged", held.len()),
    )?;
    ensure(
        store.in_flight().is_none(),
        "a log key is in flight for good",
    )
}

async fn a_write_that_waited_too_long_is_not_applied() -> Result {
    let directory = tempfile::tempdir()?;
    let options = SqliteOptions::new().with_request_timeout(Duration::ZERO);
    let messenger = Messenger::new(SqliteStore::open_with(&directory, options)?);
    // With no time at all the writer never starts it, or nobody waits for the answer.
    let sent = messenger.send(message("alice", "bob", "late")).await;
    let error = sent.expect_err("a write without time was acknowledged");
    ensure(error.kind() == ErrorKind::Timeout, format!("{error:?}"))?;
    drop(messenger);
    let messenger = Messenger::new(SqliteStore::open(&directory)?);
    let inbox = messenger
        .inbox(
            &crate::world::user("bob"),
            messenger_core::InboxQuery::new(),
        )
        .now_or_never();
    ensure(inbox.is_none(), "a read runs on a thread of the store")?;
    let inbox = messenger
        .inbox(
            &crate::world::user("bob"),
            messenger_core::InboxQuery::new(),
        )
        .await?;
    ensure(
        inbox.items.is_empty(),
        "a write that was not started is there",
    )
}

async fn a_write_that_fails_takes_none_of_its_batch_along() -> Result {
    let directory = tempfile::tempdir()?;
    let messenger = Messenger::new(SqliteStore::open(&directory)?);
    let bad = messenger.send(message("bad", "hub", "first")).await?;
    let other = rusqlite::Connection::open(directory.path().join("messenger.db"))?;
    let damaged = other.execute(
        "UPDATE conversations SET last = x'00' WHERE id = ?1",
        [bad.conversation_id().as_uuid()],
    )?;
    ensure(damaged == 1, "no conversation was damaged")?;

    // While the writer waits for the lock with the first write, the others become one batch.
    other.execute_batch("BEGIN IMMEDIATE")?;
    let send = |user: String| {
        let messenger = messenger.clone();
        tokio::spawn(async move { messenger.send(message(&user, "hub", "x")).await })
    };
    let mut sends = vec![send("before".to_owned())];
    tokio::time::sleep(Duration::from_millis(200)).await;
    let users = (0..20).map(|n| match n {
        7 => "bad".to_owned(),
        n => format!("user{n}"),
    });
    sends.extend(users.map(send));
    tokio::time::sleep(Duration::from_millis(200)).await;
    other.execute_batch("ROLLBACK")?;

    let mut failed = Vec::new();
    for (n, sent) in sends.into_iter().enumerate() {
        failed.extend(
            sent.await?
                .err()
                .map(|error| (n, error.kind(), error.outcome())),
        );
    }
    let expected = (8, ErrorKind::Corrupt, Some(Outcome::NotApplied));
    ensure(failed == [expected], format!("these failed: {failed:?}"))
}
