//! The whole calls of a `Messenger` over the memory store, against the same baselines: what ids,
//! cursors and the order of what is in flight cost on top of the store.

use std::sync::Arc;

use anyhow::{Result, ensure};
use messenger_core::{ConversationId, HistoryQuery, Limit, Messenger, NewMessage, Timestamp};
use messenger_memory::MemoryStore;

use crate::calls::{Again, Calls};
use crate::memory::Sizes;
use crate::memory::bare::{AllViews, KeyedViews};
use crate::memory::page::History;
use crate::pages::{PAGE, Page, PageCall};
use crate::pair::Pair;
use crate::sends::{Between, KeyedNew, Sends};

/// The service's first and middle pages of the shortest and the longest history, and its sends.
pub(super) async fn pairs(histories: &[History], sizes: &Sizes) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let ends = [histories.first(), histories.last()];
    for history in ends.into_iter().flatten() {
        for (page, name) in [(Page::First, "first"), (Page::Middle, "middle")] {
            pairs.push(history_pair(history, page, name).await?);
        }
    }
    let known = Between::known(sizes.conversations)?;
    let messenger = || Service(Messenger::new(MemoryStore::new()));
    pairs.push(Pair::new(
        "memory/service/send-warm/all-views",
        Sends::<_, NewMessage>::new(messenger, known.clone(), sizes.sends),
        Sends::new(AllViews::default, known.clone(), sizes.sends),
    ));
    pairs.push(Pair::new(
        "memory/service/send-keyed/all-views",
        Sends::<_, KeyedNew>::new(messenger, known.clone(), sizes.sends),
        Sends::new(KeyedViews::default, known, sizes.sends),
    ));
    Ok(pairs)
}

async fn history_pair(history: &History, page: Page, name: &str) -> Result<Pair> {
    let messenger = Messenger::new(Arc::clone(&history.store));
    let calls = page.calls(history.list.ids());
    let mut queries = Vec::with_capacity(calls.len());
    for &call in &*calls {
        queries.push(QueryCall::of(&messenger, history.conversation, call).await?);
    }
    let subject = Histories {
        messenger,
        conversation: history.conversation,
    };
    let length = history.list.ids().len();
    Ok(Pair::new(
        format!("memory/service/history-{name}/{length}"),
        Again::new(subject, queries.into()),
        Again::new(Arc::clone(&history.bare), calls),
    ))
}

/// Sends through a messenger.
struct Service(Messenger);

impl Calls<NewMessage> for Service {
    async fn call(&self, message: &NewMessage) -> Result<()> {
        self.0.send(message.clone()).await?;
        Ok(())
    }
}

impl Calls<KeyedNew> for Service {
    async fn call(&self, KeyedNew { message, key }: &KeyedNew) -> Result<()> {
        let sent = self.0.send_once(message.clone(), key.clone()).await?;
        ensure!(!sent.replayed, "the key was claimed before");
        Ok(())
    }
}

/// Reads pages of a conversation through a messenger.
struct Histories {
    messenger: Messenger,
    conversation: ConversationId,
}

/// A query, and what the store is asked for by it.
struct QueryCall {
    query: HistoryQuery,
    call: PageCall,
}

impl QueryCall {
    /// The query by which the messenger makes this call. Only a messenger mints cursors, so the one
    /// of a page in the middle is taken from the page of the one message above it.
    async fn of(
        messenger: &Messenger,
        conversation: ConversationId,
        call: PageCall,
    ) -> Result<Self> {
        let query = HistoryQuery::new();
        let Some(below) = call.slice.below else {
            return Ok(Self { query, call });
        };
        let after = Timestamp::from_millis(below.timestamp().as_millis() + 1)?;
        let above = query.with_limit(Limit::MIN).with_before(after);
        let page = messenger.history(conversation, above).await?;
        let query = query.with_cursor(page.next);
        Ok(Self { query, call })
    }
}

impl Calls<QueryCall> for Histories {
    async fn call(&self, QueryCall { query, call }: &QueryCall) -> Result<()> {
        let page = self.messenger.history(self.conversation, *query).await?;
        // The row that tells whether there is more is not in the page.
        let expected = PageCall {
            rows: call.rows.min(PAGE),
            ..*call
        };
        expected.check(&page.items)
    }
}
