//! Walk and catch-up: nothing is missed, whatever shows when. Rule 7.
//!
//! An id is made before its message shows. So the cases hold appends back until greater ids show,
//! and ask whether someone who reads on finds them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::task::JoinSet;

use crate::testing::client::{Client, History, Inbox, List};
use crate::testing::failure::{Verdict, ensure};
use crate::testing::sending::Sending;
use crate::testing::stage::{Pair, Stage, exact_id};
use crate::testing::{Failure, Gate, ManualTime, Model, Point, Settling, check};
use crate::{Clock, HistoryQuery, Message, Messenger, NewMessage, Store};

/// A gate before the store, and a messenger over it.
fn gated(stage: &Stage) -> (Gate, Messenger, ManualTime) {
    let (_, time) = stage.messenger();
    let gate = Gate::new(Arc::clone(&stage.store));
    let messenger = Messenger::with_clock(gate.clone(), time.clock());
    (gate, messenger, time)
}

/// When the client comes to the list that it will catch up with.
#[derive(Clone, Copy, Debug)]
enum Opened {
    /// Before the message that shows late had its id.
    Before,
    /// While it was in flight and nothing greater showed.
    During,
    /// While it was in flight and greater ids showed.
    After,
}

const LIMITS: [u64; 4] = [1, 2, 3, 100];

/// What a client does while a message is in flight.
#[derive(Clone, Copy, Debug)]
struct Plan {
    opened: Opened,
    limit: u64,
    /// How often it catches up before the message shows. If it never does, its first newer page
    /// begins above the message, in a gap.
    meanwhile: usize,
}

impl Plan {
    fn all() -> impl Iterator<Item = Self> {
        let opened = [Opened::Before, Opened::During, Opened::After];
        let with_limit = opened.map(|opened| LIMITS.map(|limit| (opened, limit)));
        let meanwhile = |(opened, limit)| {
            [0, 3].map(|meanwhile| Self {
                opened,
                limit,
                meanwhile,
            })
        };
        with_limit.into_iter().flatten().flat_map(meanwhile)
    }
}

/// What a client that catches up while a message is in flight does in the end have.
async fn catch_up_with_a_late_one<L: List>(
    stage: &Stage,
    plan: Plan,
    list: L,
    // The one that shows late, and those that overtake it.
    late: NewMessage,
    others: &[NewMessage],
) -> Result<(Client<L>, Message), Failure> {
    let (gate, messenger, time) = gated(stage);
    let mut client = Client::new(&messenger, list, plan.limit)?;
    if matches!(plan.opened, Opened::Before) {
        client.open().await?;
    }
    time.advance(Duration::from_millis(1));
    let late = Sending::start(&gate, &messenger, Point::Before, late).await?;
    if matches!(plan.opened, Opened::During) {
        client.open().await?;
    }
    for other in others {
        time.advance(Duration::from_millis(1));
        messenger.send(other.clone()).await?;
    }
    if matches!(plan.opened, Opened::After) {
        let next = client.open().await?;
        client.walk(next).await?;
    }
    for _ in 0..plan.meanwhile {
        client.catch_up().await?;
    }
    let late = late.finish().await?;
    // A round that is under way is brought to its end; the next one begins where all is settled.
    for _ in 0..2 {
        client.catch_up().await?;
    }
    Ok((client, late))
}

pub(super) async fn a_message_that_shows_after_a_greater_id_is_found(stage: &Stage) -> Verdict {
    for (n, plan) in Plan::all().enumerate() {
        let pair = Pair::new(stage.nth_user("alice", n)?, stage.nth_user("bob", n)?);
        stage
            .store
            .append(&pair.message(exact_id(1_000, 0, 1), "long ago")?)
            .await?;
        let others = [pair.text("one")?, pair.text("two")?, pair.text("three")?];
        let list = History(pair.conversation());
        let (client, late) =
            catch_up_with_a_late_one(stage, plan, list, pair.text("late")?, &others).await?;
        ensure!(
            client.has(late.id()),
            "a client that caught up with a history ({plan:?}) has missed the message which showed \
             after greater ids"
        );
        ensure!(
            client.seen.len() == 5 || !matches!(plan.opened, Opened::After),
            "a client that walked and caught up ({plan:?}) has {} of the 5 messages of a history",
            client.seen.len()
        );
    }
    Ok(())
}

pub(super) async fn a_conversation_that_shows_after_a_greater_id_is_found(
    stage: &Stage,
) -> Verdict {
    for (n, plan) in Plan::all().enumerate() {
        let alice = stage.nth_user("alice", n)?;
        let with = |name| Ok::<_, Failure>(Pair::new(alice.clone(), stage.nth_user(name, n)?));
        let (bob, carol, dave) = (with("bob")?, with("carol")?, with("dave")?);
        let others = [carol.text("one")?, dave.text("two")?, carol.text("three")?];
        let list = Inbox(alice);
        let (client, late) =
            catch_up_with_a_late_one(stage, plan, list, bob.text("late")?, &others).await?;
        ensure!(
            client.has(late.conversation_id()),
            "a client that caught up with an inbox ({plan:?}) has missed the conversation which \
             showed after greater ids"
        );
    }
    Ok(())
}

/// What is settled is known before a page is read, not after.
pub(super) async fn a_message_that_shows_while_a_page_is_read_is_found(stage: &Stage) -> Verdict {
    for (n, newer) in [false, true].into_iter().enumerate() {
        let pair = Pair::new(stage.nth_user("alice", n)?, stage.nth_user("bob", n)?);
        let list = History(pair.conversation());
        let texts = [pair.text("late")?, pair.text("on time")?];
        let (client, late) = show_while_a_page_is_read(stage, list, texts, newer).await?;
        ensure!(
            client.has(late.id()),
            "a message that showed while a page of a history was read has been missed"
        );
        let carol = Pair::new(pair.one.clone(), stage.nth_user("carol", n)?);
        let dave = Pair::new(pair.one.clone(), stage.nth_user("dave", n)?);
        let texts = [carol.text("late")?, dave.text("on time")?];
        let list = Inbox(pair.one);
        let (client, late) = show_while_a_page_is_read(stage, list, texts, newer).await?;
        ensure!(
            client.has(late.conversation_id()),
            "a conversation that showed while a page of an inbox was read has been missed"
        );
    }
    Ok(())
}

async fn show_while_a_page_is_read<L: List + Send + 'static>(
    stage: &Stage,
    list: L,
    [late, on_time]: [NewMessage; 2],
    newer: bool,
) -> Result<(Client<L>, Message), Failure> {
    let (gate, messenger, _) = gated(stage);
    let mut client = Client::new(&messenger, list, 100)?;
    if newer {
        client.open().await?;
    }
    let late = Sending::start(&gate, &messenger, Point::Before, late).await?;
    messenger.send(on_time).await?;
    let mut page = gate.hold_page();
    let reading = tokio::spawn(async move {
        if newer {
            client.catch_up().await?;
        } else {
            client.open().await?;
        }
        Ok::<_, Failure>(client)
    });
    page.arrived().await?;
    let late = late.finish().await?;
    page.release();
    let mut client = reading.await??;
    client.catch_up().await?;
    client.catch_up().await?;
    Ok((client, late))
}

pub(super) async fn what_shows_before_it_is_acknowledged_is_found(stage: &Stage) -> Verdict {
    let (gate, messenger, time) = gated(stage);
    let pair = stage.pair()?;
    let mut client = Client::new(&messenger, History(pair.conversation()), 2)?;
    client.open().await?;
    let early = Sending::start(&gate, &messenger, Point::Before, pair.text("early")?).await?;
    time.advance(Duration::from_millis(1));
    let shown = Sending::start(&gate, &messenger, Point::After, pair.text("shown")?).await?;
    client.catch_up().await?;
    ensure!(
        client.has(shown.message.id()),
        "a message that is in the store does not show"
    );
    // The greater one is acknowledged first; the smaller one is in flight alone then.
    shown.finish().await?;
    client.catch_up().await?;
    let early = early.finish().await?;
    client.catch_up().await?;
    client.catch_up().await?;
    ensure!(
        client.has(early.id()),
        "a message that was in flight while a greater one was acknowledged has been missed"
    );
    Ok(())
}

pub(super) async fn a_dropped_send_holds_nothing_up(stage: &Stage) -> Verdict {
    let (gate, messenger, time) = gated(stage);
    let pair = stage.pair()?;
    let mut client = Client::new(&messenger, History(pair.conversation()), 2)?;
    client.open().await?;
    let dropped = Sending::start(&gate, &messenger, Point::Before, pair.text("dropped")?).await?;
    let kept = messenger.send(pair.text("kept")?).await?;
    dropped.drop().await;
    time.advance(stage.long_enough());
    client.catch_up().await?;
    ensure!(client.has(kept.id()), "a message has been missed");
    let again = client.catch_up().await?;
    ensure!(
        again.is_empty(),
        "a message comes again and again after an earlier send was dropped"
    );
    Ok(())
}

pub(super) async fn catching_up_repeats_nothing_that_is_settled(stage: &Stage) -> Verdict {
    for limit in LIMITS {
        let n = limit as usize;
        let pair = Pair::new(stage.nth_user("alice", n)?, stage.nth_user("bob", n)?);
        let (_, messenger, time) = gated(stage);
        let mut client = Client::new(&messenger, History(pair.conversation()), limit)?;
        client.open().await?;
        for round in 0..4 {
            let mut sent = Vec::new();
            for _ in 0..round {
                sent.push(messenger.send(pair.text(format!("round {round}"))?).await?);
                time.advance(Duration::from_millis(1));
            }
            time.advance(stage.long_enough());
            let came = client.catch_up().await?;
            let what = format!("what came since the last round, {limit} at a time,");
            check::same_list(&what, &came, &sent)?;
        }
    }
    Ok(())
}

/// The clock that says what is settled elsewhere may step back; what was settled stays so.
pub(super) async fn a_clock_that_steps_back_repeats_nothing(stage: &Stage) -> Verdict {
    let (settle, [store, _]) = shared_by_two(stage);
    let (_, time) = stage.messenger();
    let messenger = Messenger::with_clock(store, time.clock());
    let pair = stage.pair()?;
    let mut client = Client::new(&messenger, History(pair.conversation()), 100)?;
    client.open().await?;
    messenger.send(pair.text("hello")?).await?;
    time.advance(settle + Duration::from_secs(1));
    client.catch_up().await?;
    time.step_back(settle + Duration::from_secs(60));
    for _ in 0..2 {
        let came = client.catch_up().await?;
        ensure!(
            came.is_empty(),
            "a settled message comes again after the clock stepped back"
        );
    }
    Ok(())
}

/// Nothing lay below the bound when the page was read; what is sent later may, by a clock that
/// steps back.
pub(super) async fn a_bound_in_the_future_hides_nothing(stage: &Stage) -> Verdict {
    let (_, messenger, time) = gated(stage);
    let pair = stage.pair()?;
    let bound = time.now().saturating_add(Duration::from_secs(3_600));
    let query = HistoryQuery::new().with_before(bound);
    let page = messenger.history(pair.conversation(), query).await?;
    time.step_back(Duration::from_millis(50));
    let sent = messenger.send(pair.text("hello")?).await?;
    let mut client = Client::new(&messenger, History(pair.conversation()), 2)?;
    client.catch_up_from(page.prev);
    client.catch_up().await?;
    client.catch_up().await?;
    ensure!(
        client.has(sent.id()),
        "a message has been missed by a client that began with a page before a future time"
    );
    Ok(())
}

pub(super) async fn an_empty_list_can_be_caught_up_with(stage: &Stage) -> Verdict {
    let (_, messenger, time) = gated(stage);
    let pair = stage.pair()?;
    let mut history = Client::new(&messenger, History(pair.conversation()), 2)?;
    let mut inbox = Client::new(&messenger, Inbox(pair.two.clone()), 2)?;
    history.open().await?;
    inbox.open().await?;
    history.catch_up().await?;
    inbox.catch_up().await?;
    for text in ["one", "two", "three"] {
        time.advance(Duration::from_millis(1));
        messenger.send(pair.text(text)?).await?;
    }
    history.catch_up().await?;
    inbox.catch_up().await?;
    ensure!(
        history.seen.len() == 3,
        "following `prev` of an empty history found {} of 3 messages",
        history.seen.len()
    );
    ensure!(
        inbox.has(pair.conversation()),
        "following `prev` of an empty inbox did not find the conversation"
    );
    Ok(())
}

/// The settle time with which two servers may share the store, and the store with it.
fn shared_by_two(stage: &Stage) -> (Duration, [Arc<dyn Store>; 2]) {
    let settle = stage.store.settle();
    if settle.is_zero() {
        // Nobody else writes it; so two messengers over it play two servers.
        let settle = Duration::from_secs(10);
        let store = Settling::new(Arc::clone(&stage.store), settle);
        return (settle, [Arc::new(store.clone()), Arc::new(store)]);
    }
    (settle, [Arc::clone(&stage.store), Arc::clone(&stage.other)])
}

pub(super) async fn a_slower_server_is_waited_for(stage: &Stage) -> Verdict {
    let (settle, [here, elsewhere]) = shared_by_two(stage);
    for limit in LIMITS {
        let n = limit as usize;
        let pair = Pair::new(stage.nth_user("alice", n)?, stage.nth_user("bob", n)?);
        let (_, time) = stage.messenger();
        let behind = ManualTime::at(time.now().saturating_sub(settle / 2));
        let gate = Gate::new(Arc::clone(&elsewhere));
        let elsewhere = Messenger::with_clock(gate.clone(), behind.clock());
        let here = Messenger::with_clock(Arc::clone(&here), time.clock());

        let mut client = Client::new(&here, History(pair.conversation()), limit)?;
        client.open().await?;
        let late = Sending::start(&gate, &elsewhere, Point::Before, pair.text("late")?).await?;
        for _ in 0..3 {
            here.send(pair.text("on time")?).await?;
            client.catch_up().await?;
        }
        // The id is half the settle time old by our clock. The other half is almost over.
        time.advance(settle / 2 - Duration::from_millis(2));
        client.catch_up().await?;
        let late = late.finish().await?;
        client.catch_up().await?;
        client.catch_up().await?;
        ensure!(
            client.has(late.id()),
            "a message of a server whose clock is {:?} behind has been missed, although it was \
             acknowledged within the settle time of {settle:?}",
            settle / 2
        );
    }
    Ok(())
}

pub(super) async fn a_store_of_several_processes_states_a_settle_time(stage: &Stage) -> Verdict {
    ensure!(
        !stage.has_other || !stage.store.settle().is_zero(),
        "the store has a second client, so other processes write it: its settle time cannot be \
         zero"
    );
    ensure!(
        stage.store.settle() == stage.other.settle(),
        "two clients of one store state the settle times {:?} and {:?}",
        stage.store.settle(),
        stage.other.settle()
    );
    Ok(())
}

/// Another server's clock may run ahead; who has read its message answers after it.
pub(super) async fn a_reply_sorts_after_what_it_answers(stage: &Stage) -> Verdict {
    for (n, read) in ["history", "inbox", "conversation", "message"]
        .into_iter()
        .enumerate()
    {
        let (messenger, time) = stage.messenger();
        let pair = Pair::new(stage.nth_user("alice", n)?, stage.nth_user("bob", n)?);
        let ahead = time.now().saturating_add(Clock::MAX_AHEAD).as_millis();
        let question = pair.message(exact_id(ahead, 0xfff, 1 << 61), "question")?;
        stage.store.append(&question).await?;
        let conversation = pair.conversation();
        match read {
            "history" => drop(messenger.history(conversation, HistoryQuery::new()).await?),
            "inbox" => drop(messenger.inbox(&pair.two, crate::InboxQuery::new()).await?),
            "conversation" => drop(messenger.conversation(conversation).await?),
            _ => drop(messenger.message(conversation, question.id()).await?),
        }
        let reply = messenger.send(pair.turned().text("answer")?).await;
        let reply = match reply {
            Ok(reply) => reply,
            // Within the last tick of what is followed, the next one may already be too far.
            Err(error) if error.kind() == crate::ErrorKind::Unavailable => {
                time.advance(Duration::from_millis(1));
                messenger.send(pair.turned().text("answer")?).await?
            }
            Err(error) => return Err(error.into()),
        };
        ensure!(
            reply.id() > question.id(),
            "an answer to a message that was read in the {read} sorts before it"
        );
    }
    Ok(())
}

const WRITERS: usize = 6;
const EACH: usize = 20;

pub(super) async fn walk_and_catch_up_are_complete_under_concurrent_sends(
    stage: &Stage,
) -> Verdict {
    let messenger = Messenger::new(Arc::clone(&stage.store));
    let pair = stage.pair()?;
    let (sent, clients) = send_and_read(&messenger, vec![pair.clone(); WRITERS], |limit| {
        Client::new(&messenger, History(pair.conversation()), limit)
    })
    .await?;
    let mut model = Model::new();
    for message in &sent {
        model.append(message);
    }
    for client in clients {
        let got: Vec<_> = client.seen.into_values().collect();
        let expected: Vec<_> = model.messages().cloned().collect();
        let what = format!(
            "walk and catch-up by {} under concurrent sends",
            client.limit
        );
        check::same_list(&what, &got, &expected)?;
    }
    stage.agrees_with(&model).await
}

pub(super) async fn an_inbox_is_complete_under_concurrent_sends(stage: &Stage) -> Verdict {
    let messenger = Messenger::new(Arc::clone(&stage.store));
    let alice = stage.user("alice")?;
    let pairs = (0..WRITERS)
        .map(|n| Ok(Pair::new(alice.clone(), stage.nth_user("friend", n)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let (_, clients) = send_and_read(&messenger, pairs.clone(), |limit| {
        Client::new(&messenger, Inbox(alice.clone()), limit)
    })
    .await?;
    for client in clients {
        for pair in &pairs {
            let now = stage.store.conversation(pair.conversation()).await?;
            let seen = client.seen.get(&pair.conversation().as_uuid()).cloned();
            let what = format!("a conversation, caught up with by {},", client.limit);
            check::same(&what, &seen, &now)?;
        }
    }
    Ok(())
}

/// Writers send, and clients walk and catch up meanwhile and once more at the end.
async fn send_and_read<L: List + Send + 'static>(
    messenger: &Messenger,
    pairs: Vec<Pair>,
    client: impl Fn(u64) -> Result<Client<L>, Failure>,
) -> Result<(Vec<Message>, Vec<Client<L>>), Failure> {
    let mut writers = JoinSet::new();
    for pair in pairs {
        let messenger = messenger.clone();
        writers.spawn(async move {
            let mut sent = Vec::new();
            for n in 0..EACH {
                sent.push(messenger.send(pair.text(format!("message {n}"))?).await?);
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(sent)
        });
    }
    let (done, is_done) = tokio::sync::watch::channel(false);
    let readers = [1, 3, 100].map(|limit| {
        let (client, is_done) = (client(limit), is_done.clone());
        tokio::spawn(async move {
            let mut client = client?;
            let next = client.open().await?;
            client.walk_while_others_send(next).await?;
            while !*is_done.borrow() {
                client.catch_up().await?;
                tokio::task::yield_now().await;
            }
            client.catch_up().await?;
            client.catch_up().await?;
            Ok::<_, Failure>(client)
        })
    });
    let mut sent = Vec::new();
    while let Some(written) = writers.join_next().await {
        sent.extend(written??);
    }
    // The readers may have failed and be gone; then they say why.
    let _ = done.send(true);
    let clients = try_join_all(readers).await?;
    let clients = clients.into_iter().collect::<Result<_, _>>()?;
    Ok((sent, clients))
}
