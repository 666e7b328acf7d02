//! Inboxes that are not as a send leaves them: rows put there, or taken away, behind the store's
//! back. Pages stay right, what is left over goes away a little at a time, and the repair brings
//! back what is missing.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use messenger_core::{Conversation, ConversationId, Message, Order, Slice, Store, UserId};
use scylla::client::session::Session;

use crate::world::{EPOCH, Pair, Verdict, World, case, eventually, id_ago};

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
    ]
}

/// The recency rows of one user, looked at and put there with the bare driver.
struct Rows {
    session: Session,
    table: String,
    user: UserId,
}

impl Rows {
    async fn of(world: &World, user: &UserId) -> Result<Self, Failed> {
        Ok(Self {
            session: world.bare().await?,
            table: format!("{}.inbox_recency", world.keyspace()),
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
    let millis = u128::from(message.id().created_at().as_millis());
    i32::try_from(millis / EPOCH.as_millis()).expect("an epoch")
}

/// So many conversations of one user, one message each, an epoch apart, oldest first.
async fn fill(world: &World, user: &UserId, count: u32) -> Result<Vec<Message>, Failed> {
    let mut messages = Vec::new();
    for n in (0..count).rev() {
        let pair = Pair {
            one: user.clone(),
            two: world.user(&format!("other{n}")),
        };
        let message = pair.message(id_ago(EPOCH * n), "hello");
        world.store.append(&message).await?;
        messages.push(message);
    }
    Ok(messages)
}

fn newest_first(messages: &[Message]) -> Vec<Conversation> {
    messages.iter().rev().map(Conversation::of).collect()
}

/// Walks through the inbox both ways, at several limits, with both clients.
async fn walks_give(world: &World, user: &UserId, expected: &[Conversation]) -> Verdict {
    for store in [&world.store, &world.other] {
        for limit in [1, 3, 101] {
            for order in [Order::NewestFirst, Order::OldestFirst] {
                let mut found = walk(store, user, order, limit).await?;
                if order == Order::OldestFirst {
                    found.reverse();
                }
                let ids = |all: &[Conversation]| {
                    let ids = all.iter().map(|one| one.last_message().id());
                    ids.collect::<Vec<_>>()
                };
                if found != expected {
                    return Err(format!(
                        "{order:?} by {limit}: {:?}, not {:?}",
                        ids(&found),
                        ids(expected)
                    )
                    .into());
                }
            }
        }
    }
    Ok(())
}

async fn walk(
    store: &impl Store,
    user: &UserId,
    order: Order,
    limit: usize,
) -> Result<Vec<Conversation>, Failed> {
    let mut slice = Slice {
        order,
        ..Slice::newest(limit)
    };
    let mut found = Vec::new();
    loop {
        let page = store.inbox(user, slice).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        let last = last.last_message().id().into();
        match order {
            Order::NewestFirst => slice.below = Some(last),
            Order::OldestFirst => slice.above = Some(last),
        }
        found.extend(page);
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
    // A page of five deletes five at most.
    let page = Slice {
        below: None,
        ..Slice::newest(5)
    };
    world.store.inbox(&user, page).await?;
    eventually("five rows are gone", async || Ok(rows.count().await? == 8)).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rows.count().await?, 8);
    for _ in 0..3 {
        world.store.inbox(&user, page).await?;
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
    world.store.append(&old).await?;
    world.store.append(&new).await?;
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
        "SELECT conversation_id, participants, head FROM {keyspace}.inbox_heads WHERE user_id = ?"
    );
    let heads = rows
        .session
        .query_unpaged(cql, (user.as_str(),))
        .await?
        .into_rows_result()?;
    type Head = (uuid::Uuid, Vec<String>, (uuid::Uuid, i32, String, String));
    for head in heads.rows::<Head>()? {
        let (conversation, participants, head) = head?;
        let cql = format!(
            "INSERT INTO {keyspace}.inbox_heads (user_id, conversation_id, participants, head) \
             VALUES (?, ?, ?, ?) USING TIMESTAMP 1"
        );
        let values = (restored.as_str(), conversation, participants, head);
        rows.session.query_unpaged(cql, values).await?;
    }
    let newest = Slice::newest(Slice::MAX_LIMIT);
    assert_eq!(world.store.inbox(&restored, newest).await?, []);

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
        world.store.append(&message).await?;
    }
    for user in [&pair.one, &pair.two] {
        let rows = Rows::of(&world, user).await?;
        eventually("one row is left", async || Ok(rows.count().await? == 1)).await?;
    }
    Ok(())
}

async fn cold_writer_tidies(world: World) -> Verdict {
    let pair = world.pair();
    world
        .store
        .append(&pair.message(id_ago(EPOCH * 4), "old"))
        .await?;
    let new = pair.message(id_ago(EPOCH), "new");
    world.other.append(&new).await?;
    let rows = Rows::of(&world, &pair.two).await?;
    eventually("one row is left", async || {
        Ok(rows.all().await? == [(epoch_of(&new), pair.id())])
    })
    .await?;
    // An older one moves nothing, and leaves nothing.
    let older = pair.message(id_ago(EPOCH * 2), "in between");
    world.other.append(&older).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rows.all().await?, [(epoch_of(&new), pair.id())]);
    // Whoever believes that the first message is still the last one leaves a row, for a reader.
    let older = pair.message(id_ago(EPOCH * 2), "in between, too");
    world.store.append(&older).await?;
    assert_eq!(rows.count().await?, 2);
    let inbox = world.store.inbox(&pair.two, Slice::newest(20)).await?;
    assert_eq!(inbox, [Conversation::of(&new)]);
    eventually("the row is gone", async || Ok(rows.count().await? == 1)).await
}

/// Many conversations in one epoch, whose rows lie there in the order of their ids, not of their
/// heads: a page that ends before the epoch does would miss the newest.
async fn epoch_is_complete(world: World) -> Verdict {
    let user = world.user("alice");
    // The middle of an epoch, so that none of them falls into the next one.
    let now = id_ago(Duration::ZERO).created_at().as_millis();
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
        world.store.append(message).await?;
    }
    walks_give(&world, &user, &newest_first(&messages)).await
}
