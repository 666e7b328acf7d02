//! The memory store keeps more than the contract: its views never disagree.

use std::sync::Arc;

use messenger_core::{Clock, Content, Error, NewMessage, Position, Store as _, UserId};
use messenger_memory::MemoryStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_history_shows_both_inboxes_show() -> Result<(), Error> {
    let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
    let message = NewMessage::new(alice.clone(), bob.clone(), "on and on")?;
    let conversation = message.conversation_id();
    let store = Arc::new(MemoryStore::new());
    let writes = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let clock = Clock::new();
            let edited = Content::new("edited")?;
            for _ in 0..25_000 {
                let message = message.clone().with_id(clock.next_id());
                store.put(message.id().into(), &message).await?;
                let revision = clock.next_id();
                let message = message.edited(revision.into(), edited.clone());
                store.put(revision.into(), &message).await?;
            }
            Ok::<_, Error>(())
        }
    });
    let mut looks = 0;
    while !writes.is_finished() {
        let history = store.history(conversation, None, 1).await?;
        let Some(newest) = history.first() else {
            continue;
        };
        let key = Position::from(newest.revision());
        for user in [&bob, &alice] {
            let inbox = store.inbox(user, None, 2).await?;
            assert_eq!(inbox.len(), 1);
            let last = inbox[0].last_message();
            assert!((last.id(), last.version()) >= (newest.id(), newest.version()));
            assert_eq!(store.inbox_log(user, key.pred(), 2).await?.len(), 1);
        }
        looks += 1;
    }
    assert!(looks > 0, "no view was read while messages came");
    writes.await.expect("the writing task panicked")
}
