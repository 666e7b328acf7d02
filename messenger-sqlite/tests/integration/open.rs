//! Opening: the lock, files that are not ours, damage, backups, and a clock that stepped back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use libtest_mimic::Trial;
use messenger_core::{Clock, ErrorKind, HistoryQuery, Messenger, MessengerOptions};
use messenger_sqlite::{SqliteOptions, SqliteStore};

use crate::case;
use crate::world::{Result, ensure, history, message, user, views_agree};

pub(crate) fn trials(trials: &mut Vec<Trial>) {
    case!(trials, everything_is_there_after_reopening);
    case!(trials, closing_leaves_no_write_ahead_log);
    case!(trials, a_second_store_on_the_directory_is_refused);
    case!(trials, other_files_are_refused_and_left_alone);
    case!(trials, a_database_of_another_program_is_refused);
    case!(trials, a_newer_database_is_refused);
    case!(trials, a_truncated_database_is_refused);
    case!(trials, a_damaged_database_is_an_error_and_not_an_empty_one);
    case!(trials, ids_go_on_above_the_last_run);
    case!(trials, a_backup_taken_under_load_is_whole);
    case!(trials, a_backup_overwrites_nothing);
    case!(trials, the_write_ahead_log_stays_bounded);
    case!(trials, a_long_read_holds_back_no_write);
}

async fn everything_is_there_after_reopening() -> Result {
    let directory = tempfile::tempdir()?;
    let messenger = Messenger::new(SqliteStore::open(&directory)?);
    let sent = messenger.send(message("alice", "bob", "one")).await?;
    let key = messenger_core::IdempotencyKey::new("key")?;
    let keyed = messenger
        .send_once(message("alice", "bob", "two"), key.clone())
        .await?;
    messenger
        .edit(
            sent.conversation_id(),
            sent.id(),
            &user("alice"),
            "1".parse()?,
        )
        .await?;
    messenger
        .mark_read(sent.conversation_id(), &user("bob"), sent.id())
        .await?;
    drop(messenger);

    let messenger = Messenger::new(SqliteStore::open(&directory)?);
    let page = messenger
        .history(sent.conversation_id(), HistoryQuery::new())
        .await?;
    let texts: Vec<_> = page
        .items
        .iter()
        .filter_map(|item| item.content())
        .map(messenger_core::Content::as_str)
        .collect();
    ensure(texts == ["two", "1"], format!("the history is {texts:?}"))?;
    let entry = messenger
        .entry(&user("bob"), sent.conversation_id())
        .await?;
    ensure(
        entry.is_some_and(|entry| entry.read_up_to() == Some(sent.id())),
        "the read marker is gone",
    )?;
    let again = messenger
        .send_once(message("alice", "bob", "two"), key)
        .await?;
    ensure(
        again.replayed && again.message.id() == keyed.message.id(),
        "the idempotency key is gone",
    )
}

async fn closing_leaves_no_write_ahead_log() -> Result {
    let directory = tempfile::tempdir()?;
    for _ in 0..20 {
        let options = SqliteOptions::new().with_readers(8);
        let messenger = Messenger::new(SqliteStore::open_with(&directory, options)?);
        let sent = messenger.send(message("alice", "bob", "one")).await?;
        // Enough concurrent reads that each thread opens the database.
        let read = || messenger.message(sent.conversation_id(), sent.id());
        futures_util::future::try_join_all((0..100).map(|_| read())).await?;
        drop(messenger);
        let wal = directory.path().join("messenger.db-wal");
        ensure(!wal.exists(), "the write-ahead log was left")?;
    }
    Ok(())
}

async fn a_second_store_on_the_directory_is_refused() -> Result {
    let directory = tempfile::tempdir()?;
    let first = SqliteStore::open(&directory)?;
    let error = SqliteStore::open(&directory).unwrap_err();
    ensure(error.kind() == ErrorKind::Unavailable, format!("{error:?}"))?;
    ensure(error.message().contains("another process"), error.message())?;
    drop(first);
    SqliteStore::open(&directory)?;
    Ok(())
}

/// Puts a file where the database belongs, and checks that it is refused and unchanged.
fn refused(prepare: impl FnOnce(&Path) -> Result, says: &str) -> Result {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("messenger.db");
    prepare(&file)?;
    let before = fs::read(&file)?;
    let error = SqliteStore::open(&directory).unwrap_err();
    ensure(error.kind() == ErrorKind::Corrupt, format!("{error:?}"))?;
    ensure(error.message().contains(says), error.message())?;
    ensure(fs::read(&file)? == before, "the file was changed")
}

async fn other_files_are_refused_and_left_alone() -> Result {
    let says = "is not a database of messenger-sqlite";
    for content in [
        &b"x"[..],
        b"Dear diary, today I wrote a messenger. It was raining.",
    ] {
        refused(|file| Ok(fs::write(file, content)?), says)?;
    }
    Ok(())
}

async fn a_database_of_another_program_is_refused() -> Result {
    let prepare = |file: &Path| {
        let connection = rusqlite::Connection::open(file)?;
        Ok(connection.execute_batch("CREATE TABLE recipes (name TEXT)")?)
    };
    refused(prepare, "another program")
}

/// Opens a store with some messages, and closes it.
async fn fill(directory: &Path) -> Result<messenger_core::Message> {
    let messenger = Messenger::new(SqliteStore::open(directory)?);
    let mut last = None;
    for number in 0..200 {
        let text = format!("{number} {}", "x".repeat(200));
        last = Some(messenger.send(message("alice", "bob", &text)).await?);
    }
    last.ok_or_else(|| "nothing was sent".into())
}

async fn a_newer_database_is_refused() -> Result {
    let directory = tempfile::tempdir()?;
    fill(directory.path()).await?;
    let file = directory.path().join("messenger.db");
    rusqlite::Connection::open(&file)?.pragma_update(None, "user_version", 99)?;
    let error = SqliteStore::open(&directory).unwrap_err();
    ensure(error.message().contains("newer version"), error.message())
}

async fn a_truncated_database_is_refused() -> Result {
    let directory = tempfile::tempdir()?;
    fill(directory.path()).await?;
    let file = directory.path().join("messenger.db");
    let len = fs::metadata(&file)?.len();
    for keep in [20, 4096, len / 2, len - 1] {
        fs::File::options().write(true).open(&file)?.set_len(keep)?;
        let error = SqliteStore::open(&directory).unwrap_err();
        ensure(
            error.kind() == ErrorKind::Corrupt,
            format!("{keep} bytes: {error:?}"),
        )?;
        // Longer again, but with zeroes.
        fs::File::options().write(true).open(&file)?.set_len(len)?;
    }
    Ok(())
}

async fn a_damaged_database_is_an_error_and_not_an_empty_one() -> Result {
    let directory = tempfile::tempdir()?;
    let sent = fill(directory.path()).await?;
    let file = directory.path().join("messenger.db");
    let mut bytes = fs::read(&file)?;
    let page = 4096;
    for byte in &mut bytes[page..] {
        *byte = 0xa5;
    }
    fs::write(&file, bytes)?;
    let opened = SqliteStore::open(&directory);
    let error = match opened {
        Err(error) => error,
        Ok(store) => {
            let messenger = Messenger::new(store);
            let read = messenger.history(sent.conversation_id(), HistoryQuery::new());
            read.await
                .expect_err("a damaged history must not be read as an empty one")
        }
    };
    ensure(error.kind() == ErrorKind::Corrupt, format!("{error:?}"))
}

async fn ids_go_on_above_the_last_run() -> Result {
    let directory = tempfile::tempdir()?;
    let now = SystemTime::now();
    let at = move |time: SystemTime| {
        MessengerOptions::new().with_clock(Clock::with_source(move || time))
    };
    let store = SqliteStore::open(&directory)?;
    let messenger = Messenger::with_options(store, at(now));
    let first = messenger.send(message("alice", "bob", "one")).await?;
    let read = messenger
        .history(first.conversation_id(), HistoryQuery::new())
        .await?;
    drop(messenger);

    // The system's clock stepped back by an hour between the runs.
    let store = SqliteStore::open(&directory)?;
    let messenger = Messenger::with_options(store, at(now - Duration::from_secs(3600)));
    let second = messenger.send(message("bob", "alice", "two")).await?;
    ensure(second.id() > first.id(), "the later message sorts first")?;
    let query = HistoryQuery::new().with_cursor(read.prev);
    let news = messenger.history(first.conversation_id(), query).await?;
    ensure(
        news.items.iter().any(|item| item.id() == second.id()),
        "a client that caught up before misses the message",
    )
}

async fn a_backup_taken_under_load_is_whole() -> Result {
    let directory = tempfile::tempdir()?;
    let store = std::sync::Arc::new(SqliteStore::open(&directory)?);
    let messenger = Messenger::new(std::sync::Arc::clone(&store));
    let mut before = Vec::new();
    for number in 0..50 {
        before.push(
            messenger
                .send(message("alice", "bob", &number.to_string()))
                .await?,
        );
    }
    let sending = tokio::spawn({
        let messenger = messenger.clone();
        async move {
            loop {
                let _ = messenger.send(message("bob", "alice", "more")).await;
            }
        }
    });
    let copy = tempfile::tempdir()?;
    store.backup(copy.path().join("messenger.db")).await?;
    sending.abort();
    let _ = sending.await;

    let restored = Messenger::new(SqliteStore::open(&copy)?);
    let ids = before.iter().map(messenger_core::Message::id).collect();
    crate::world::contains_all(&history(&restored, &before[0]).await?, &ids)?;
    views_agree(&restored, &before[0]).await
}

async fn a_backup_overwrites_nothing() -> Result {
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::open(&directory)?;
    let file = directory.path().join("notes.txt");
    fs::write(&file, "mine")?;
    let error = store.backup(&file).await.unwrap_err();
    ensure(error.kind() == ErrorKind::Unavailable, format!("{error:?}"))?;
    ensure(fs::read_to_string(&file)? == "mine", "the file was changed")
}

async fn the_write_ahead_log_stays_bounded() -> Result {
    let text = "x".repeat(20_000);
    // About 60 MB of text, in transactions of a few pages.
    log_stays_bounded(190, 16, &text, 32_000_000).await?;
    // About 360 MB, in transactions that are each longer than the log at which a checkpoint begins, so
    // several of them come while one runs.
    log_stays_bounded(60, 300, &text, 120_000_000).await
}

/// Sends messages, some at a time, and checks the length of the log in bytes.
async fn log_stays_bounded(rounds: usize, at_once: usize, text: &str, limit: u64) -> Result {
    let directory = tempfile::tempdir()?;
    let messenger = Messenger::new(SqliteStore::open(&directory)?);
    for _ in 0..rounds {
        send_at_once(&messenger, at_once, text).await?;
    }
    let wal = wal_len(&directory)?;
    ensure(wal < limit, format!("the write-ahead log has {wal} bytes"))
}

/// Another program reads for a long time: the log grows, and starts again afterwards.
async fn a_long_read_holds_back_no_write() -> Result {
    let directory = tempfile::tempdir()?;
    let messenger = Messenger::new(SqliteStore::open(&directory)?);
    let text = "x".repeat(20_000);
    send_at_once(&messenger, 1, &text).await?;
    let other = rusqlite::Connection::open(directory.path().join("messenger.db"))?;
    other.execute_batch("BEGIN")?;
    let before = count(&other)?;
    for _ in 0..20 {
        let start = Instant::now();
        send_at_once(&messenger, 100, &text).await?;
        let taken = start.elapsed();
        ensure(
            taken < Duration::from_secs(2),
            format!("100 sends took {taken:?}"),
        )?;
    }
    ensure(count(&other)? == before, "the reader sees what came later")?;
    let grown = wal_len(&directory)?;
    ensure(grown > 32_000_000, format!("the log has {grown} bytes"))?;
    other.execute_batch("COMMIT")?;
    for _ in 0..30 {
        send_at_once(&messenger, 100, &text).await?;
    }
    let wal = wal_len(&directory)?;
    ensure(
        wal < grown + 32_000_000,
        format!("the log has grown from {grown} to {wal} bytes"),
    )
}

async fn send_at_once(messenger: &Messenger, count: usize, text: &str) -> Result {
    let sends: Vec<_> = (0..count)
        .map(|_| {
            let (messenger, text) = (messenger.clone(), text.to_owned());
            tokio::spawn(async move { messenger.send(message("alice", "bob", &text)).await })
        })
        .collect();
    for send in sends {
        send.await??;
    }
    Ok(())
}

fn wal_len(directory: &tempfile::TempDir) -> Result<u64> {
    Ok(fs::metadata(directory.path().join("messenger.db-wal"))?.len())
}

fn count(connection: &rusqlite::Connection) -> Result<i64> {
    let count = "SELECT count(*) FROM messages";
    Ok(connection.query_row(count, (), |row| row.get(0))?)
}
