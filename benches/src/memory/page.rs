//! Pages and conversations.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use messenger_core::{Conversation, ConversationId, Message, NewMessage, Store as _, UserId};
use messenger_memory::MemoryStore;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::calls::Again;
use crate::lists::{Kind, List};
use crate::memory::bare::{Conversations, OrderedMap};
use crate::pages;
use crate::pair::Pair;
use crate::sends::{TEXT, user};
use crate::store;

/// What a page of a history is to reach.
const GOAL: f64 = 0.5;

/// How long after one another messages are.
pub(super) const APART: Duration = Duration::from_secs(1);

/// A history in a store and in a bare map.
pub(super) struct History {
    pub(super) store: Arc<MemoryStore>,
    pub(super) conversation: ConversationId,
    pub(super) list: List<store::History<MemoryStore>>,
    pub(super) bare: Arc<OrderedMap<Message>>,
}

/// An inbox in a store and in a bare map.
pub(super) struct Inbox {
    pub(super) list: List<store::Inbox<MemoryStore>>,
    bare: Arc<OrderedMap<Conversation>>,
}

/// The histories of these lengths.
pub(super) async fn histories(lengths: &[usize]) -> Result<Vec<History>> {
    let mut histories = Vec::new();
    for &length in lengths {
        histories.push(History::of(length).await?);
    }
    Ok(histories)
}

/// The inboxes with so many conversations.
pub(super) async fn inboxes(lengths: &[usize]) -> Result<Vec<Inbox>> {
    let mut inboxes = Vec::new();
    for &length in lengths {
        inboxes.push(Inbox::of(length).await?);
    }
    Ok(inboxes)
}

impl History {
    async fn of(length: usize) -> Result<Self> {
        let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
        let conversation = ConversationId::direct(&alice, &bob);
        let ids = pages::ids(length, APART);
        let store = Arc::new(MemoryStore::new());
        let mut messages = Vec::with_capacity(length);
        for &id in &ids {
            let message = NewMessage::new(alice.clone(), bob.clone(), TEXT)?.with_id(id);
            store.append(&message).await?;
            messages.push(message);
        }
        let reader = store::History::new(&store, conversation);
        Ok(Self {
            store,
            conversation,
            bare: Arc::new(OrderedMap::of(&ids, messages)),
            list: List::new(Kind::History, reader, ids),
        })
    }
}

impl Inbox {
    async fn of(length: usize) -> Result<Self> {
        let reader = UserId::new("reader")?;
        let ids = pages::ids(length, APART);
        let store = Arc::new(MemoryStore::new());
        let mut conversations = Vec::with_capacity(length);
        for (number, &id) in ids.iter().enumerate() {
            let message = NewMessage::new(user("writer", number)?, reader.clone(), TEXT)?;
            let message = message.with_id(id);
            store.append(&message).await?;
            conversations.push(Conversation::of(&message));
        }
        let reader = store::Inbox::new(&store, &reader);
        Ok(Self {
            bare: Arc::new(OrderedMap::of(&ids, conversations)),
            list: List::new(Kind::Inbox, reader, ids),
        })
    }
}

/// Each page of each list.
pub(super) fn pairs(histories: &[History], inboxes: &[Inbox]) -> Vec<Pair> {
    let histories = histories
        .iter()
        .flat_map(|of| of.list.pairs("memory", &of.bare, Some(GOAL)));
    let inboxes = inboxes
        .iter()
        .flat_map(|of| of.list.pairs("memory", &of.bare, None));
    histories.chain(inboxes).collect()
}

/// Any one of so many conversations.
pub(super) async fn conversation(count: usize) -> Result<Pair> {
    let (store, bare) = (Arc::new(MemoryStore::new()), Conversations::default());
    let mut known = Vec::with_capacity(count);
    for (number, &id) in pages::ids(count, APART).iter().enumerate() {
        let message = NewMessage::new(user("a", number)?, user("b", number)?, TEXT)?.with_id(id);
        store.append(&message).await?;
        bare.replace(&Conversation::of(&message));
        known.push(message.conversation_id());
    }
    // Neither in the order of the map nor in that in which they were allocated.
    known.shuffle(&mut StdRng::seed_from_u64(0));
    let known: Arc<[ConversationId]> = known.into();
    Ok(Pair::new(
        format!("memory/conversation/{count}"),
        Again::new(store::Conversations(store), Arc::clone(&known)),
        Again::new(bare, known),
    ))
}
