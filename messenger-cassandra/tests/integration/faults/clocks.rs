//! Processes whose clocks disagree.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use libtest_mimic::{Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore};
use messenger_core::{
    Claim, Clock, ConversationId, Cursor, Fingerprint, HistoryQuery, IdempotencyKey, InboxEntry,
    InboxQuery, Limit, Message, MessageId, Messenger, Outcome, Page, Reservation, Store as _,
    UserId,
};
use testkit::cassandra::Nodes;

use super::child::{self, Process};
use super::world::{Pair, Verdict, client, config, ensure, failed, migrated, name, runtime};
use crate::relay::{Frame, Relay, Way};

/// The time for which the processes write.
const WRITING: Duration = Duration::from_secs(6);

/// The timeout of these processes. It is part of the settle time.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The time for which a slow write is held back: nearly as long as it may be.
const HELD: Duration = Duration::from_millis(3500);

/// The operation of a batch in the protocol.
const BATCH: u8 = 0x0d;

/// Almost as far as clocks may be from those of the nodes, in milliseconds.
const AHEAD: i64 = 1900;

pub(crate) fn apart() -> Trial {
    testkit::trial::with_shared(
        "faults::clocks_apart_by_less_than_is_tolerated_lose_nothing",
        |nodes| {
            let (_, keyspace) = runtime().block_on(migrated(nodes.contact_points(), 1))?;
            let name = name("");
            let start = |ahead: i64, part| {
                Process::start(
                    "clocks",
                    nodes,
                    &keyspace,
                    &format!("{name} {ahead} {part}"),
                )
            };
            // A reader's clock follows the ids that it reads; that of a process that only writes
            // stays as far behind or ahead as it is.
            let mut processes = vec![
                start(-AHEAD, "slow")?,
                start(AHEAD, "writes")?,
                start(0, "reads")?,
                start(AHEAD, "reads")?,
            ];
            for process in &processes {
                process.wait_until_ready()?;
            }
            for process in &mut processes {
                process.tell("begin")?;
            }
            thread::sleep(WRITING);
            for process in &mut processes {
                process.tell("stop writing")?;
            }
            // What was written last must have settled when it is looked for last, by both clocks.
            thread::sleep(TIMEOUT + Duration::from_secs(8));
            for process in &mut processes {
                process.tell("stop reading")?;
            }
            let said: Vec<_> = processes
                .into_iter()
                .map(Process::wait)
                .collect::<Result<_, _>>()?;
            check(&said)
        },
    )
}

/// Checks that every reader has seen each acknowledged write.
fn check(said: &[Vec<String>]) -> Verdict {
    let lines = |of: usize, what: &'static str| {
        let lines = said[of].iter();
        lines.filter_map(move |line| line.strip_prefix(what))
    };
    let mut last: HashMap<&str, &str> = HashMap::new();
    let mut sent = HashSet::new();
    for of in 0..said.len() {
        let count = lines(of, "sent ").count();
        println!("process {of} sent {count}");
        ensure!(count > 0, "process {of} has sent nothing");
        for line in lines(of, "sent ") {
            sent.insert(line);
            let (conversation, id) = line.split_once(' ').ok_or("a line is too short")?;
            let newest = last.entry(conversation).or_insert(id);
            *newest = id.max(newest);
        }
    }
    for reader in [2, 3] {
        let seen: HashSet<_> = lines(reader, "seen ").collect();
        let missed: Vec<_> = sent.difference(&seen).collect();
        ensure!(
            missed.is_empty(),
            "reader {reader} has missed {} of {} messages, such as {}",
            missed.len(),
            sent.len(),
            missed[0]
        );
        for line in lines(reader, "head ") {
            let (conversation, id) = line.split_once(' ').ok_or("a line is too short")?;
            ensure!(
                last.get(conversation) == Some(&id),
                "reader {reader} has {conversation} at {id} in an inbox, and not at {:?}",
                last.get(conversation)
            );
        }
        let repeated = lines(reader, "repeated ").collect::<String>();
        println!("reader {reader} saw {} messages; {repeated}", seen.len());
    }
    Ok(())
}

/// Plays the role of a process whose clock is ahead by some milliseconds. It reads and writes, or only
/// writes, or writes slowly: many messages at a time, each held back on its way to the node.
pub(crate) fn play(
    nodes: &[String],
    keyspace: &str,
    name: &str,
    ahead: &str,
    part: &str,
) -> Verdict {
    let orders = child::listen();
    let order = || orders.recv().map_err(|_| Failed::from("nobody is there"));
    let ahead: i64 = ahead.parse()?;
    let mut config = config(nodes, keyspace).with_request_timeout(TIMEOUT);
    let mut relay = None;
    if part == "slow" {
        let hold = |way, frame: &mut Frame| match (way, frame.head[4]) {
            (Way::Request, BATCH) => HELD,
            _ => Duration::ZERO,
        };
        let started = runtime().block_on(Relay::start(&nodes[0], hold))?;
        config = runtime().block_on(started.on_the_way(&config, &nodes[0]))?;
        relay = Some(started);
    }
    let at_once = if part == "slow" { 5 } else { 1 };
    let user = |n: usize| format!("u{n}{name}");
    let pairs = [(0, 1), (0, 2), (1, 2)].map(|(a, b)| Pair::new(&user(a), &user(b)));
    let clock = Clock::with_source(move || {
        let distance = Duration::from_millis(ahead.unsigned_abs());
        match ahead {
            0.. => SystemTime::now() + distance,
            _ => SystemTime::now() - distance,
        }
    });
    let messenger = runtime().block_on(client(&config, clock))?;
    child::say("ready");
    order()?;
    let writes = Arc::new(AtomicBool::new(true));
    let reads = Arc::new(AtomicBool::new(true));
    let all = pairs.iter().cycle().take(at_once * pairs.len());
    let writers: Vec<_> = all
        .map(|pair| {
            let (messenger, pair) = (messenger.clone(), pair.clone());
            runtime().spawn(write(messenger, pair, Arc::clone(&writes)))
        })
        .collect();
    let mut readers = Vec::new();
    if part == "reads" {
        for pair in &pairs {
            let reader = Reader::new(&messenger, pair.id());
            readers.push(runtime().spawn(reader.follow(Arc::clone(&reads))));
        }
        for user in [0, 1, 2].map(user) {
            let user = UserId::new(user).map_err(failed)?;
            let reader = Reader::new(&messenger, user);
            readers.push(runtime().spawn(reader.follow(Arc::clone(&reads))));
        }
    }
    order()?;
    writes.store(false, Ordering::Relaxed);
    for writer in writers {
        runtime().block_on(writer)??;
    }
    order()?;
    reads.store(false, Ordering::Relaxed);
    for reader in readers {
        runtime().block_on(reader)??;
    }
    drop(relay);
    Ok(())
}

async fn write(messenger: Messenger, pair: Pair, goes_on: Arc<AtomicBool>) -> Verdict {
    for number in 0.. {
        if !goes_on.load(Ordering::Relaxed) {
            break;
        }
        let message = pair.message(number, format!("{number}"));
        // One that was held back may be too late; whether it is there, nobody was told.
        if let Ok(message) = messenger.send(message).await {
            child::say(&format!("sent {} {}", pair.id(), message.id()));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A client that walks a list to its end and then catches up again and again.
struct Reader<L: List> {
    messenger: Messenger,
    list: L,
    seen: BTreeMap<L::Key, MessageId>,
    came: usize,
}

/// A list that is read.
trait List: Clone + Send + Sync + 'static {
    type Item: Send;
    type Key: Ord + Send;

    fn page(
        &self,
        messenger: &Messenger,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<Self::Item>, messenger_core::Error>> + Send;

    fn key(item: &Self::Item) -> (Self::Key, MessageId);

    fn say(&self, seen: &BTreeMap<Self::Key, MessageId>, came: usize);
}

impl List for ConversationId {
    type Item = Message;
    type Key = MessageId;

    async fn page(
        &self,
        messenger: &Messenger,
        cursor: Option<Cursor>,
    ) -> Result<Page<Message>, messenger_core::Error> {
        let query = HistoryQuery::new().with_limit(limit()).with_cursor(cursor);
        messenger.history(*self, query).await
    }

    fn key(item: &Message) -> (MessageId, MessageId) {
        (item.id(), item.id())
    }

    fn say(&self, seen: &BTreeMap<MessageId, MessageId>, came: usize) {
        for id in seen.keys() {
            child::say(&format!("seen {self} {id}"));
        }
        let times = came as f64 / seen.len() as f64;
        child::say(&format!("repeated each came {times:.1} times; "));
    }
}

impl List for UserId {
    type Item = InboxEntry;
    type Key = ConversationId;

    async fn page(
        &self,
        messenger: &Messenger,
        cursor: Option<Cursor>,
    ) -> Result<Page<InboxEntry>, messenger_core::Error> {
        let query = InboxQuery::new().with_limit(limit()).with_cursor(cursor);
        messenger.inbox(self, query).await
    }

    fn key(item: &InboxEntry) -> (ConversationId, MessageId) {
        (item.id(), item.last_message().id())
    }

    fn say(&self, seen: &BTreeMap<ConversationId, MessageId>, _came: usize) {
        for (conversation, id) in seen {
            child::say(&format!("head {conversation} {id}"));
        }
    }
}

/// Small, so that rounds take several pages.
fn limit() -> Limit {
    Limit::new(10).expect("a limit")
}

impl<L: List> Reader<L> {
    fn new(messenger: &Messenger, list: L) -> Self {
        Self {
            messenger: messenger.clone(),
            list,
            seen: BTreeMap::new(),
            came: 0,
        }
    }

    async fn follow(mut self, goes_on: Arc<AtomicBool>) -> Verdict {
        // So that there is something to walk.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let first = self.page(None).await?;
        let (mut prev, mut next) = (first.prev, first.next);
        while let Some(cursor) = next {
            let page = self.page(Some(cursor)).await?;
            next = page.next;
        }
        loop {
            // The last round begins after it was told to stop.
            let last = !goes_on.load(Ordering::Relaxed);
            loop {
                let page = self.page(Some(prev)).await?;
                prev = page.prev;
                if page.items.len() < limit().get() {
                    break;
                }
            }
            if last {
                self.list.say(&self.seen, self.came);
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn page(&mut self, cursor: Option<Cursor>) -> Result<Page<L::Item>, Failed> {
        let page = self.list.page(&self.messenger, cursor).await;
        let page = page.map_err(failed)?;
        self.came += page.items.len();
        for (key, id) in page.items.iter().map(L::key) {
            let seen = self.seen.entry(key).or_insert(id);
            *seen = id.max(*seen);
        }
        Ok(page)
    }
}

pub(crate) fn too_far_apart() -> Trial {
    testkit::trial::with_shared(
        "faults::a_clock_too_far_from_the_nodes_writes_nothing",
        |nodes| {
            runtime().block_on(async {
                let (config, _) = migrated(nodes.contact_points(), 1).await?;
                let pair = Pair::new(&name("alice"), &name("bob"));
                for (ahead, is_tolerated) in [
                    (0, true),
                    (1500, true),
                    (-1500, true),
                    (3000, false),
                    (-3000, false),
                ] {
                    let (_relay, store) = through_relay(nodes, &config, &ahead.into()).await?;
                    if is_tolerated {
                        writes(&store, &pair).await?;
                    } else {
                        refuses(&store, &pair).await?;
                    }
                }
                Ok(())
            })
        },
    )
}

pub(crate) fn steps() -> Trial {
    testkit::trial::with_shared(
        "faults::a_clock_that_moves_away_is_noticed_by_itself",
        |nodes| {
            runtime().block_on(async {
                let (config, _) = migrated(nodes.contact_points(), 1).await?;
                let pair = Pair::new(&name("alice"), &name("bob"));
                let ahead = Ahead::from(0);
                let (_relay, store) = through_relay(nodes, &config, &ahead).await?;
                writes(&store, &pair).await?;
                ahead.set(3000);
                soon(async || refuses(&store, &pair).await).await?;
                ahead.set(0);
                soon(async || writes(&store, &pair).await).await
            })
        },
    )
}

/// Everything that writes is refused at once, with the reason, and nothing was written.
async fn refuses(store: &CassandraStore, pair: &Pair) -> Verdict {
    let message = pair.message(0, "late".to_owned());
    let id = Clock::new().next_id();
    let claim = Claim {
        message_id: id,
        fingerprint: Fingerprint::of(&message),
    };
    let message = message.with_id(id);
    let key = IdempotencyKey::new("key").map_err(failed)?;
    let reservation = Reservation::new(pair.one.clone(), key, claim);
    for (what, result) in [
        ("health", store.health().await),
        ("put", store.put(id.into(), &message).await),
        ("reserve", store.reserve(&reservation).await.map(drop)),
    ] {
        let Err(error) = result else {
            return Err(format!("{what} has gone through").into());
        };
        ensure!(error.message().contains("clock"), "{what}: {error}");
        ensure!(
            what == "health" || error.outcome() == Some(Outcome::NotApplied),
            "{what}: {error:?}"
        );
    }
    let found = store.message(pair.id(), id).await.map_err(failed)?;
    ensure!(found.is_none(), "the message is there");
    Ok(())
}

async fn writes(store: &CassandraStore, pair: &Pair) -> Verdict {
    store.health().await.map_err(failed)?;
    let message = pair.message(0, "in time".to_owned());
    let message = message.with_id(Clock::new().next_id());
    store
        .put(message.id().into(), &message)
        .await
        .map_err(failed)
}

/// Waits until it holds, for twenty seconds.
async fn soon(mut holds: impl AsyncFnMut() -> Verdict) -> Verdict {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        match holds().await {
            Err(_) if Instant::now() < limit => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            result => return result,
        }
    }
}

/// By how many milliseconds the clock of a node seems to be ahead.
#[derive(Clone, Debug)]
struct Ahead(Arc<AtomicI64>);

impl From<i64> for Ahead {
    fn from(millis: i64) -> Self {
        Self(Arc::new(millis.into()))
    }
}

impl Ahead {
    fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }

    fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A store that sees a node whose clock is ahead of its own.
async fn through_relay(
    nodes: &Nodes,
    config: &CassandraConfig,
    ahead: &Ahead,
) -> Result<(Relay, CassandraStore), Failed> {
    let node = nodes.contact_points()[0].clone();
    let ahead = ahead.clone();
    let relay = Relay::start(&node, move |way, frame| {
        if way == Way::Answer {
            move_time(frame, ahead.get());
        }
        Duration::ZERO
    })
    .await?;
    let config = relay.on_the_way(config, &node).await?;
    let store = CassandraStore::connect(&config).await.map_err(failed)?;
    Ok((relay, store))
}

/// Moves a time at the very end of an answer, where only the answer to `health` has one: eight
/// bytes behind their length, milliseconds of a time near now.
fn move_time(frame: &mut Frame, ahead: i64) {
    const LENGTH: [u8; 4] = 8_i32.to_be_bytes();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
    if let Some((rest, time)) = frame.body.split_last_chunk_mut::<8>()
        && rest.ends_with(&LENGTH)
        && (i64::from_be_bytes(*time) - now).abs() < 60_000
    {
        *time = (i64::from_be_bytes(*time) + ahead).to_be_bytes();
    }
}
