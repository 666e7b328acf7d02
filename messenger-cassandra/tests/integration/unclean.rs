//! Inboxes that are not as a write leaves them: index rows inserted or removed without the store.
//! Pages stay right, left-over rows are deleted a few at a time, and the repair brings back what is
//! missing.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use messenger_core::store::MAX_LIMIT;
use messenger_core::{
    Content, ConversationId, InboxEntry, LogKey, Message, Position, Store, UserId,
};
use scylla::client::session::Session;

use crate::world::{
    EPOCH, Pair, Verdict, World, case, change, entry_of, eventually, id, id_ago, marker, send,
};

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        case(
            "unclean::rows_of_every_kind_change_no_page",
            rows_of_every_kind,
        ),
        case("unclean::left_over_rows_go_away_a_few_at_a_time", go_away),
        case(
            "unclean::early_rows_and_rows_without_a_head_stay",
            early_rows_stay,
        ),
        case(
            "unclean::a_row_that_was_left_cannot_come_back",
            cannot_come_back,
        ),
        case(
            "unclean::a_lost_row_hides_and_the_repair_brings_it_back",
            rebuild,
        ),
        case("unclean::a_writer_leaves_no_row_behind", writer_tidies),
        case(
            "unclean::a_cold_writer_knows_which_row_is_left",
            cold_writer_tidies,
        ),
        case(
            "unclean::a_page_waits_until_its_epoch_is_complete",
            epoch_is_complete,
        ),
        case(
            "unclean::rows_of_every_kind_change_no_log",
            rows_of_every_kind_in_the_log,
        ),
        case(
            "unclean::a_follower_deletes_left_over_rows_of_changes",
            followers_tidy,
        ),
        case(
            "unclean::a_writer_of_changes_leaves_no_row_behind",
            writer_of_changes_tidies,
        ),
    ]
}

/// The index rows of one user, read and inserted with the bare driver.
struct Rows {
    session: Session,
    table: String,
    user: UserId,
}

impl Rows {
    async fn of(world: &World, user: &UserId) -> Result<Self, Failed> {
        Self::of_index("inbox_recency", world, user).await
    }

    async fn of_changes(world: &World, user: &UserId) -> Result<Self, Failed> {
        Self::of_index("inbox_changes", world, user).await
    }

    async fn of_index(index: &str, world: &World, user: &UserId) -> Result<Self, Failed> {
        Ok(Self {
            session: world.bare().await?,
            table: format!("{}.{index}", world.keyspace()),
            user: user.clone(),
        })
    }

    async fn all(&self) -> Result<Vec<(i32, ConversationId)>, Failed> {
        let cql = format!(
            "SELECT epoch, conversation_id FROM {} WHERE user_id = ?",
            self.table
        );
        let result = self
            .session
            .query_unpaged(cql, (self.user.as_str(),))
            .await?;
        let rows = result.into_rows_result()?;
        let rows = rows
            .rows::<(i32, uuid::Uuid)>()?
            .map(|row| row.map(|(epoch, id)| (epoch, id.into())));
        Ok(rows.collect::<Result<_, _>>()?)
    }

    async fn count(&self) -> Result<usize, Failed> {
        Ok(self.all().await?.len())
    }

    async fn put(&self, epoch: i32, conversation: ConversationId) -> Verdict {
        let cql = format!(
            "INSERT INTO {} (user_id, epoch, conversation_id) VALUES (?, ?, ?) USING TIMESTAMP ?",
            self.table
        );
        let start = i64::from(epoch) * EPOCH.as_micros() as i64;
        let values = (self.user.as_str(), epoch, conversation.as_uuid(), start);
        self.session.query_unpaged(cql, values).await?;
        Ok(())
    }
}

fn epoch_of(message: &Message) -> i32 {
    epoch_at(message.id().into())
}

fn epoch_at(position: Position) -> i32 {
    let millis = u128::from(position.timestamp().as_millis());
    i32::try_from(millis / EPOCH.as_millis()).expect("an epoch")
}

/// Sends a message in each of some conversations of one user, an epoch apart, oldest first.
async fn fill(world: &World, user: &UserId, count: u32) -> Result<Vec<Message>, Failed> {
    let mut messages = Vec::new();
    for n in (0..count).rev() {
        let pair = Pair {
            one: user.clone(),
            two: world.user(&format!("other{n}")),
        };
        let message = pair.message(id_ago(EPOCH * n), "hello");
        send(&world.store, &message).await?;
        messages.push(message);
    }
    Ok(messages)
}

fn newest_first(messages: &[Message]) -> Vec<InboxEntry> {
    messages.iter().rev().map(entry_of).collect()
}

/// Walks down the inbox and up its log, at several limits, with both clients.
async fn walks_give(world: &World, user: &UserId, expected: &[InboxEntry]) -> Verdict {
    let mut log: Vec<_> = expected.iter().rev().cloned().collect();
    log.sort_by_key(InboxEntry::place);
    for store in [&world.store, &world.other] {
        for limit in [1, 3, MAX_LIMIT] {
            agrees(
                "the pages",
                limit,
                &walk(store, user, limit).await?,
                expected,
            )?;
            let followed = follow(store, user, Position::MIN, limit).await?;
            let followed: Vec<_> = followed.into_iter().map(|(_, entry)| entry).collect();
            agrees("the log", limit, &followed, &log)?;
        }
    }
    Ok(())
}

fn agrees(what: &str, limit: usize, found: &[InboxEntry], expected: &[InboxEntry]) -> Verdict {
    if found == expected {
        return Ok(());
    }
    let ids = |all: &[InboxEntry]| all.iter().map(InboxEntry::place).collect::<Vec<_>>();
    Err(format!(
        "{what} by {limit}: {:?}, not {:?}",
        ids(found),
        ids(expected)
    )
    .into())
}

async fn walk(store: &impl Store, user: &UserId, limit: usize) -> Result<Vec<InboxEntry>, Failed> {
    let mut found: Vec<InboxEntry> = Vec::new();
    loop {
        let below = found.last().map(InboxEntry::place);
        let page = store.inbox(user, below, limit).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page);
    }
}

async fn follow(
    store: &impl Store,
    user: &UserId,
    mut above: Position,
    limit: usize,
) -> Result<Vec<(LogKey, InboxEntry)>, Failed> {
    let mut found = Vec::new();
    loop {
        let page = store.inbox_log(user, above, limit).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        above = last.key.into();
        found.extend(page.into_iter().map(|logged| (logged.key, logged.item)));
    }
}

async fn rows_of_every_kind(world: World) -> Verdict {
    let user = world.user("alice");
    let messages = fill(&world, &user, 8).await?;
    let rows = Rows::of(&world, &user).await?;
    for (n, message) in messages.iter().enumerate() {
        let epoch = epoch_of(message);
        // Left over from before, and early.
        for other in [epoch - 1, epoch - 5, epoch + 1, epoch + 3] {
            if (n + other.unsigned_abs() as usize).is_multiple_of(2) {
                rows.put(other, message.conversation_id()).await?;
            }
        }
        // Without any head.
        let stranger = Pair {
            one: user.clone(),
            two: world.user(&format!("stranger{n}")),
        };
        rows.put(epoch, stranger.id()).await?;
    }
    walks_give(&world, &user, &newest_first(&messages)).await
}

async fn go_away(world: World) -> Verdict {
    let user = world.user("alice");
    let messages = fill(&world, &user, 1).await?;
    let rows = Rows::of(&world, &user).await?;
    for ago in 1..=12 {
        let epoch = epoch_of(&messages[0]) - ago;
        rows.put(epoch, messages[0].conversation_id()).await?;
    }
    // A page of five deletes five at most. (It has a bound: the first page may come from a cache.)
    let page = async || world.store.inbox(&user, Some(id().into()), 5).await;
    page().await?;
    eventually("five rows are gone", async || Ok(rows.count().await? == 8)).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rows.count().await?, 8);
    for _ in 0..3 {
        page().await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eventually("only the right row is there", async || {
        Ok(rows.all().await? == [(epoch_of(&messages[0]), messages[0].conversation_id())])
    })
    .await?;
    walks_give(&world, &user, &newest_first(&messages)).await
}

async fn early_rows_stay(world: World) -> Verdict {
    let user = world.user("alice");
    let messages = fill(&world, &user, 1).await?;
    let rows = Rows::of(&world, &user).await?;
    let epoch = epoch_of(&messages[0]);
    let stranger = Pair {
        one: user.clone(),
        two: world.user("stranger"),
    };
    // Its head may be on its way.
    rows.put(epoch + 2, messages[0].conversation_id()).await?;
    rows.put(epoch - 2, stranger.id()).await?;
    for _ in 0..3 {
        walks_give(&world, &user, &newest_first(&messages)).await?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(rows.count().await?, 3);
    Ok(())
}

async fn cannot_come_back(world: World) -> Verdict {
    let user = world.user("alice");
    let pair = Pair {
        one: user.clone(),
        two: world.user("bob"),
    };
    let old = pair.message(id_ago(EPOCH * 3), "old");
    let new = pair.message(id_ago(Duration::ZERO), "new");
    send(&world.store, &old).await?;
    send(&world.store, &new).await?;
    let rows = Rows::of(&world, &user).await?;
    eventually("the old row is gone", async || Ok(rows.count().await? == 1)).await?;
    // An insert that was on its way for a long time.
    rows.put(epoch_of(&old), pair.id()).await?;
    assert_eq!(rows.all().await?, [(epoch_of(&new), pair.id())]);
    Ok(())
}

async fn rebuild(world: World) -> Verdict {
    let user = world.user("alice");
    let messages = fill(&world, &user, 7).await?;
    let keyspace = world.keyspace();
    let rows = Rows::of(&world, &user).await?;
    // A partition that was lost leaves no tombstone: it is copied to another user without its rows.
    let restored = world.user("restored");
    let cql = format!(
        "SELECT JSON conversation_id, participants, last_message, changed, latest \
         FROM {keyspace}.inbox_heads WHERE user_id = ?"
    );
    let heads = rows
        .session
        .query_unpaged(cql, (user.as_str(),))
        .await?
        .into_rows_result()?;
    for row in heads.rows::<(String,)>()? {
        let (json,) = row?;
        let json = json.replacen(
            '{',
            &format!("{{\"user_id\": \"{}\", ", restored.as_str()),
            1,
        );
        let cql =
            format!("INSERT INTO {keyspace}.inbox_heads JSON ? DEFAULT UNSET USING TIMESTAMP 1");
        rows.session.query_unpaged(cql, (json,)).await?;
    }
    assert_eq!(world.store.inbox(&restored, None, MAX_LIMIT).await?, []);

    assert_eq!(world.store.rebuild_inbox(&restored).await?, 7);
    walks_give(&world, &restored, &newest_first(&messages)).await?;
    // Again, and where nothing is missing, it changes nothing.
    assert_eq!(world.store.rebuild_inbox(&restored).await?, 7);
    assert_eq!(world.store.rebuild_inbox(&user).await?, 7);
    walks_give(&world, &user, &newest_first(&messages)).await?;
    assert_eq!(world.store.rebuild_inbox(&world.user("nobody")).await?, 0);
    Ok(())
}

async fn writer_tidies(world: World) -> Verdict {
    let pair = world.pair();
    for n in (0..5).rev() {
        let message = pair.message(id_ago(EPOCH * n), "on and on");
        send(&world.store, &message).await?;
    }
    for user in [&pair.one, &pair.two] {
        let rows = Rows::of(&world, user).await?;
        eventually("one row is left", async || Ok(rows.count().await? == 1)).await?;
    }
    Ok(())
}

async fn cold_writer_tidies(world: World) -> Verdict {
    let pair = world.pair();
    send(&world.store, &pair.message(id_ago(EPOCH * 4), "old")).await?;
    let new = pair.message(id_ago(EPOCH), "new");
    send(&world.other, &new).await?;
    let rows = Rows::of(&world, &pair.two).await?;
    eventually("one row is left", async || {
        Ok(rows.all().await? == [(epoch_of(&new), pair.id())])
    })
    .await?;
    // An older one moves nothing, and leaves nothing.
    let older = pair.message(id_ago(EPOCH * 2), "in between");
    send(&world.other, &older).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rows.all().await?, [(epoch_of(&new), pair.id())]);
    // Whoever believes that the first message is still the last one leaves a row, for a reader.
    let older = pair.message(id_ago(EPOCH * 2), "in between, too");
    send(&world.store, &older).await?;
    assert_eq!(rows.count().await?, 2);
    let inbox = world.store.inbox(&pair.two, Some(id().into()), 20).await?;
    assert_eq!(inbox, [entry_of(&new)]);
    eventually("the row is gone", async || Ok(rows.count().await? == 1)).await
}

/// Many conversations in one epoch, whose rows lie there in the order of their ids, not of their
/// heads: a page that ends before the epoch does would miss the newest.
async fn epoch_is_complete(world: World) -> Verdict {
    let user = world.user("alice");
    // The middle of an epoch, so that none of them falls into the next one.
    let now = Position::from(id()).timestamp().as_millis();
    let epoch = EPOCH.as_millis() as u64;
    let middle = Duration::from_millis(now % epoch + epoch / 2);
    let mut messages = Vec::new();
    for n in 0..60_u64 {
        let pair = Pair {
            one: user.clone(),
            two: world.user(&format!("other{n}")),
        };
        let ago = middle - Duration::from_secs(n);
        let message = pair.message(id_ago(ago), "hello");
        messages.push(message);
    }
    for message in &messages {
        send(&world.store, message).await?;
    }
    walks_give(&world, &user, &newest_first(&messages)).await
}

/// Each conversation was changed an epoch after its message; then rows are added.
async fn rows_of_every_kind_in_the_log(world: World) -> Verdict {
    let user = world.user("alice");
    let mut expected = Vec::new();
    let recency = Rows::of(&world, &user).await?;
    let changes = Rows::of_changes(&world, &user).await?;
    for n in (0..8_u32).rev() {
        let pair = Pair {
            one: user.clone(),
            two: world.user(&format!("other{n}")),
        };
        let sent = pair.message(id_ago(EPOCH * (2 * n + 1)), "hello");
        let edited = sent.edited(id_ago(EPOCH * 2 * n).into(), Content::new("edited")?);
        send(&world.store, &sent).await?;
        change(&world.store, &edited).await?;
        let key = LogKey::from(edited.revision());
        expected.push((key, entry_of(&edited)));
        let epoch = epoch_at(key.into());
        let stranger = world.pair_named(&format!("stranger{n}"));
        for rows in [&recency, &changes] {
            for other in [epoch - 3, epoch - 1, epoch + 1, epoch + 2] {
                rows.put(other, pair.id()).await?;
            }
            rows.put(epoch, stranger.id()).await?;
        }
    }
    for store in [&world.store, &world.other] {
        for limit in [1, 3, MAX_LIMIT] {
            assert_eq!(
                follow(store, &user, Position::MIN, limit).await?,
                expected,
                "by {limit}"
            );
            let above = Position::from(expected[3].0);
            assert_eq!(
                follow(store, &user, above, limit).await?,
                expected[4..],
                "by {limit}"
            );
        }
    }
    Ok(())
}

async fn followers_tidy(world: World) -> Verdict {
    let pair = world.pair();
    let sent = pair.message(id_ago(EPOCH * 20), "hello");
    let key = LogKey::from(id_ago(EPOCH * 2));
    send(&world.store, &sent).await?;
    world.store.mark(key, &marker(&sent, &pair.two)).await?;
    let rows = Rows::of_changes(&world, &pair.one).await?;
    let right = epoch_at(key.into());
    // Left over, and one that is early.
    for epoch in (right - 6..right).chain([right + 1]) {
        rows.put(epoch, pair.id()).await?;
    }
    for _ in 0..2 {
        let log = world.other.inbox_log(&pair.one, Position::MIN, 3).await?;
        assert_eq!(log.len(), 1);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    eventually("the right row and the early one are left", async || {
        Ok(rows.all().await? == [(right + 1, pair.id()), (right, pair.id())])
    })
    .await
}

/// Marks in five epochs, then a message: one row in each index, then one alone.
async fn writer_of_changes_tidies(world: World) -> Verdict {
    let pair = world.pair();
    let sent = pair.message(id_ago(EPOCH * 9), "hello");
    send(&world.store, &sent).await?;
    // Each client believes that it was the last one to write.
    for (n, store) in [&world.store, &world.other, &world.store]
        .into_iter()
        .enumerate()
    {
        let key = id_ago(EPOCH * (5 - u32::try_from(n)?));
        store.mark(key.into(), &marker(&sent, &pair.two)).await?;
    }
    let new = pair.message(id_ago(EPOCH), "new");
    send(&world.store, &new).await?;
    for user in [&pair.one, &pair.two] {
        let recency = Rows::of(&world, user).await?;
        eventually("one row is left of places", async || {
            Ok(recency.all().await? == [(epoch_of(&new), pair.id())])
        })
        .await?;
        // The row of the second mark is left over for a follower: the first client did not know it.
        let changes = Rows::of_changes(&world, user).await?;
        world.other.inbox_log(user, Position::MIN, 5).await?;
        eventually("no row is left of changes", async || {
            Ok(changes.count().await? == 0)
        })
        .await?;
    }
    Ok(())
}
