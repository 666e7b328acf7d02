//! What the memory store promises beyond the contract: its views never disagree.

use std::sync::Arc;

use messenger_core::{Clock, Error, NewMessage, Slice, Store as _, UserId};
use messenger_memory::MemoryStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_history_shows_both_inboxes_show() -> Result<(), Error> {
    let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
    let message = NewMessage::new(alice.clone(), bob.clone(), "on and on")?;
    let conversation = message.conversation_id();
    let store = Arc::new(MemoryStore::new());
    let appends = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let clock = Clock::new();
            for _ in 0..50_000 {
                let message = message.clone().with_id(clock.next_id());
                store.append(&message).await?;
            }
            Ok::<_, Error>(())
        }
    });
    let mut looks = 0;
    while !appends.is_finished() {
        let history = store.history(conversation, Slice::newest(1)).await?;
        let Some(newest) = history.first() else {
            continue;
        };
        for user in [&bob, &alice] {
            let inbox = store.inbox(user, Slice::newest(2)).await?;
            assert_eq!(inbox.len(), 1);
            assert!(inbox[0].last_message().id() >= newest.id());
        }
        looks += 1;
    }
    assert!(looks > 0, "nothing was looked at while messages came");
    appends.await.expect("the task of the appends panicked")
}
