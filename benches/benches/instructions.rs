//! Instruction counts of the hot paths that need no network, measured by callgrind:
//! `scripts/check instructions`, which fails if one exceeds the budget in `budget.toml`.
//!
//! Instructions are counted, not timed, so a build has the same counts on a busy machine and on a
//! quiet one. Inputs, ids and time are fixed; counts repeat within half a percent. Two things are
//! random:
//!
//! - Each hash map has its own seed, so keys collide in other places: a few hundred instructions for
//!   a look-up among 10,000. Several stores with the same content are read to even this out.
//! - The random part of an id is drawn in blocks, which some calls pay for and others do not. Calls
//!   that make ids are repeated until whole blocks are drawn.
//!
//! Futures run on a single-threaded runtime that is created outside of the counted part. There is no
//! metrics recorder and no tracing subscriber.

#![expect(missing_docs, reason = "the macros generate items without docs")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, SystemTime};

use benches::messages::{TEXT, new_message};
use bytes::Bytes;
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use http::{Request, Response};
use messenger_core::{
    Clock, Content, ConversationId, Cursor, HistoryQuery, InboxEntry, Message, MessageId,
    Messenger, Page, Preview, Store as _, UserId,
};
use messenger_http::{Body, MessengerService};
use messenger_memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service as _;
use uuid::Uuid;

/// The ids made in one go: their random parts are two whole blocks of the generator.
const IDS: usize = 64;

/// The stores with the same content in which an inbox is looked up.
const STORES: usize = 16;

/// The rows that a page of 20 reads: one more tells whether there is a next page.
const READ: usize = 21;

/// The time of the first message, and of the clock.
const START: Duration = Duration::from_secs(1_767_225_600);

/// The percentage by which a bench may exceed its accepted count.
///
/// Half a percent is for the seeds of hash maps. The rest is for the C library's allocation and
/// copying, which differ between machines, and for inlining, which changes with code elsewhere.
/// One more clone of each message of a page is a fifth more in the store and 4 % in the service.
const MARGIN_PERCENT: u64 = 3;

/// Limits a bench to its budget. A bench without an accepted count fails.
fn at_most(bench: &str) -> LibraryBenchmarkConfig {
    let budget: BTreeMap<String, u64> =
        toml::from_str(include_str!("../budget.toml")).expect("a table of counts");
    let accepted = budget.get(bench).copied().unwrap_or(0);
    let limit = accepted + accepted * MARGIN_PERCENT / 100;
    let limits = [(EventKind::Ir, limit)];
    LibraryBenchmarkConfig::default()
        .tool(Callgrind::default().hard_limits(limits))
        .clone()
}

// Values.

fn user(number: usize) -> UserId {
    UserId::new(format!("user-{number:06}")).expect("a user id")
}

/// Returns the message with this number between two users, a millisecond after the previous one.
fn message(number: usize, sender: &UserId, receiver: &UserId) -> Message {
    let millis = START.as_millis() as u64 + number as u64;
    let id = Uuid::from_u64_pair((millis << 16) | 0x7000, (1 << 63) | (number as u64 + 1));
    let id = MessageId::from_uuid(id).expect("a UUIDv7");
    let message = new_message(sender, receiver).expect("two users");
    message.with_id(id)
}

fn users() -> [UserId; 2] {
    [user(1), user(2)]
}

fn long_content() -> Content {
    Content::new("Où êtes-vous ? 👩🏽‍🌾 ".repeat(500)).expect("a content")
}

fn clock() -> Clock {
    let clock = Clock::with_source(|| SystemTime::UNIX_EPOCH + START);
    // The random number generator is seeded at its first use.
    for _ in 0..IDS {
        clock.next_id();
    }
    clock
}

// The callees. They are leaked, so that dropping them is not counted.

struct Stored {
    runtime: Runtime,
    store: &'static MemoryStore,
    messenger: Messenger,
}

fn stored(messages: impl Iterator<Item = Message>) -> &'static Stored {
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let store: &MemoryStore = Box::leak(Box::default());
    runtime.block_on(async {
        for message in messages {
            store
                .put(message.id().into(), &message)
                .await
                .expect("memory takes it");
        }
        // The first call of a thread does more, which is not counted.
        let nobody = ConversationId::from(Uuid::nil());
        let none = store.conversation(nobody).await.expect("memory answers");
        assert!(none.is_none());
    });
    Box::leak(Box::new(Stored {
        runtime,
        store,
        messenger: Messenger::with_clock(store, clock()),
    }))
}

/// Stores a conversation of this length.
fn conversation(length: usize) -> &'static Stored {
    let [one, other] = users();
    stored((0..length).map(|number| message(number, &one, &other)))
}

/// Stores a conversation of this length, and returns the next message as well.
fn conversation_and_next(length: usize) -> (&'static Stored, Message) {
    let [one, other] = users();
    (conversation(length), message(length, &other, &one))
}

/// Stores one user with this number of conversations.
fn inbox(conversations: usize) -> &'static Stored {
    stored((0..conversations).map(|number| message(number, &user(number + 2), &user(1))))
}

fn inboxes(conversations: usize) -> [&'static Stored; STORES] {
    [(); STORES].map(|()| inbox(conversations))
}

// Requests to the service, after a first one: what only the first call does is not counted.

type Call = (&'static Stored, MessengerService, Vec<Request<Body>>);

fn calls(stored: &'static Stored, times: usize, request: impl Fn() -> Request<Body>) -> Call {
    let service = MessengerService::new(stored.messenger.clone());
    let requests = (0..times).map(|_| request()).collect();
    answer((stored, service.clone(), vec![request()]));
    (stored, service, requests)
}

fn get(stored: &'static Stored, path: &str) -> Call {
    let request = || {
        Request::get(path)
            .header("host", "localhost")
            .body(Body::default())
    };
    calls(stored, 1, || request().expect("a request"))
}

fn history_path() -> String {
    let [one, other] = users();
    let conversation = ConversationId::direct(&one, &other);
    format!("/api/messages/conversation/{conversation}")
}

fn history_call() -> Call {
    get(conversation(1_000), &history_path())
}

fn inbox_call() -> Call {
    get(inbox(100), &format!("/api/conversations/user/{}", user(1)))
}

fn message_call() -> Call {
    let [one, other] = users();
    let id = message(500, &one, &other).id();
    get(conversation(1_000), &format!("{}/{id}", history_path()))
}

fn send_calls() -> Call {
    let [one, other] = users();
    let body = format!(r#"{{"sender_id":"{one}","receiver_id":"{other}","content":"{TEXT}"}}"#);
    calls(conversation(1_000), IDS, || {
        Request::post("/api/messages/")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Body::from(Bytes::from(body.clone())))
            .expect("a request")
    })
}

// The benches. Their return values are dropped outside of the counted part.

#[library_benchmark]
#[bench::times_64(args = (clock()), config = at_most("id::times_64"))]
fn id(clock: Clock) -> Clock {
    for _ in 0..IDS {
        black_box(clock.next_id());
    }
    clock
}

#[library_benchmark]
#[bench::of_two_users(args = (users()), config = at_most("conversation_id::of_two_users"))]
fn conversation_id(users: [UserId; 2]) -> [UserId; 2] {
    black_box(ConversationId::direct(&users[0], &users[1]));
    users
}

#[library_benchmark]
#[bench::of_19_kilobytes(args = (long_content()), config = at_most("preview::of_19_kilobytes"))]
fn preview(content: Content) -> (Content, Preview) {
    let preview = content.preview();
    (content, preview)
}

// Only a page creates cursors, so this is the page of a conversation without messages.
#[library_benchmark]
#[bench::and_text(args = (conversation(0)), config = at_most("cursor_mint::and_text"))]
fn cursor_mint(stored: &'static Stored) -> String {
    empty_page(stored).prev.to_string()
}

fn empty_page(stored: &Stored) -> Page<Message> {
    let conversation = ConversationId::from(Uuid::nil());
    let page = stored.messenger.history(conversation, HistoryQuery::new());
    stored.runtime.block_on(page).expect("memory answers")
}

#[library_benchmark]
#[bench::newer(
    args = (empty_page(conversation(0)).prev.to_string()),
    config = at_most("cursor_parse::newer")
)]
fn cursor_parse(text: String) -> (String, Cursor) {
    let cursor = text.parse().expect("a cursor");
    (text, cursor)
}

#[library_benchmark]
#[bench::to_1000(args = (conversation_and_next(1_000)), config = at_most("store_append::to_1000"))]
#[bench::to_100000(
    args = (conversation_and_next(100_000)),
    config = at_most("store_append::to_100000")
)]
fn store_append((stored, message): (&'static Stored, Message)) -> Message {
    let appended = stored
        .runtime
        .block_on(stored.store.put(message.id().into(), &message));
    appended.expect("memory takes it");
    message
}

#[library_benchmark]
#[bench::of_1000(args = (conversation(1_000)), config = at_most("store_history::of_1000"))]
#[bench::of_100000(args = (conversation(100_000)), config = at_most("store_history::of_100000"))]
fn store_history(stored: &'static Stored) -> Vec<Message> {
    let [one, other] = users();
    let conversation = ConversationId::direct(&one, &other);
    let page = stored.store.history(conversation, None, READ);
    let page = stored.runtime.block_on(page).expect("memory answers");
    assert_eq!(page.len(), READ);
    page
}

#[library_benchmark]
#[bench::of_100(args = (inboxes(100)), config = at_most("store_inbox_times_16::of_100"))]
#[bench::of_10000(args = (inboxes(10_000)), config = at_most("store_inbox_times_16::of_10000"))]
fn store_inbox_times_16(stores: [&'static Stored; STORES]) -> [Vec<InboxEntry>; STORES] {
    let user = user(1);
    stores.map(|stored| {
        let page = stored.store.inbox(&user, None, READ);
        let page = stored.runtime.block_on(page).expect("memory answers");
        assert_eq!(page.len(), READ);
        page
    })
}

#[library_benchmark]
#[bench::post_64_messages(
    args = (send_calls()),
    config = at_most("service::post_64_messages")
)]
#[bench::get_history(args = (history_call()), config = at_most("service::get_history"))]
#[bench::get_inbox(args = (inbox_call()), config = at_most("service::get_inbox"))]
#[bench::get_message(args = (message_call()), config = at_most("service::get_message"))]
fn service(call: Call) -> (Vec<Response<Body>>, MessengerService) {
    answer(call)
}

/// Answers the requests. Returns the service too, so that dropping it is not counted.
fn answer((stored, mut service, requests): Call) -> (Vec<Response<Body>>, MessengerService) {
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        let answer = stored.runtime.block_on(service.call(request));
        let Ok(answer) = answer;
        assert!(answer.status().is_success(), "{answer:?}");
        answers.push(answer);
    }
    (answers, service)
}

library_benchmark_group!(
    name = hot_paths,
    benchmarks = [
        id,
        conversation_id,
        preview,
        cursor_mint,
        cursor_parse,
        store_append,
        store_history,
        store_inbox_times_16,
        service
    ]
);

main!(library_benchmark_groups = hot_paths);
