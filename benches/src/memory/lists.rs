//! Pages of histories and inboxes, and conversations.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use messenger_core::{ConversationId, InboxEntry, Message, Store as _};
use messenger_memory::MemoryStore;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};

use super::Store;
use super::bare::{BareConversations, OrderedMap, entry};
use crate::fill::{self, Order};
use crate::messages::{new_message, user};
use crate::operation::{Operation, Source, StoreTarget};
use crate::page::{FLAT_GOAL, FilledList, PageKind, Row, find, ids};
use crate::pair::Pair;
use crate::repeat::Repeat;

/// The time between two messages.
const INTERVAL: Duration = Duration::from_secs(1);

/// The number of random places in many short histories at which pages are read.
const PLACES: usize = 1 << 16;

/// Lists of one kind, each in a store of its own and in a bare map.
pub(super) struct Lists<T> {
    pub(super) filled: Vec<FilledList<Store>>,
    pub(super) bare: Vec<Arc<OrderedMap<T>>>,
}

impl<T: Row + Clone + Send + Sync + 'static> Lists<T> {
    fn new() -> Self {
        Self {
            filled: Vec::new(),
            bare: Vec::new(),
        }
    }

    fn push(&mut self, list: FilledList<Store>, rows: Vec<T>) {
        self.bare.push(Arc::new(OrderedMap::new(&list.ids, rows)));
        self.filled.push(list);
    }

    /// Returns the pairs of all their pages.
    pub(super) fn pairs(&self, goal: Option<f64>) -> impl Iterator<Item = Pair> {
        let lists = self.filled.iter().zip(&self.bare);
        lists.flat_map(move |(filled, bare)| filled.pairs("memory", bare, goal))
    }
}

/// Creates a history of each length.
pub(super) async fn histories(lengths: &[usize]) -> Result<Lists<Message>> {
    let mut histories = Lists::new();
    for &length in lengths {
        let (list, messages) =
            fill::history(&Arc::default(), length, INTERVAL, Order::OldestFirst).await?;
        histories.push(list, messages);
    }
    Ok(histories)
}

/// Creates an inbox of each length.
pub(super) async fn inboxes(lengths: &[usize]) -> Result<Lists<InboxEntry>> {
    let mut inboxes = Lists::new();
    for &length in lengths {
        let (list, messages) =
            fill::inbox(&Arc::default(), "reader", ids(length, INTERVAL)).await?;
        inboxes.push(list, messages.iter().map(entry).collect());
    }
    Ok(inboxes)
}

/// Returns a pair that reads a random one of `count` conversations by its id.
pub(super) async fn conversation(count: usize) -> Result<Pair> {
    let (store, bare) = (MemoryStore::new(), BareConversations::default());
    let mut reads = Vec::with_capacity(count);
    for (number, &id) in ids(count, INTERVAL).iter().enumerate() {
        let message = new_message(&user("a", number)?, &user("b", number)?)?.with_id(id);
        store.put(message.id().into(), &message).await?;
        bare.replace(&entry(&message));
        reads.push(Operation::Conversation(message.conversation_id()));
    }
    // Neither in the order of the map nor in that of allocation.
    reads.shuffle(&mut StdRng::seed_from_u64(0));
    let reads: Arc<[Operation]> = reads.into();
    Ok(Pair::new(
        format!("memory/conversation/{count}"),
        Repeat::new(StoreTarget(Arc::new(store)), Arc::clone(&reads)),
        Repeat::new(bare, reads),
    ))
}

/// Returns a pair that compares pages of the long history with pages of many short histories that
/// hold as many messages together.
///
/// A page at a random place of a million messages waits for memory that no cache holds, and so does
/// a bare map. Compared with a history that fits into the caches, that looks like a cost of the
/// length. Here both hold the same amount, so the rest is what the length itself costs.
pub(super) async fn spread(
    histories: &[FilledList<Store>],
    [short, long]: [usize; 2],
) -> Result<Pair> {
    let count = long.div_ceil(short);
    let store = MemoryStore::new();
    let ids = ids(short, INTERVAL);
    let mut conversations = Vec::with_capacity(count);
    for number in 0..count {
        let (one, other) = (user("a", number)?, user("b", number)?);
        conversations.push(ConversationId::direct(&one, &other));
        for &id in &ids {
            store
                .put(id.into(), &new_message(&one, &other)?.with_id(id))
                .await?;
        }
    }
    let mut random = StdRng::seed_from_u64(short as u64);
    let pages = PageKind::Middle.reads(&ids);
    let reads = (0..PLACES).map(|_| {
        let conversation = conversations.choose(&mut random);
        let page = pages[random.random_range(0..pages.len())];
        let history = Source::History(*conversation.context("no conversations")?);
        Ok(Operation::Page(history, page))
    });
    let reads = reads.collect::<Result<Arc<[_]>>>()?;
    Ok(Pair::new(
        format!("memory/flat/history-middle/{long}-{count}x{short}"),
        find(histories, long)?.workload(PageKind::Middle),
        Repeat::new(StoreTarget(Arc::new(store)), reads),
    )
    .with_goal(FLAT_GOAL))
}
