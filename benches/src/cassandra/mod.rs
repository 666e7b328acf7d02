//! The store on Cassandra against the bare driver with the same statements.
//!
//! Each has its own connections to the same node. A *cold* send is the first message of two users; a
//! *warm* one goes to a conversation that the store has seen. `flat` compares the store with itself:
//! pages of a long list with pages of a short one. `active` reads inboxes with 6, 100 and 1,000
//! conversations that are active in the same epoch, which is what a page of an inbox costs.

mod bare;
mod rows;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{Clock, ConversationId, Position, Store as _, Timestamp};

use crate::fill::{self, Order};
use crate::operation::{Operation, StoreTarget, Target};
use crate::page::{FilledList, PageKind, READ, flat, ids_until};
use crate::pair::{Pair, Sizes};
use crate::ratio;
use crate::repeat::Repeat;
use crate::sends::{Conversations, CreateSend, Sends};

use bare::{Bare, BareFirst};

/// A list in the store on Cassandra.
type List = FilledList<StoreTarget<CassandraStore>>;

/// The numbers of concurrent calls that each pair is measured with.
const CONCURRENCY: [usize; 2] = [1, 16];

/// The goal of a send, a page of a history and a page of an inbox.
const GOAL: f64 = 0.85;

/// The number of concurrent calls while the node is warmed up.
const WARM_UP_CONCURRENCY: usize = 16;

/// The time between two messages of a history: ten thousand are in one or two buckets.
const INTERVAL: Duration = Duration::from_secs(60);

/// The duration of an epoch.
const EPOCH: Duration = Duration::from_millis(rows::EPOCH);

/// The numbers of conversations that are active in each epoch of an inbox.
const ACTIVE: [usize; 3] = [6, 100, 1_000];

/// The goal of a first page of such an inbox, against a first page of a history.
const ACTIVE_GOAL: f64 = 0.7;

/// The amounts of data to measure with.
pub const SIZES: Sizes = Sizes {
    histories: &[100, 1_000, 10_000],
    inboxes: &[10, 300, 2_000],
    conversations: 64,
    flat_histories: [100, 10_000],
    flat_inboxes: [300, 2_000],
};

/// Returns all pairs of the store on Cassandra, in a new keyspace on these nodes.
///
/// # Errors
///
/// If the keyspace cannot be created or filled.
pub async fn pairs(nodes: &[String], sizes: &Sizes) -> Result<Vec<Pair>> {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let keyspace = format!("bench_{}", since_epoch.as_nanos());
    let config = CassandraConfig::new(nodes)
        .with_keyspace(&keyspace)
        .with_replication(Replication::everywhere(1));
    CassandraStore::migrate(&config).await?;
    let store = Arc::new(CassandraStore::connect(&config).await?);
    let bare = Arc::new(Bare::connect(nodes, &keyspace).await?);

    // The newest first. In ascending order each message would move its conversation to another epoch,
    // and leave a tombstone in the previous one.
    let (mut histories, mut inboxes) = (Vec::new(), Vec::new());
    for &length in sizes.histories {
        histories.push(
            fill::history(&store, length, INTERVAL, Order::NewestFirst)
                .await?
                .0,
        );
    }
    for &length in sizes.inboxes {
        inboxes.push(inbox(&store, length, ACTIVE[0]).await?);
    }
    let mut pairs = sends(&store, &bare, sizes.conversations)?;
    for list in histories.iter().chain(&inboxes) {
        pairs.extend(list.pairs("cassandra", &bare, Some(GOAL)));
    }
    pairs.push(conversation(&store, &bare, sizes.conversations).await?);
    for pair in &mut pairs {
        pair.concurrency = CONCURRENCY.into();
    }
    pairs.extend(flat("cassandra", &histories, sizes.flat_histories)?);
    pairs.extend(flat("cassandra", &inboxes, sizes.flat_inboxes)?);
    warm_up(&pairs).await?;
    // After that, because their pages take long.
    for active in ACTIVE {
        pairs.extend(active_pairs(&store, &bare, active, &histories[0]).await?);
    }
    // The store keeps a first page if the inbox has not changed for the settle time.
    tokio::time::sleep(store.settle() + Duration::from_secs(1)).await;
    Ok(pairs)
}

/// Runs every workload once. The goals are those of a warm node: for the first 15 seconds a JVM
/// interprets and compiles what it runs.
async fn warm_up(pairs: &[Pair]) -> Result<()> {
    const TIMES: u64 = 100;
    for pair in pairs {
        for workload in [&pair.subject, &pair.baseline] {
            ratio::run(workload, WARM_UP_CONCURRENCY, TIMES).await?;
        }
    }
    Ok(())
}

/// Returns the pairs of warm, cold and keyed sends, of edits and of read markers.
fn sends(store: &Arc<CassandraStore>, bare: &Arc<Bare>, count: usize) -> Result<Vec<Pair>> {
    let existing = Conversations::existing(count)?;
    let (append, keyed) = (Operation::append, Operation::append_keyed);
    let stored = |create, conversations: &Conversations| {
        let store = Arc::clone(store);
        endless(
            move || StoreTarget(Arc::clone(&store)),
            create,
            conversations,
        )
    };
    let bare = || {
        let bare = Arc::clone(bare);
        move || Arc::clone(&bare)
    };
    let first = bare();
    let warm = Pair::new(
        "cassandra/send/warm",
        stored(append, &existing),
        endless(bare(), append, &existing),
    );
    let cold = Pair::new(
        "cassandra/send/cold",
        stored(append, &Conversations::New),
        endless(move || BareFirst(first()), append, &Conversations::New),
    );
    let keyed = Pair::new(
        "cassandra/send/keyed",
        stored(keyed, &existing),
        endless(bare(), keyed, &existing),
    );
    let change = |name, create| {
        let (subject, baseline) = (
            stored(create, &existing),
            endless(bare(), create, &existing),
        );
        Pair::new(name, subject, baseline).with_goal(GOAL)
    };
    let edit = change("cassandra/edit", Operation::edit);
    let mark = change("cassandra/mark", Operation::mark);
    let (warm, cold) = (warm.with_goal(GOAL), cold.with_goal(GOAL));
    Ok(vec![warm, cold, keyed, edit, mark])
}

/// Sends to the same store all the time.
fn endless<T: Target<Operation>>(
    target: impl Fn() -> T + Send + Sync + 'static,
    create: CreateSend<Operation>,
    conversations: &Conversations,
) -> Sends<T, Operation> {
    Sends::new(target, create, conversations.clone(), u64::MAX)
}

/// Returns the pair that reads conversations by their ids.
async fn conversation(store: &Arc<CassandraStore>, bare: &Arc<Bare>, count: usize) -> Result<Pair> {
    let (target, clock) = (StoreTarget(Arc::clone(store)), Clock::new());
    let mut reads = Vec::with_capacity(count);
    for users in Conversations::existing(count)?.users() {
        target.call(&Operation::append(users, &clock)?).await?;
        let id = ConversationId::direct(&users[0], &users[1]);
        reads.push(Operation::Conversation(id));
    }
    let reads: Arc<[_]> = reads.into();
    Ok(Pair::new(
        "cassandra/conversation",
        Repeat::new(target, Arc::clone(&reads)),
        Repeat::new(Arc::clone(bare), reads),
    ))
}

/// Creates an inbox in which this number of conversations is active in each epoch.
async fn inbox(store: &Arc<CassandraStore>, length: usize, active: usize) -> Result<List> {
    // Up to the start of the present epoch, so that none has fewer.
    let epoch = rows::epoch(Position::start_of(Timestamp::now()));
    let end = SystemTime::UNIX_EPOCH + EPOCH * epoch.try_into()?;
    let reader = format!("reader-{active}-");
    let ids = ids_until(end, length, EPOCH / active as u32);
    Ok(fill::inbox(store, &reader, ids).await?.0)
}

/// Returns the pairs of an inbox of at least two epochs, and those that compare its pages with the
/// first page of a history. A later page is read from the tables each time, as is a first page that
/// has changed.
async fn active_pairs(
    store: &Arc<CassandraStore>,
    bare: &Arc<Bare>,
    active: usize,
    history: &List,
) -> Result<Vec<Pair>> {
    let inbox = inbox(store, 2 * active.max(READ), active).await?;
    let name = format!("cassandra/active-{active}");
    let against_history = |kind, page| {
        let (subject, baseline) = (inbox.workload(kind), history.workload(PageKind::First));
        Pair::new(format!("{name}/{page}/history"), subject, baseline)
    };
    let mut pairs = inbox.pairs(&name, bare, Some(GOAL));
    pairs.push(against_history(PageKind::First, "first").with_goal(ACTIVE_GOAL));
    pairs.push(against_history(PageKind::Middle, "later"));
    let concurrent = |pair: Pair| pair.with_concurrency(CONCURRENCY);
    Ok(pairs.into_iter().map(concurrent).collect())
}
