//! How many instructions the hot paths take that need no network, counted by callgrind:
//! `scripts/check instructions`, which fails beyond the budget in `budget.toml`.
//!
//! Inputs, ids and time are fixed here, so that a count repeats: mostly to the instruction, and
//! within half a percent. Two things are random:
//!
//! - Hash maps have a seed of their own each, so keys collide in other places: a few hundred
//!   instructions for a look-up among 10,000. So several stores with the same content are read,
//!   which evens out.
//! - The random part of an id is drawn in blocks, of which one falls into some calls and not into
//!   others. So calls that make ids are repeated until whole blocks are drawn.
//!
//! Futures run on a runtime of one thread that is made outside of what is counted. There is no
//! recorder of measurements and no subscriber of traces: these are counted as far as they are ours.

#![expect(missing_docs, reason = "what the macros make has none")]

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use benches::budget::Budget;
use bytes::Bytes;
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use http::{Request, Response};
use messenger_core::{
    Clock, Content, Conversation, ConversationId, Cursor, HistoryQuery, Message, MessageId,
    MessageParts, Messenger, Page, Preview, Slice, Store as _, UserId,
};
use messenger_http::{Body, MessengerService};
use messenger_memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service as _;
use uuid::Uuid;

/// How many ids are made in one go: their random parts are two whole blocks of the generator.
const IDS: usize = 64;

/// In how many stores with the same content an inbox is looked up.
const STORES: usize = 16;

/// Rows that a page of 20 reads: one more tells whether there is a next page.
const ROWS: usize = 21;

/// The time of the first message, and about that of the clock.
const START: Duration = Duration::from_secs(1_767_225_600);

const TEXT: &str = "It is quiet on the square at this hour. Shall we meet at the fountain?";

/// The bench may take what the budget says, and not an instruction more.
fn at_most(bench: &str) -> LibraryBenchmarkConfig {
    let budget = Budget::parse(include_str!("../budget.toml")).expect("the budget can be read");
    let limits = [(EventKind::Ir, budget.limit(bench))];
    LibraryBenchmarkConfig::default()
        .tool(Callgrind::default().hard_limits(limits))
        .clone()
}

// Values.

fn user(number: usize) -> UserId {
    UserId::new(format!("user-{number:06}")).expect("a user id")
}

/// The message with this number between two users, a millisecond after the one before.
fn message(number: usize, sender: &UserId, receiver: &UserId) -> Message {
    let millis = START.as_millis() as u64 + number as u64;
    let id = Uuid::from_u64_pair((millis << 16) | 0x7000, (1 << 63) | (number as u64 + 1));
    Message::from_parts(MessageParts {
        id: MessageId::from_uuid(id).expect("a UUIDv7"),
        conversation_id: ConversationId::direct(sender, receiver),
        sender_id: sender.clone(),
        receiver_id: receiver.clone(),
        content: Content::new(TEXT).expect("a content"),
    })
}

fn users() -> [UserId; 2] {
    [user(1), user(2)]
}

fn long_content() -> Content {
    Content::new("Où êtes-vous ? 👩🏽‍🌾 ".repeat(500)).expect("a content")
}

fn clock() -> Clock {
    let clock = Clock::with_source(|| SystemTime::UNIX_EPOCH + START);
    // The generator of random numbers gets its seed by its first use.
    for _ in 0..IDS {
        clock.next_id();
    }
    clock
}

// What is called. It is leaked, so that taking it down is not counted.

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
            store.append(&message).await.expect("memory takes it");
        }
        // What only the first call of a thread makes is not counted.
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

/// A conversation of so many messages.
fn conversation(length: usize) -> &'static Stored {
    let [one, other] = users();
    stored((0..length).map(|number| message(number, &one, &other)))
}

/// A conversation of so many messages, and the next one.
fn conversation_and_next(length: usize) -> (&'static Stored, Message) {
    let [one, other] = users();
    (conversation(length), message(length, &other, &one))
}

/// One user with so many conversations.
fn inbox(conversations: usize) -> &'static Stored {
    stored((0..conversations).map(|number| message(number, &user(number + 2), &user(1))))
}

fn inboxes(conversations: usize) -> [&'static Stored; STORES] {
    [(); STORES].map(|()| inbox(conversations))
}

// Requests to the service, and the service that has answered such a one already: what only the
// first call makes is not counted.

type Call = (&'static Stored, MessengerService, Vec<Request<Body>>);

fn calls(stored: &'static Stored, times: usize, request: impl Fn() -> Request<Body>) -> Call {
    let service = MessengerService::new(stored.messenger.clone());
    let requests = (0..times).map(|_| request()).collect();
    answer((stored, service.clone(), vec![request()]));
    (stored, service, requests)
}

fn get(stored: &'static Stored, path: &str) -> Call {
    calls(stored, 1, || {
        let request = Request::get(path).body(Body::default());
        request.expect("a request")
    })
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
    let path = format!("/api/conversations/user/{}", user(1));
    get(inbox(100), &path)
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
            .header("content-type", "application/json")
            .body(Body::from(Bytes::from(body.clone())))
            .expect("a request")
    })
}

// The benches. What they return is dropped outside of what is counted.

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

// A cursor is made with a page only, so this is the page of a conversation without messages.
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
    let appended = stored.runtime.block_on(stored.store.append(&message));
    appended.expect("memory takes it");
    message
}

#[library_benchmark]
#[bench::of_1000(args = (conversation(1_000)), config = at_most("store_history::of_1000"))]
#[bench::of_100000(args = (conversation(100_000)), config = at_most("store_history::of_100000"))]
fn store_history(stored: &'static Stored) -> Vec<Message> {
    let [one, other] = users();
    let conversation = ConversationId::direct(&one, &other);
    let page = stored.store.history(conversation, Slice::newest(ROWS));
    let page = stored.runtime.block_on(page).expect("memory answers");
    assert_eq!(page.len(), ROWS);
    page
}

#[library_benchmark]
#[bench::of_100(args = (inboxes(100)), config = at_most("store_inbox_times_16::of_100"))]
#[bench::of_10000(args = (inboxes(10_000)), config = at_most("store_inbox_times_16::of_10000"))]
fn store_inbox_times_16(stores: [&'static Stored; STORES]) -> [Vec<Conversation>; STORES] {
    let user = user(1);
    stores.map(|stored| {
        let page = stored.store.inbox(&user, Slice::newest(ROWS));
        let page = stored.runtime.block_on(page).expect("memory answers");
        assert_eq!(page.len(), ROWS);
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

/// Gives the service back, too: that it ends is no part of a request.
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
