//! Whole calls of a `Messenger` over the memory store, against the same baselines: they add the cost
//! of ids, cursors and the order of sends in flight.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use messenger_core::{
    Clock, ConversationId, HistoryQuery, IdempotencyKey, Limit, Message, Messenger, NewMessage,
    Timestamp, UserId,
};
use messenger_memory::MemoryStore;

use super::bare::{AllViews, OrderedMap};
use super::lists::Lists;
use super::{MAX_SENDS, Store};
use crate::messages::{new_key, new_message};
use crate::operation::{Operation, Source, Target};
use crate::page::{FilledList, PAGE, PageKind, PageRead, Range};
use crate::pair::Pair;
use crate::repeat::Repeat;
use crate::sends::{Conversations, Sends};

/// A call of the messenger.
enum Call {
    /// Reads a page of a history, which must hold the items of the page read.
    History(ConversationId, HistoryQuery, PageRead),
    Send(NewMessage),
    SendKeyed(NewMessage, IdempotencyKey),
}

impl Call {
    fn send([sender, receiver]: &[UserId; 2], _: &Clock) -> Result<Self> {
        Ok(Self::Send(new_message(sender, receiver)?))
    }

    fn send_keyed([sender, receiver]: &[UserId; 2], _: &Clock) -> Result<Self> {
        Ok(Self::SendKeyed(new_message(sender, receiver)?, new_key()?))
    }
}

/// A messenger as a target.
struct Service(Messenger);

impl Target<Call> for Service {
    async fn call(&self, call: &Call) -> Result<()> {
        let Self(messenger) = self;
        match call {
            Call::History(conversation, query, read) => {
                let page = messenger.history(*conversation, *query).await?;
                // The row that tells whether there is a next page is not on the page.
                let rows = read.rows.min(PAGE);
                PageRead { rows, ..*read }.check(&page.items)
            }
            Call::Send(message) => {
                messenger.send(message.clone()).await?;
                Ok(())
            }
            Call::SendKeyed(message, key) => {
                let sent = messenger.send_once(message.clone(), key.clone()).await?;
                ensure!(!sent.replayed, "the key was used before");
                Ok(())
            }
        }
    }
}

/// Returns the pairs of first and middle pages in the shortest and in the longest history, and those
/// of sends.
pub(super) async fn pairs(histories: &Lists<Message>, count: usize) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for index in [0, histories.filled.len() - 1] {
        for (kind, name) in [(PageKind::First, "first"), (PageKind::Middle, "middle")] {
            let bare = Arc::clone(&histories.bare[index]);
            pairs.push(history_pair(&histories.filled[index], bare, kind, name).await?);
        }
    }
    let conversations = Conversations::existing(count)?;
    let service = || Service(Messenger::new(MemoryStore::new()));
    let sends = |send| Sends::new(service, send, conversations.clone(), MAX_SENDS);
    let bare = |append| Sends::new(AllViews::default, append, conversations.clone(), MAX_SENDS);
    pairs.push(Pair::new(
        "memory/service/send-warm/all-views",
        sends(Call::send),
        bare(Operation::append),
    ));
    pairs.push(Pair::new(
        "memory/service/send-keyed/all-views",
        sends(Call::send_keyed),
        bare(Operation::append_keyed),
    ));
    Ok(pairs)
}

async fn history_pair(
    history: &FilledList<Store>,
    bare: Arc<OrderedMap<Message>>,
    kind: PageKind,
    name: &str,
) -> Result<Pair> {
    let Source::History(conversation) = history.source else {
        bail!("an inbox is not a history");
    };
    let messenger = Messenger::new(Arc::clone(&history.target.0));
    let mut calls = Vec::new();
    for read in kind.reads(&history.ids) {
        let query = query(&messenger, conversation, read).await?;
        calls.push(Call::History(conversation, query, read));
    }
    Ok(Pair::new(
        format!("memory/service/history-{name}/{}", history.ids.len()),
        Repeat::new(Service(messenger), calls.into()),
        Repeat::new(bare, history.reads(kind)),
    ))
}

/// Returns the query with which the messenger makes this read. Only a messenger creates cursors, so
/// the cursor of a middle page comes from the page of the one message above it.
async fn query(
    messenger: &Messenger,
    conversation: ConversationId,
    read: PageRead,
) -> Result<HistoryQuery> {
    let query = HistoryQuery::new();
    let Range::Older { below: Some(below) } = read.range else {
        return Ok(query);
    };
    let after = Timestamp::from_millis(below.timestamp().as_millis() + 1)?;
    let above = query.with_limit(Limit::MIN).with_before(after);
    let page = messenger.history(conversation, above).await?;
    Ok(query.with_cursor(page.next))
}
