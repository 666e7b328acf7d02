//! The shortest way through each call.

use std::time::Duration;

use libtest_mimic::Trial;
use messenger_core::store::MAX_LIMIT;
use messenger_core::{
    Claim, Content, Fingerprint, IdempotencyKey, NewMessage, Position, Reservation, Store,
};

use crate::world::{Verdict, World, case, change, id, id_ago, marker, send, views};

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        case("a_version_is_in_every_view", versions),
        case("a_marker_is_in_both_inboxes", markers),
        case("a_key_is_claimed_once", reserve),
        case("a_sparse_history_is_whole", sparse_history),
        case("a_healthy_store_says_so", async |world: World| {
            Ok(world.store.health().await?)
        }),
    ]
}

async fn versions(world: World) -> Verdict {
    let sent = world.pair().message(id(), "hello");
    let edited = sent.edited(id().into(), Content::new("hi")?);
    let unsent = sent.unsent(id().into());
    send(&world.store, &sent).await?;
    assert_eq!(views(&world.store, &sent).await?, [true; 6]);
    assert_eq!(views(&world.other, &sent).await?, [true; 6]);
    let before = Position::from(sent.id());
    for version in [&edited, &unsent] {
        change(&world.store, version).await?;
        assert_eq!(views(&world.store, version).await?, [true; 6]);
        assert_eq!(views(&world.other, version).await?, [true; 6]);
        let log = world
            .other
            .history_log(sent.conversation_id(), before, 5)
            .await?;
        assert_eq!(log.last().map(|logged| &logged.item), Some(version));
        assert_eq!(
            log.last().map(|logged| logged.key),
            Some(version.revision().into())
        );
        let log = world.other.inbox_log(sent.receiver_id(), before, 5).await?;
        assert_eq!(log.len(), 1);
        assert_eq!(log[0].key, version.revision().into());
    }
    // A late send and a late edit come back as what they are now.
    world.other.put(id().into(), &sent).await?;
    world.other.put(id().into(), &edited).await?;
    assert_eq!(views(&world.store, &unsent).await?, [true; 6]);
    let log = world
        .store
        .history_log(sent.conversation_id(), before, 10)
        .await?;
    assert_eq!(log.len(), 4);
    assert!(log.iter().all(|logged| logged.item == unsent));
    Ok(())
}

async fn markers(world: World) -> Verdict {
    let pair = world.pair();
    let (first, second) = (pair.message(id(), "one"), pair.message(id(), "two"));
    for message in [&first, &second] {
        send(&world.store, message).await?;
    }
    let unread = async |above| world.other.unread(pair.id(), &pair.two, above, 5).await;
    assert_eq!(unread(None).await?, 2);
    assert_eq!(world.store.unread(pair.id(), &pair.one, None, 5).await?, 0);
    let key = id();
    for (message, key) in [(&second, key), (&first, id())] {
        world
            .store
            .mark(key.into(), &marker(message, &pair.two))
            .await?;
        let reader = world.other.entry(&pair.two, pair.id()).await?;
        let reader = reader.expect("an entry");
        assert_eq!(
            (reader.read_up_to(), reader.seen_up_to()),
            (Some(second.id()), None)
        );
        let other = world
            .other
            .entry(&pair.one, pair.id())
            .await?
            .expect("an entry");
        assert_eq!(
            (other.read_up_to(), other.seen_up_to()),
            (None, Some(second.id()))
        );
    }
    assert_eq!(unread(Some(second.id().into())).await?, 0);
    for user in [&pair.one, &pair.two] {
        let log = world.other.inbox_log(user, key.into(), 5).await?;
        assert_eq!(
            log.len(),
            1,
            "the marker that changed nothing is in the log"
        );
    }
    Ok(())
}

/// A message every twenty days for years: more buckets than are listed at a time.
async fn sparse_history(world: World) -> Verdict {
    let pair = world.pair();
    let day = Duration::from_secs(24 * 3600);
    let mut messages = Vec::new();
    for n in 0..40 {
        let message = pair.message(id_ago(day * 20 * n), "now and then");
        send(&world.store, &message).await?;
        messages.push(message);
    }
    for store in [&world.store, &world.other] {
        for limit in [1, 7, 40, MAX_LIMIT] {
            let page = store.history(pair.id(), None, limit).await?;
            assert_eq!(page, messages[..limit.min(40)], "by {limit}");
            let log = store.history_log(pair.id(), Position::MIN, limit).await?;
            let log: Vec<_> = log.into_iter().map(|logged| logged.item).collect();
            let oldest: Vec<_> = messages.iter().rev().take(limit).cloned().collect();
            assert_eq!(log, oldest, "by {limit}");
        }
        assert_eq!(store.unread(pair.id(), &pair.two, None, 101).await?, 40);
        let above = Some(messages[20].id().into());
        assert_eq!(store.unread(pair.id(), &pair.two, above, 101).await?, 20);
    }
    Ok(())
}

async fn reserve(world: World) -> Verdict {
    let pair = world.pair();
    let message = NewMessage::new(pair.one.clone(), pair.two.clone(), "hi")?;
    let claim = || Claim {
        message_id: id(),
        fingerprint: Fingerprint::of(&message),
    };
    let reserve = |claim| {
        let key = IdempotencyKey::new("key").expect("a key");
        Reservation::new(pair.one.clone(), key, claim)
    };
    let (first, second) = (claim(), claim());
    assert_eq!(world.store.reserve(&reserve(first)).await?, first);
    assert_eq!(world.other.reserve(&reserve(second)).await?, first);
    assert_eq!(world.store.reserve(&reserve(first)).await?, first);
    Ok(())
}
