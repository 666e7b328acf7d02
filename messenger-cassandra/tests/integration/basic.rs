//! The shortest way through each call.

use std::time::Duration;

use libtest_mimic::Trial;
use messenger_core::{
    Claim, Fingerprint, IdempotencyKey, NewMessage, Order, Reservation, Slice, Store,
};

use crate::world::{Verdict, World, case, id, id_ago, views};

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        case("an_append_is_in_every_view", append),
        case("a_key_is_claimed_once", reserve),
        case("a_sparse_history_is_whole", sparse_history),
        case("a_healthy_store_says_so", async |world: World| {
            Ok(world.store.health().await?)
        }),
    ]
}

async fn append(world: World) -> Verdict {
    let message = world.pair().message(id(), "hello");
    world.store.append(&message).await?;
    assert_eq!(views(&world.store, &message).await?, [true; 4]);
    assert_eq!(views(&world.other, &message).await?, [true; 4]);
    let found = world
        .store
        .message(message.conversation_id(), message.id())
        .await?;
    assert_eq!(found.as_ref(), Some(&message));
    let page = world
        .store
        .history(message.conversation_id(), Slice::newest(5))
        .await?;
    assert_eq!(page, [message]);
    Ok(())
}

/// A message every twenty days for years: more buckets than are listed at a time.
async fn sparse_history(world: World) -> Verdict {
    let pair = world.pair();
    let day = Duration::from_secs(24 * 3600);
    let mut messages = Vec::new();
    for n in 0..40 {
        let message = pair.message(id_ago(day * 20 * n), "now and then");
        world.store.append(&message).await?;
        messages.push(message);
    }
    for limit in [1, 7, 40, 101] {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let slice = Slice {
                order,
                ..Slice::newest(limit)
            };
            let page = world.store.history(pair.id(), slice).await?;
            let mut expected = messages.clone();
            if order == Order::OldestFirst {
                expected.reverse();
            }
            expected.truncate(limit);
            assert_eq!(page, expected, "{order:?} by {limit}");
        }
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
