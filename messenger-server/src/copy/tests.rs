//! Copies between stores in memory.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use async_trait::async_trait;
use messenger_core::store::{MAX_LIMIT, Wrap, Wrapped};
use messenger_core::{
    Content, ConversationId, ErrorKind, InboxQuery, LogKey, Message, Messenger, NewMessage,
    Outcome, Position, Timestamp,
};
use messenger_memory::MemoryStore;

use super::compare::{Differences, compare, stranger};
use super::*;
use crate::generate::{Plan, Sizes, generate};

const ANN: &str = "ann";
const BEN: &str = "ben";

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn message(text: &str) -> NewMessage {
    NewMessage::new(user(ANN), user(BEN), text.to_owned()).unwrap()
}

/// Returns a store with test data, and with a conversation in which everything has happened that can
/// happen to a message. Three of its messages were changed.
async fn filled() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let messenger = Messenger::new(Arc::clone(&store));
    let plan = Plan::new(Sizes::default(), 7, Timestamp::now()).unwrap();
    generate(&messenger, &plan, 8, || ()).await.unwrap();
    let mut sent = Vec::new();
    for n in 0..250 {
        sent.push(messenger.send(message(&n.to_string())).await.unwrap());
    }
    let (id, ann) = (sent[0].conversation_id(), user(ANN));
    let text = Content::new("edited").unwrap();
    let edit = messenger.edit(id, sent[3].id(), &ann, text);
    edit.await.unwrap();
    let unsend = messenger.unsend(id, sent[249].id(), &ann);
    unsend.await.unwrap();
    // Late enough to come after a message elsewhere.
    let elsewhere = NewMessage::new(user("dan"), user("eve"), "hello").unwrap();
    let late = messenger.send(elsewhere).await.unwrap().id().into();
    store.put(late, &sent[7]).await.unwrap();
    for (reader, up_to) in [(ANN, 5), (BEN, 100)] {
        let up_to = sent[up_to].id();
        messenger.mark_read(id, &user(reader), up_to).await.unwrap();
    }
    store
}

async fn differences(source: &dyn Store, target: &dyn Store) -> Differences {
    compare(source, target, &Counts::default()).await.unwrap()
}

/// Fails after some writes, and counts them.
#[derive(Debug)]
struct Limited {
    store: Arc<MemoryStore>,
    limit: usize,
    writes: AtomicUsize,
}

impl Limited {
    fn new(store: &Arc<MemoryStore>, limit: usize) -> Arc<Wrapped<Self>> {
        Arc::new(Wrapped(Self {
            store: Arc::clone(store),
            limit,
            writes: AtomicUsize::new(0),
        }))
    }
}

#[async_trait]
impl Wrap for Limited {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        if self.writes.fetch_add(1, Ordering::Relaxed) >= self.limit {
            let error = Error::new(ErrorKind::Internal, "no more");
            return Err(error.with_outcome(Outcome::NotApplied));
        }
        self.store.put(key, message).await
    }
}

/// Counts the pages that are read of a history.
#[derive(Debug, Default)]
struct Counted {
    store: Arc<MemoryStore>,
    pages: AtomicUsize,
}

#[async_trait]
impl Wrap for Counted {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.store.history_log(conversation, above, limit).await
    }
}

/// Never answers a write.
#[derive(Debug, Default)]
struct Stuck(MemoryStore);

#[async_trait]
impl Wrap for Stuck {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    async fn put(&self, _: LogKey, _: &Message) -> Result<(), Error> {
        std::future::pending().await
    }
}

/// A long conversation is not in memory as a whole: reading waits for the writes.
#[tokio::test]
async fn a_copy_does_not_read_far_ahead_of_its_writes() {
    let source = Wrapped(Counted::default());
    let messenger = Messenger::new(Arc::clone(&source.0.store));
    for n in 0..5 * MAX_LIMIT {
        messenger.send(message(&n.to_string())).await.unwrap();
    }
    let (target, counts) = (Wrapped(Stuck::default()), Counts::default());
    let copying = copy(&source, &target, 16, &counts);
    let ended = tokio::time::timeout(Duration::from_millis(200), copying).await;
    assert!(ended.is_err(), "a write was answered");
    assert_eq!(source.0.pages.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_copy_holds_the_same_as_its_source() {
    let (source, target) = (filled().await, Arc::new(MemoryStore::new()));
    assert!(differences(&source, &target).await.count > 0);
    copy(&source, &target, 16, &Counts::default())
        .await
        .unwrap();
    let differences = differences(&source, &target).await;
    assert_eq!(differences.count, 0, "{differences}");

    let [before, after] = [source, target].map(Messenger::new);
    let inbox = before.inbox(&user(ANN), InboxQuery::new()).await.unwrap();
    assert!(inbox.items[0].read_up_to().is_some() && inbox.items[0].seen_up_to().is_some());
    assert!(inbox.items[0].last_message().is_unsent());
    let copied = after.inbox(&user(ANN), InboxQuery::new()).await.unwrap();
    assert_eq!(copied.items, inbox.items);
    // A cursor of the source is one of the target.
    let later = after.send(message("later")).await.unwrap();
    let query = InboxQuery::new().with_cursor(inbox.prev);
    let caught_up = after.inbox(&user(ANN), query).await.unwrap();
    assert_eq!(caught_up.items[0].last_message().id(), later.id());
}

#[tokio::test]
async fn an_interrupted_copy_goes_on_where_it_was() {
    let (source, target) = (filled().await, Arc::new(MemoryStore::new()));
    let broken = Limited::new(&target, 1_000);
    let error = copy(&source, &broken, 16, &Counts::default()).await;
    assert!(error.is_err());
    assert_eq!(stranger(&source, &target).await.unwrap(), None);

    let rest = Limited::new(&target, usize::MAX);
    copy(&source, &rest, 16, &Counts::default()).await.unwrap();
    assert_eq!(differences(&source, &target).await.count, 0);
    // 2,251 messages, three of them at two log keys.
    let written = rest.0.writes.load(Ordering::Relaxed);
    assert!(written <= 1_254, "{written} messages were written");

    let again = Limited::new(&target, usize::MAX);
    copy(&source, &again, 16, &Counts::default()).await.unwrap();
    assert_eq!(again.0.writes.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn every_difference_is_found() {
    let source = filled().await;
    let id = message("x").conversation_id();
    for change in ["a message", "an edit", "a marker", "a user"] {
        let target = Arc::new(MemoryStore::new());
        copy(&source, &target, 16, &Counts::default())
            .await
            .unwrap();
        let messenger = Messenger::new(Arc::clone(&target));
        let newest = target.history(id, None, 2).await.unwrap();
        let (ann, newest) = (user(ANN), newest[1].id());
        match change {
            "a message" => drop(messenger.send(message("new")).await.unwrap()),
            "an edit" => {
                let text = Content::new("new").unwrap();
                drop(messenger.edit(id, newest, &ann, text).await.unwrap());
            }
            "a marker" => drop(messenger.mark_read(id, &ann, newest).await.unwrap()),
            _ => {
                let new = NewMessage::new(user("new"), user("newer"), "hello").unwrap();
                messenger.send(new).await.unwrap();
            }
        }
        for (one, other) in [(&source, &target), (&target, &source)] {
            let differences = differences(one, other).await;
            assert!(differences.count > 0, "{change} was not found");
        }
    }
}

#[tokio::test]
async fn a_target_with_other_users_is_noticed() {
    let (source, target) = (filled().await, Arc::new(MemoryStore::new()));
    let other = NewMessage::new(user("someone"), user("else"), "hello").unwrap();
    Messenger::new(Arc::clone(&target))
        .send(other)
        .await
        .unwrap();
    let stranger = stranger(&source, &target).await.unwrap();
    assert_eq!(stranger, Some(user("else")));
}
