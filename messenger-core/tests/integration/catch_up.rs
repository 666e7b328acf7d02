//! Catching up: nothing is missed, whatever becomes visible when, and little comes twice.
//!
//! A log key is made before its change becomes visible. So the tests hold writes back until greater
//! keys are visible, and check that a client that follows `prev` finds them.

use std::sync::Arc;
use std::time::Duration;

use messenger_core::conformance::Failure;
use messenger_core::conformance::tools::{Call, Client, History, Inbox, List, ManualTime, Point};
use messenger_core::{
    Clock, Content, Error, ErrorKind, HistoryQuery, IdempotencyKey, Import, InboxQuery, Message,
    MessageId, Messenger,
};
use messenger_memory::MemoryStore;

use crate::{MILLI, Pair, SECOND, Server, Tested};

/// The settle time of a store that two servers write to.
const SETTLE: Duration = Duration::from_secs(10);

const LIMITS: [u64; 4] = [1, 2, 3, 100];

/// A write that is held back.
#[derive(Clone, Copy, Debug)]
enum Late {
    Send,
    Edit,
    Unsend,
    Mark,
}

impl Late {
    /// Returns the call of the store that makes the write.
    fn call(self) -> Call {
        match self {
            Self::Mark => Call::Mark,
            Self::Send | Self::Edit | Self::Unsend => Call::Put,
        }
    }
}

/// The moment at which the client opens the list.
#[derive(Clone, Copy, Debug)]
enum Opened {
    /// Before the write that becomes visible late had its key.
    Before,
    /// While it was in flight and nothing greater was visible.
    During,
    /// While it was in flight and greater keys were visible.
    After,
}

/// A client's steps while a write is in flight.
#[derive(Clone, Copy, Debug)]
struct Plan {
    late: Late,
    opened: Opened,
    limit: u64,
    /// The number of times it catches up before the write becomes visible. If it never does, its
    /// first newer page begins above the write, in a gap.
    meanwhile: usize,
}

fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for late in [Late::Send, Late::Edit, Late::Unsend, Late::Mark] {
        for opened in [Opened::Before, Opened::During, Opened::After] {
            for limit in LIMITS {
                plans.extend([0, 1, 3].map(|meanwhile| Plan {
                    late,
                    opened,
                    limit,
                    meanwhile,
                }));
            }
        }
    }
    plans
}

/// Starts the late write of a message of the pair's first user.
fn write(
    messenger: &Messenger,
    pair: &Pair,
    message: MessageId,
    late: Late,
) -> impl Future<Output = Result<(), Error>> + Send + 'static {
    let (messenger, pair) = (messenger.clone(), pair.clone());
    async move {
        let id = pair.id();
        match late {
            Late::Send => drop(messenger.send(pair.text("late")?).await?),
            Late::Edit => {
                let text = Content::new("late")?;
                messenger.edit(id, message, &pair.one, text).await?;
            }
            Late::Unsend => drop(messenger.unsend(id, message, &pair.one).await?),
            Late::Mark => drop(messenger.mark_read(id, &pair.two, message).await?),
        }
        Ok(())
    }
}

/// Lets a client follow a list while a write is held and greater keys become visible, and returns it
/// when it has caught up after the write.
async fn follow<L: List>(
    server: &Server,
    plan: Plan,
    list: L,
    pair: &Pair,
    others: &[Pair],
) -> Result<Client<L>, Failure> {
    let changed = server.send(pair, 1).await?.remove(0);
    server.time.advance(SECOND);
    let mut client = server.client(list, plan.limit)?;
    if matches!(plan.opened, Opened::Before) {
        let next = client.open().await?;
        client.walk(next).await?;
    }
    server.time.advance(MILLI);
    let late = write(&server.messenger, pair, changed.id(), plan.late);
    let late = server
        .gate
        .start(plan.late.call(), Point::Before, late)
        .await?;
    if matches!(plan.opened, Opened::During) {
        let next = client.open().await?;
        client.walk(next).await?;
    }
    for other in others {
        server.time.advance(MILLI);
        server.messenger.send(other.text("on time")?).await?;
    }
    if matches!(plan.opened, Opened::After) {
        let next = client.open().await?;
        client.walk(next).await?;
    }
    for _ in 0..plan.meanwhile {
        client.catch_up().await?;
    }
    late.finish().await?;
    // A round that is under way ends; the next one begins where everything has settled.
    for _ in 0..2 {
        client.catch_up().await?;
    }
    Ok(client)
}

#[tokio::test]
async fn a_history_finds_what_becomes_visible_after_a_greater_key() -> Tested {
    for plan in plans() {
        let (server, pair) = (Server::new(), Pair::alice_and_bob());
        let others = [pair.clone(), pair.turned(), pair.clone()];
        let client = follow(&server, plan, History(pair.id()), &pair, &others).await?;
        let mut expected = server.store().history(pair.id(), None, 100).await?;
        expected.reverse();
        assert!(client.items().eq(&expected), "{plan:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_inbox_finds_what_becomes_visible_after_a_greater_key() -> Tested {
    for plan in plans() {
        let (server, pair) = (Server::new(), Pair::alice_and_bob());
        let others = ["carol", "dave", "carol"].map(|other| Pair::new("alice", other));
        let client = follow(&server, plan, Inbox(pair.one.clone()), &pair, &others).await?;
        for entry in server.store().inbox(&pair.one, None, 100).await? {
            assert_eq!(client.get(entry.id()), Some(&entry), "{plan:?}");
        }
    }
    Ok(())
}

/// Of two writes in flight the greater one may end first, or the smaller one.
#[tokio::test]
async fn two_writes_in_flight_are_found_in_either_order() -> Tested {
    for smaller_first in [true, false] {
        for limit in LIMITS {
            for (meanwhile, between) in [(0, 0), (0, 1), (1, 1), (2, 3)] {
                let (server, pair) = (Server::new(), Pair::alice_and_bob());
                let mut client = server.history(&pair, limit)?;
                let mut held = Vec::new();
                for _ in 0..2 {
                    server.time.advance(MILLI);
                    let (messenger, message) = (server.messenger.clone(), pair.text("late")?);
                    let send = async move { messenger.send(message).await };
                    held.push(server.gate.start(Call::Put, Point::Before, send).await?);
                }
                server.time.advance(MILLI);
                server.send(&pair, 3).await?;
                let next = client.open().await?;
                client.walk(next).await?;
                for _ in 0..meanwhile {
                    client.catch_up().await?;
                }
                if !smaller_first {
                    held.reverse();
                }
                for held in held {
                    held.finish().await?;
                    for _ in 0..between {
                        client.catch_up().await?;
                    }
                }
                client.catch_up().await?;
                client.catch_up().await?;
                let plan = (smaller_first, limit, meanwhile, between);
                assert_eq!(client.items().count(), 5, "{plan:?}");
            }
        }
    }
    Ok(())
}

/// The settled position is determined before a page is read, not after.
#[tokio::test]
async fn what_becomes_visible_while_a_page_is_read_is_found() -> Tested {
    for newer in [false, true] {
        let (server, pair) = (Server::new(), Pair::alice_and_bob());
        let list = History(pair.id());
        let client = show_while_a_page_is_read(&server, list, [&pair, &pair], newer).await?;
        assert_eq!(client.items().count(), 2);
        let (server, dave) = (Server::new(), Pair::new("alice", "dave"));
        let list = Inbox(pair.one.clone());
        let client = show_while_a_page_is_read(&server, list, [&pair, &dave], newer).await?;
        assert_eq!(client.items().count(), 2);
    }
    Ok(())
}

async fn show_while_a_page_is_read<L: List>(
    server: &Server,
    list: L,
    [late, on_time]: [&Pair; 2],
    newer: bool,
) -> Result<Client<L>, Failure> {
    let mut client = server.client(list, 100)?;
    if newer {
        client.open().await?;
    }
    let (messenger, message) = (server.messenger.clone(), late.text("late")?);
    let send = async move { messenger.send(message).await };
    let late = server.gate.start(Call::Put, Point::Before, send).await?;
    server.messenger.send(on_time.text("on time")?).await?;
    let mut page = server.gate.hold(Call::Page, Point::After);
    let reading = tokio::spawn(async move {
        if newer {
            client.catch_up().await?;
        } else {
            client.open().await?;
        }
        Ok::<_, Failure>(client)
    });
    page.arrived().await?;
    late.finish().await?;
    page.release();
    let mut client = reading.await??;
    client.catch_up().await?;
    client.catch_up().await?;
    Ok(client)
}

#[tokio::test]
async fn what_is_visible_before_it_is_acknowledged_is_found() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let mut client = server.history(&pair, 2)?;
    client.open().await?;
    let send = |text: &str| {
        let (messenger, message) = (server.messenger.clone(), pair.text(text));
        async move { messenger.send(message?).await }
    };
    let early = server
        .gate
        .start(Call::Put, Point::Before, send("early"))
        .await?;
    server.time.advance(MILLI);
    let shown = server
        .gate
        .start(Call::Put, Point::After, send("shown"))
        .await?;
    client.catch_up().await?;
    assert_eq!(client.items().count(), 1);
    // The greater key is acknowledged first; the smaller one is in flight alone then.
    shown.finish().await?;
    client.catch_up().await?;
    early.finish().await?;
    client.catch_up().await?;
    client.catch_up().await?;
    assert_eq!(client.items().count(), 2);
    Ok(())
}

#[tokio::test]
async fn a_dropped_send_holds_nothing_up() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let mut client = server.history(&pair, 2)?;
    client.open().await?;
    let (messenger, message) = (server.messenger.clone(), pair.text("dropped")?);
    let send = async move { messenger.send(message).await };
    let dropped = server.gate.start(Call::Put, Point::Before, send).await?;
    let kept = server.messenger.send(pair.text("kept")?).await?;
    dropped.drop().await;
    server.time.advance(SECOND);
    assert_eq!(client.catch_up().await?, [kept]);
    assert_eq!(client.catch_up().await?, []);
    Ok(())
}

#[tokio::test]
async fn catching_up_repeats_nothing_that_has_settled() -> Tested {
    for settle in [Duration::ZERO, SETTLE] {
        for limit in LIMITS {
            let [server, _] = Server::two(settle);
            let pair = Pair::alice_and_bob();
            let mut client = server.history(&pair, limit)?;
            client.open().await?;
            for round in 0..4 {
                let mut sent = server.send(&pair, round).await?;
                sent.reverse();
                server.time.advance(settle + SECOND);
                assert_eq!(client.catch_up().await?, sent, "{limit} at a time");
            }
        }
    }
    Ok(())
}

/// Somebody opens a list seconds after the last message, and comes back after a long time.
#[tokio::test]
async fn an_absence_is_not_read_twice() -> Tested {
    const AWAY: usize = 100;
    for limit in [7, 100] {
        let [server, _] = Server::two(SETTLE);
        let pair = Pair::alice_and_bob();
        server.send(&pair, 3).await?;
        let mut client = server.history(&pair, limit)?;
        client.open().await?;
        server.time.advance(3_600 * SECOND);
        server.send(&pair, AWAY).await?;
        server.time.advance(3_600 * SECOND);
        let mut came = 0;
        for _ in 0..3 {
            came += client.catch_up().await?.len();
        }
        assert_eq!(client.items().count(), AWAY + 3);
        // Only the items that had not settled when the list was opened come again.
        assert!(
            came <= AWAY + 3,
            "{came} items for {AWAY} new ones, by {limit}"
        );
    }
    Ok(())
}

/// The clock that says what has settled elsewhere may step back. What has settled stays so.
#[tokio::test]
async fn a_clock_that_steps_back_repeats_nothing() -> Tested {
    let [server, _] = Server::two(SETTLE);
    let pair = Pair::alice_and_bob();
    let mut client = server.history(&pair, 100)?;
    client.open().await?;
    server.send(&pair, 1).await?;
    server.time.advance(SETTLE + SECOND);
    client.catch_up().await?;
    server.time.step_back(SETTLE + 60 * SECOND);
    for _ in 0..2 {
        assert_eq!(client.catch_up().await?, []);
    }
    Ok(())
}

/// Nothing was below the bound when the page was read. A message that is sent later may be, if the
/// clock steps back.
#[tokio::test]
async fn a_bound_in_the_future_hides_nothing() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let bound = server.time.now().saturating_add(3_600 * SECOND);
    let query = HistoryQuery::new().with_before(bound);
    let page = server.messenger.history(pair.id(), query).await?;
    server.time.step_back(50 * MILLI);
    let sent = server.messenger.send(pair.text("hello")?).await?;
    let mut client = server.history(&pair, 2)?;
    client.catch_up_from(page.prev);
    client.catch_up().await?;
    client.catch_up().await?;
    assert_eq!(client.get(sent.id()), Some(&sent));
    Ok(())
}

#[tokio::test]
async fn an_empty_list_can_be_caught_up_with() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let mut history = server.history(&pair, 2)?;
    let mut inbox = server.inbox(&pair.two, 2)?;
    history.open().await?;
    inbox.open().await?;
    history.catch_up().await?;
    inbox.catch_up().await?;
    server.send(&pair, 3).await?;
    history.catch_up().await?;
    inbox.catch_up().await?;
    assert_eq!(history.items().count(), 3);
    assert!(inbox.get(pair.id()).is_some());
    Ok(())
}

/// Edits, unsends and markers come through the same cursor as messages.
#[tokio::test]
async fn every_kind_of_change_is_found() -> Tested {
    for limit in LIMITS {
        let (server, pair) = (Server::new(), Pair::alice_and_bob());
        let sent = server.send(&pair, 4).await?;
        let mut history = server.history(&pair, limit)?;
        let mut inboxes = [
            server.inbox(&pair.one, limit)?,
            server.inbox(&pair.two, limit)?,
        ];
        let next = history.open().await?;
        history.walk(next).await?;
        for inbox in &mut inboxes {
            inbox.open().await?;
        }
        for late in [Late::Send, Late::Edit, Late::Mark, Late::Unsend] {
            server.time.advance(SECOND);
            // An older message of the four, and the last one.
            for message in [&sent[2], &sent[0]] {
                write(&server.messenger, &pair, message.id(), late).await?;
                history.catch_up().await?;
                let mut expected = server.store().history(pair.id(), None, 100).await?;
                expected.reverse();
                assert!(history.items().eq(&expected), "{late:?} by {limit}");
                for inbox in &mut inboxes {
                    assert!(!inbox.catch_up().await?.is_empty(), "{late:?} by {limit}");
                    let user = inbox.list().0.clone();
                    let entry = server.store().entry(&user, pair.id()).await?;
                    assert_eq!(inbox.get(pair.id()), entry.as_ref(), "{late:?} by {limit}");
                }
            }
        }
    }
    Ok(())
}

/// Another server's clock is half the settle time behind, and its write takes the other half.
#[tokio::test]
async fn a_slower_server_is_waited_for() -> Tested {
    for late in [Late::Send, Late::Edit, Late::Unsend, Late::Mark] {
        for limit in LIMITS {
            let [here, elsewhere] = Server::two(SETTLE);
            let pair = Pair::alice_and_bob();
            let changed = elsewhere.send(&pair, 1).await?.remove(0);
            for server in [&here, &elsewhere] {
                server.time.advance(60 * SECOND);
            }
            elsewhere.time.step_back(SETTLE / 2);
            let mut history = here.history(&pair, limit)?;
            let mut inbox = here.inbox(&pair.one, limit)?;
            history.open().await?;
            inbox.open().await?;
            let held = write(&elsewhere.messenger, &pair, changed.id(), late);
            let held = elsewhere
                .gate
                .start(late.call(), Point::Before, held)
                .await?;
            for _ in 0..3 {
                here.messenger.send(pair.text("on time")?).await?;
                history.catch_up().await?;
                inbox.catch_up().await?;
            }
            here.time.advance(SETTLE / 2 - 2 * MILLI);
            history.catch_up().await?;
            inbox.catch_up().await?;
            held.finish().await?;
            for _ in 0..2 {
                history.catch_up().await?;
                inbox.catch_up().await?;
            }
            let mut expected = here.store().history(pair.id(), None, 100).await?;
            expected.reverse();
            assert!(history.items().eq(&expected), "{late:?} by {limit}");
            let entry = here.store().entry(&pair.one, pair.id()).await?;
            assert_eq!(inbox.get(pair.id()), entry.as_ref(), "{late:?} by {limit}");
        }
    }
    Ok(())
}

/// Lets time pass on all servers.
fn pass(servers: &[Server], by: Duration) {
    servers.iter().for_each(|server| server.time.advance(by));
}

/// Clients of the second server that have both lists open, and messages that let them read on.
struct Followers<'a> {
    servers: &'a [Server; 2],
    pair: &'a Pair,
    history: Client<History>,
    inbox: Client<Inbox>,
}

impl<'a> Followers<'a> {
    async fn open(servers: &'a [Server; 2], pair: &'a Pair) -> Result<Self, Failure> {
        let [_, server] = servers;
        let mut history = server.history(pair, 3)?;
        let mut inbox = server.inbox(&pair.two, 3)?;
        let next = history.open().await?;
        history.walk(next).await?;
        inbox.open().await?;
        Ok(Self {
            servers,
            pair,
            history,
            inbox,
        })
    }

    /// Sends a message and catches up with it, at a time when everything before has settled.
    async fn read_on(&mut self) -> Tested {
        let [_, server] = self.servers;
        let message = self.pair.turned().text("meanwhile")?;
        server.messenger.send(message).await?;
        pass(self.servers, SETTLE + SECOND);
        self.catch_up().await
    }

    async fn catch_up(&mut self) -> Tested {
        for _ in 0..2 {
            self.history.catch_up().await?;
            self.inbox.catch_up().await?;
        }
        Ok(())
    }
}

fn send_once(
    server: &Server,
    pair: &Pair,
) -> impl Future<Output = Result<Message, Error>> + Send + 'static {
    let (messenger, text) = (server.messenger.clone(), pair.text("keyed"));
    async move {
        let key = IdempotencyKey::new("key")?;
        Ok(messenger.send_once(text?, key).await?.message)
    }
}

/// Claiming the key may take as long as the settle time. Then the write gets a fresh log key.
#[tokio::test]
async fn a_keyed_send_whose_claim_was_slow_is_found() -> Tested {
    let (servers, pair) = (Server::two(SETTLE), Pair::alice_and_bob());
    let [here, elsewhere] = &servers;
    let mut followers = Followers::open(&servers, &pair).await?;
    let send = send_once(here, &pair);
    let send = here.gate.start(Call::Reserve, Point::After, send).await?;
    pass(&servers, SETTLE - SECOND);
    let mut put = here.gate.hold(Call::Put, Point::Before);
    let sent = tokio::spawn(send.finish());
    put.arrived().await?;
    // Meanwhile the followers read beyond the message's id, and not beyond the write's key.
    let message = pair.turned().text("meanwhile")?;
    elsewhere.messenger.send(message).await?;
    pass(&servers, SETTLE - SECOND);
    followers.catch_up().await?;
    put.release();
    let sent = sent.await??;
    followers.catch_up().await?;
    assert_eq!(followers.history.get(sent.id()), Some(&sent));
    Ok(())
}

/// The first call claimed the key and wrote nothing. The client repeats it much later.
#[tokio::test]
async fn a_keyed_send_that_is_completed_late_is_found() -> Tested {
    for is_last in [true, false] {
        let (servers, pair) = (Server::two(SETTLE), Pair::alice_and_bob());
        let [here, _] = &servers;
        let mut followers = Followers::open(&servers, &pair).await?;
        let send = send_once(here, &pair);
        let send = here.gate.start(Call::Put, Point::Before, send).await?;
        send.drop().await;
        pass(&servers, 3_600 * SECOND);
        if !is_last {
            followers.read_on().await?;
        }
        let sent = send_once(here, &pair).await?;
        followers.catch_up().await?;
        assert_eq!(followers.history.get(sent.id()), Some(&sent));
        let entry = here.store().entry(&pair.two, pair.id()).await?;
        assert_eq!(followers.inbox.get(pair.id()), entry.as_ref());
    }
    Ok(())
}

/// A write may become visible later than its settle time, if nobody was told that it succeeded.
/// Repeating the call is acknowledged, so it must be found.
#[tokio::test]
async fn a_repeated_write_is_found_wherever_the_first_one_went() -> Tested {
    for late in [Late::Send, Late::Edit, Late::Unsend, Late::Mark] {
        let (servers, pair) = (Server::two(SETTLE), Pair::alice_and_bob());
        let [here, _] = &servers;
        let changed = here.send(&pair, 1).await?.remove(0);
        pass(&servers, 60 * SECOND);
        let mut followers = Followers::open(&servers, &pair).await?;
        let again = || {
            let keyed = send_once(here, &pair);
            let other = write(&here.messenger, &pair, changed.id(), late);
            async move {
                match late {
                    Late::Send => keyed.await.map(drop),
                    _ => other.await,
                }
            }
        };
        let held = here.gate.start(late.call(), Point::Before, again()).await?;
        pass(&servers, 60 * SECOND);
        followers.read_on().await?;
        held.finish().await?;
        again().await?;
        followers.catch_up().await?;
        let mut expected = here.store().history(pair.id(), None, 100).await?;
        expected.reverse();
        assert!(followers.history.items().eq(&expected), "{late:?}");
        let entry = here.store().entry(&pair.two, pair.id()).await?;
        assert_eq!(followers.inbox.get(pair.id()), entry.as_ref(), "{late:?}");
    }
    Ok(())
}

/// A prepared message may wait before it is sent.
#[tokio::test]
async fn a_message_that_was_prepared_long_ago_is_found() -> Tested {
    let (servers, pair) = (Server::two(SETTLE), Pair::alice_and_bob());
    let [here, _] = &servers;
    let mut followers = Followers::open(&servers, &pair).await?;
    let prepared = here.messenger.prepare(pair.text("prepared")?);
    pass(&servers, 3_600 * SECOND);
    followers.read_on().await?;
    let sent = prepared.send().await?;
    followers.catch_up().await?;
    assert_eq!(followers.history.get(sent.id()), Some(&sent));
    Ok(())
}

#[tokio::test]
async fn imports_are_not_followed() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    server.send(&pair, 1).await?;
    server.time.advance(SECOND);
    let mut client = server.history(&pair, 3)?;
    client.open().await?;
    let at = server.time.now().saturating_sub(3_600 * SECOND);
    server
        .messenger
        .import(Import::new(pair.text("imported")?, at))
        .await?;
    assert_eq!(client.catch_up().await?, []);
    Ok(())
}

/// Another server's clock may run ahead. Whoever has read its message answers after it.
#[tokio::test]
async fn a_reply_sorts_after_what_it_answers() -> Tested {
    for read in [
        "history",
        "history log",
        "inbox",
        "inbox log",
        "entry",
        "message",
    ] {
        let store = Arc::new(MemoryStore::new());
        let (server, pair) = (Server::over(&store), Pair::alice_and_bob());
        let mut history = server.history(&pair, 10)?;
        let mut inbox = server.inbox(&pair.two, 10)?;
        history.open().await?;
        inbox.open().await?;
        let ahead = ManualTime::at(server.time.now().saturating_add(Clock::MAX_AHEAD));
        let question = pair.text("question")?.with_id(ahead.clock().next_id());
        server.store().put(question.id().into(), &question).await?;
        let (messenger, id) = (&server.messenger, pair.id());
        match read {
            "history" => drop(messenger.history(id, HistoryQuery::new()).await?),
            "history log" => drop(history.catch_up().await?),
            "inbox" => drop(messenger.inbox(&pair.two, InboxQuery::new()).await?),
            "inbox log" => drop(inbox.catch_up().await?),
            "entry" => drop(messenger.entry(&pair.two, id).await?),
            _ => drop(messenger.message(id, question.id()).await?),
        }
        let reply = messenger.send(pair.turned().text("answer")?).await?;
        assert!(reply.id() > question.id(), "{read}");
    }
    Ok(())
}

#[tokio::test]
async fn a_conversation_that_moves_during_a_walk_is_found() -> Tested {
    let server = Server::new();
    let alice = Pair::alice_and_bob().one;
    for n in 0..9 {
        server
            .send(&Pair::new("alice", &format!("friend{n}")), 1)
            .await?;
    }
    let mut client = server.inbox(&alice, 2)?;
    let mut next = client.open().await?;
    for moved in [0, 4, 8, 2] {
        let Some(cursor) = next else { break };
        server
            .send(&Pair::new("alice", &format!("friend{moved}")), 1)
            .await?;
        next = client.turn(cursor).await?.1;
    }
    client.walk_while_others_send(next).await?;
    client.catch_up().await?;
    for entry in server.store().inbox(&alice, None, 100).await? {
        assert_eq!(client.get(entry.id()), Some(&entry));
    }
    Ok(())
}

#[tokio::test]
async fn an_error_of_a_page_leaves_the_cursor_usable() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let mut client = server.history(&pair, 2)?;
    client.open().await?;
    server.send(&pair, 3).await?;
    let error = Error::new(ErrorKind::Unavailable, "no node can be reached");
    server.gate.fail(Call::Page, Point::Before, error);
    assert!(client.catch_up().await.is_err());
    client.catch_up().await?;
    assert_eq!(client.items().count(), 3);
    Ok(())
}
