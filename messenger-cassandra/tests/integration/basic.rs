//! The shortest way through each call.

use libtest_mimic::Trial;
use messenger_core::{Claim, Fingerprint, IdempotencyKey, NewMessage, Reservation, Slice, Store};

use crate::world::{Verdict, World, case, id, views};

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        case("an_append_is_in_every_view", append),
        case("a_key_is_claimed_once", reserve),
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
