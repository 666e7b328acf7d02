//! Following a list: nothing is missed, by however many followers, across interruptions and two
//! messengers over one store, and followers share their reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use messenger_core::store::{Wrap, Wrapped};
use messenger_core::{
    Batch, Clock, Content, Error, ErrorKind, HistoryQuery, InboxQuery, Logged, Message, MessageId,
    Messenger, MessengerOptions, NewMessage, Position, Store, UserId, Version,
};
use messenger_memory::MemoryStore;

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn message(from: &str, to: &str, text: &str) -> NewMessage {
    NewMessage::new(user(from), user(to), text).unwrap()
}

/// A store that several processes write to: it has a settle time. It counts reads of logs.
#[derive(Debug)]
struct Counted {
    store: Arc<MemoryStore>,
    settle: Duration,
    reads: Arc<AtomicUsize>,
}

#[async_trait]
impl Wrap for Counted {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<messenger_core::InboxEntry>>, Error> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.inbox_log(user, above, limit).await
    }

    fn settle(&self) -> Duration {
        self.settle
    }
}

/// Options with a clock that follows tokio's paused time.
fn options() -> MessengerOptions {
    let (start, system) = (tokio::time::Instant::now(), std::time::SystemTime::now());
    MessengerOptions::new().with_clock(Clock::with_source(move || system + start.elapsed()))
}

async fn next<T>(
    stream: &mut (impl futures_util::Stream<Item = Result<Batch<T>, Error>> + Unpin),
) -> Batch<T> {
    tokio::time::timeout(Duration::from_secs(60), stream.next())
        .await
        .expect("a change is delivered in time")
        .expect("the stream goes on")
        .expect("the read succeeds")
}

#[tokio::test(start_paused = true)]
async fn a_change_by_this_process_is_delivered_at_once() {
    let messenger = Messenger::new(MemoryStore::new());
    let sent = messenger
        .send(message("alice", "bob", "one"))
        .await
        .unwrap();
    let conversation = sent.conversation_id();
    let mut history = messenger.follow_history(conversation, None).await.unwrap();
    let mut inbox = messenger.follow_inbox(user("bob"), None).await.unwrap();
    assert!(next(&mut history).await.items.is_empty(), "it starts now");
    assert!(next(&mut inbox).await.items.is_empty(), "it starts now");

    // Both have read everything there is, and wait.
    for _ in 0..2 {
        let _ = tokio::time::timeout(Duration::from_millis(10), history.next()).await;
        let _ = tokio::time::timeout(Duration::from_millis(10), inbox.next()).await;
    }

    let start = tokio::time::Instant::now();
    let two = messenger
        .send(message("bob", "alice", "two"))
        .await
        .unwrap();
    assert_eq!(next(&mut history).await.items, std::slice::from_ref(&two));
    assert_eq!(
        next(&mut inbox).await.items[0].last_message().id(),
        two.id()
    );

    let content: Content = "2".parse().unwrap();
    let bob = user("bob");
    let edited = messenger.edit(conversation, two.id(), &bob, content).await;
    let edited = edited.unwrap();
    assert_eq!(next(&mut history).await.items, [edited]);

    messenger
        .mark_read(conversation, &user("alice"), two.id())
        .await
        .unwrap();
    while next(&mut inbox).await.items[0].seen_up_to() != Some(two.id()) {}
    assert!(start.elapsed() < Duration::from_secs(1), "without a poll");
}

#[tokio::test(start_paused = true)]
async fn a_follower_goes_on_from_its_last_cursor_on_another_server() {
    let store = Arc::new(MemoryStore::new());
    let reads = Arc::new(AtomicUsize::new(0));
    let server = || {
        let store = Wrapped(Counted {
            store: Arc::clone(&store),
            settle: Duration::from_secs(8),
            reads: Arc::clone(&reads),
        });
        Messenger::with_options(store, options())
    };
    let (one, other) = (server(), server());
    let first = one.send(message("alice", "bob", "0")).await.unwrap();
    let conversation = first.conversation_id();
    let page = one
        .history(conversation, HistoryQuery::new())
        .await
        .unwrap();
    let mut cursor = page.prev;
    let mut seen: BTreeMap<MessageId, Version> = page
        .items
        .iter()
        .map(|item| (item.id(), item.version()))
        .collect();

    for round in 0..20 {
        let follower = if round % 2 == 0 { &one } else { &other };
        let mut stream = follower
            .follow_history(conversation, Some(cursor))
            .await
            .unwrap();
        for number in 0..5 {
            let writer = if number % 2 == 0 { &one } else { &other };
            let text = format!("{round}-{number}");
            let sent = writer.send(message("bob", "alice", &text)).await.unwrap();
            match number {
                1 => drop(
                    writer
                        .unsend(conversation, sent.id(), &user("bob"))
                        .await
                        .unwrap(),
                ),
                3 => {
                    let (bob, content) = (user("bob"), "edited".parse().unwrap());
                    let edit = writer.edit(conversation, sent.id(), &bob, content).await;
                    drop(edit.unwrap());
                }
                _ => {}
            }
        }
        // The follower is cut off at any point: after one batch, or in the middle of waiting.
        for _ in 0..round % 3 {
            let wait = Duration::from_millis(500 * (round % 5));
            let Ok(Some(batch)) = tokio::time::timeout(wait, stream.next()).await else {
                break;
            };
            let batch = batch.unwrap();
            cursor = batch.cursor;
            for item in batch.items {
                let version = seen.entry(item.id()).or_insert(item.version());
                *version = item.version().max(*version);
            }
        }
    }
    // It catches up in the end.
    let mut stream = one
        .follow_history(conversation, Some(cursor))
        .await
        .unwrap();
    while let Ok(Some(batch)) = tokio::time::timeout(Duration::from_secs(60), stream.next()).await {
        for item in batch.unwrap().items {
            let version = seen.entry(item.id()).or_insert(item.version());
            *version = item.version().max(*version);
        }
    }
    let all: Vec<Message> = {
        use futures_util::TryStreamExt as _;
        one.history_stream(conversation)
            .try_collect()
            .await
            .unwrap()
    };
    let all: BTreeMap<_, _> = all.iter().map(|item| (item.id(), item.version())).collect();
    assert_eq!(seen, all);
}

#[tokio::test(start_paused = true)]
async fn a_change_by_another_process_is_found_by_polling() {
    let store = Arc::new(MemoryStore::new());
    let server = || {
        let store = Wrapped(Counted {
            store: Arc::clone(&store),
            settle: Duration::from_secs(8),
            reads: Arc::default(),
        });
        let options = options().with_poll_interval(Duration::from_secs(3));
        Messenger::with_options(store, options)
    };
    let (one, other) = (server(), server());
    let mut inbox = one.follow_inbox(user("bob"), None).await.unwrap();
    next(&mut inbox).await;
    // The follower has read, and waits.
    let _ = tokio::time::timeout(Duration::from_millis(10), inbox.next()).await;
    let start = tokio::time::Instant::now();
    let sent = other.send(message("alice", "bob", "hello")).await.unwrap();
    assert_eq!(
        next(&mut inbox).await.items[0].last_message().id(),
        sent.id()
    );
    assert!(
        start.elapsed() <= Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    // It comes again from the store while it settles, and is not returned again.
    let again = tokio::time::timeout(Duration::from_secs(30), inbox.next()).await;
    assert!(again.is_err(), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn followers_of_one_list_share_their_reads() {
    let reads = Arc::new(AtomicUsize::new(0));
    let store = Wrapped(Counted {
        store: Arc::default(),
        settle: Duration::from_secs(8),
        reads: Arc::clone(&reads),
    });
    let messenger = Messenger::with_options(store, options());
    messenger
        .send(message("alice", "bob", "hello"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let page = messenger
        .inbox(&user("bob"), InboxQuery::new())
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let cursor = Some(page.prev);
        let mut inbox = messenger.follow_inbox(user("bob"), cursor).await.unwrap();
        tasks.spawn(async move {
            let batch = inbox.next().await.unwrap().unwrap();
            batch.items[0].last_message().id()
        });
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let idle = reads.load(Ordering::Relaxed);
    assert!(
        idle < 20,
        "{idle} reads for five polls of a thousand followers"
    );

    let sent = messenger
        .send(message("alice", "bob", "again"))
        .await
        .unwrap();
    while let Some(received) = tasks.join_next().await {
        assert_eq!(received.unwrap(), sent.id());
    }
    let delivered = reads.load(Ordering::Relaxed) - idle;
    assert!(delivered < 10, "{delivered} reads to deliver one message");
}

#[tokio::test]
async fn a_cursor_towards_older_items_cannot_be_followed() {
    let messenger = Messenger::new(MemoryStore::new());
    for text in ["one", "two"] {
        messenger.send(message("alice", "bob", text)).await.unwrap();
    }
    let inbox = messenger
        .inbox(&user("bob"), InboxQuery::new())
        .await
        .unwrap();
    let conversation = inbox.items[0].id();
    let one = HistoryQuery::new().with_limit(messenger_core::Limit::MIN);
    let next = messenger.history(conversation, one).await.unwrap().next;
    let Err(error) = messenger.follow_history(conversation, next).await else {
        panic!("a next cursor was followed");
    };
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let Err(error) = messenger
        .follow_history(conversation, Some(inbox.prev))
        .await
    else {
        panic!("a cursor of an inbox was followed in a history");
    };
    assert_eq!(error.kind(), ErrorKind::Malformed);
}
