//! The store on Cassandra against the bare driver with the same statements.
//!
//! Each has its own connections to the same node. A *cold* send is the first message of two users; a
//! *warm* one goes to a conversation that the store has seen. `flat` compares the store with itself:
//! pages of a long list with pages of a short one.

mod bare;
mod rows;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use futures_util::future::try_join_all;
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{Clock, ConversationId, Message, MessageId, Store as _};

use crate::messages::{new_message, user};
use crate::operation::{Operation, Source, StoreTarget, Target};
use crate::page::{FilledList, flat, ids};
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

/// The number of concurrent calls while the tables are filled and the node is warmed up.
const FILL_CONCURRENCY: usize = 16;

/// The amounts of data to measure with. Six conversations of an inbox are active in each epoch.
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

    let histories = histories(&store, sizes.histories).await?;
    let inboxes = inboxes(&store, sizes.inboxes).await?;
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
    Ok(pairs)
}

/// Runs every workload once. The goals are those of a warm node: for the first 15 seconds a JVM
/// interprets and compiles what it runs.
async fn warm_up(pairs: &[Pair]) -> Result<()> {
    const TIMES: u64 = 100;
    for pair in pairs {
        for workload in [&pair.subject, &pair.baseline] {
            ratio::run(workload, FILL_CONCURRENCY, TIMES).await?;
        }
    }
    Ok(())
}

/// Returns the pairs of warm, cold and keyed sends.
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
    Ok(vec![warm.with_goal(GOAL), cold.with_goal(GOAL), keyed])
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

/// Creates histories with a message every minute: ten thousand are in one or two buckets.
async fn histories(store: &Arc<CassandraStore>, lengths: &[usize]) -> Result<Vec<List>> {
    let mut histories = Vec::new();
    for &length in lengths {
        let (alice, bob) = (user("alice", length)?, user("bob", length)?);
        let ids = ids(length, Duration::from_secs(60));
        let message = |&id| Ok(new_message(&alice, &bob)?.with_id(id));
        let messages: Result<Vec<_>> = ids.iter().map(message).collect();
        let source = Source::History(ConversationId::direct(&alice, &bob));
        histories.push(fill(store, source, ids, &messages?).await?);
    }
    Ok(histories)
}

/// Creates inboxes with a conversation every hour: six in an epoch.
async fn inboxes(store: &Arc<CassandraStore>, lengths: &[usize]) -> Result<Vec<List>> {
    let mut inboxes = Vec::new();
    for &length in lengths {
        let reader = user("reader", length)?;
        let ids = ids(length, Duration::from_secs(3600));
        let message = |(number, &id)| {
            let message = new_message(&user("writer", number)?, &reader)?;
            Ok(message.with_id(id))
        };
        let messages: Result<Vec<_>> = ids.iter().enumerate().map(message).collect();
        inboxes.push(fill(store, Source::Inbox(reader), ids, &messages?).await?);
    }
    Ok(inboxes)
}

/// Appends the messages of a list.
async fn fill(
    store: &Arc<CassandraStore>,
    source: Source,
    ids: Vec<MessageId>,
    messages: &[Message],
) -> Result<List> {
    // The newest first. In ascending order each message would move its conversation to another epoch
    // and leave a tombstone in the previous one.
    for some in messages.rchunks(FILL_CONCURRENCY) {
        try_join_all(
            some.iter()
                .map(|message| store.put(message.id().into(), message)),
        )
        .await?;
    }
    Ok(List {
        target: Arc::new(StoreTarget(Arc::clone(store))),
        source,
        ids,
    })
}
