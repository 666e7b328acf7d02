//! Pages and conversations.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use messenger_core::{
    Conversation, ConversationId, Message, MessageId, NewMessage, Store as _, UserId,
};
use messenger_memory::MemoryStore;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::calls::Again;
use crate::memory::Sizes;
use crate::memory::bare::{Conversations, OrderedMap};
use crate::pages::{self, Page, PageCall};
use crate::pair::Pair;
use crate::sends::{TEXT, user};
use crate::store;

/// What a page of a history is to reach.
const GOAL: f64 = 0.5;

/// How long after one another messages are.
const APART: Duration = Duration::from_secs(1);

/// A history, in a store and in a bare map.
pub(super) struct History {
    pub(super) store: Arc<MemoryStore>,
    pub(super) conversation: ConversationId,
    pub(super) bare: Arc<OrderedMap<Message>>,
    pub(super) ids: Vec<MessageId>,
}

/// An inbox, in a store and in a bare map.
pub(super) struct Inbox {
    pub(super) store: Arc<MemoryStore>,
    pub(super) user: UserId,
    bare: Arc<OrderedMap<Conversation>>,
    pub(super) ids: Vec<MessageId>,
}

/// The histories and inboxes of these sizes.
pub(super) async fn lists(sizes: &Sizes) -> Result<(Vec<History>, Vec<Inbox>)> {
    let (mut histories, mut inboxes) = (Vec::new(), Vec::new());
    for &length in &sizes.histories {
        histories.push(History::of(length).await?);
    }
    for &length in &sizes.inboxes {
        inboxes.push(Inbox::of(length).await?);
    }
    Ok((histories, inboxes))
}

impl History {
    async fn of(length: usize) -> Result<Self> {
        let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
        let ids = pages::ids(length, APART);
        let store = Arc::new(MemoryStore::new());
        let mut messages = Vec::with_capacity(length);
        for &id in &ids {
            let message = NewMessage::new(alice.clone(), bob.clone(), TEXT)?.with_id(id);
            store.append(&message).await?;
            messages.push(message);
        }
        Ok(Self {
            store,
            conversation: ConversationId::direct(&alice, &bob),
            bare: Arc::new(OrderedMap::of(messages)),
            ids,
        })
    }

    pub(super) fn in_store(
        &self,
        calls: Arc<[PageCall]>,
    ) -> Again<store::History<MemoryStore>, PageCall> {
        Again::new(store::History::new(&self.store, self.conversation), calls)
    }

    pub(super) fn in_map(
        &self,
        calls: Arc<[PageCall]>,
    ) -> Again<Arc<OrderedMap<Message>>, PageCall> {
        Again::new(Arc::clone(&self.bare), calls)
    }

    fn pair(&self, page: Page) -> Pair {
        let name = format!("memory/history/{}/{}", page.name(), self.ids.len());
        let calls = page.calls(&self.ids);
        Pair::new(name, self.in_store(Arc::clone(&calls)), self.in_map(calls)).with_goal(GOAL)
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
        Ok(Self {
            store,
            user: reader,
            bare: Arc::new(OrderedMap::of(conversations)),
            ids,
        })
    }

    pub(super) fn in_store(
        &self,
        calls: Arc<[PageCall]>,
    ) -> Again<store::Inbox<MemoryStore>, PageCall> {
        Again::new(store::Inbox::new(&self.store, &self.user), calls)
    }

    fn pair(&self, page: Page) -> Pair {
        let name = format!("memory/inbox/{}/{}", page.name_in_inbox(), self.ids.len());
        let calls = page.calls(&self.ids);
        let bare = Again::new(Arc::clone(&self.bare), Arc::clone(&calls));
        Pair::new(name, self.in_store(calls), bare)
    }
}

/// Each page of each list.
pub(super) fn pairs(histories: &[History], inboxes: &[Inbox]) -> Vec<Pair> {
    let histories = histories
        .iter()
        .flat_map(|history| Page::OF_HISTORY.map(|page| history.pair(page)));
    let inboxes = inboxes
        .iter()
        .flat_map(|inbox| Page::OF_INBOX.map(|page| inbox.pair(page)));
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
