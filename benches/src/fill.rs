//! Lists, written to a store.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use messenger_core::{ConversationId, Message, MessageId, Store};

use crate::messages::{new_message, user};
use crate::operation::{Source, StoreTarget};
use crate::page::{FilledList, ids};

/// The number of concurrent writes.
const CONCURRENCY: usize = 64;

/// The order in which messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    OldestFirst,
    NewestFirst,
}

/// Creates a history of this length whose messages are this time apart. Returns the messages as well,
/// in ascending order.
pub(crate) async fn history<S: Store + 'static>(
    store: &Arc<S>,
    length: usize,
    interval: Duration,
    order: Order,
) -> Result<(FilledList<StoreTarget<S>>, Vec<Message>)> {
    let (alice, bob) = (user("alice", length)?, user("bob", length)?);
    let source = Source::History(ConversationId::direct(&alice, &bob));
    let message = |_, id| Ok(new_message(&alice, &bob)?.with_id(id));
    fill(store, source, ids(length, interval), order, message).await
}

/// Creates an inbox for the reader of this name, with one message in each conversation, at these ids.
/// Returns the messages as well, in ascending order.
pub(crate) async fn inbox<S: Store + 'static>(
    store: &Arc<S>,
    reader: &str,
    ids: Vec<MessageId>,
) -> Result<(FilledList<StoreTarget<S>>, Vec<Message>)> {
    let reader = user(reader, ids.len())?;
    let source = Source::Inbox(reader.clone());
    let message = |at, id| Ok(new_message(&user("writer", at)?, &reader)?.with_id(id));
    fill(store, source, ids, Order::OldestFirst, message).await
}

async fn fill<S: Store + 'static>(
    store: &Arc<S>,
    source: Source,
    ids: Vec<MessageId>,
    order: Order,
    message: impl Fn(usize, MessageId) -> Result<Message>,
) -> Result<(FilledList<StoreTarget<S>>, Vec<Message>)> {
    let messages = ids.iter().enumerate().map(|(at, &id)| message(at, id));
    let messages = messages.collect::<Result<Vec<_>>>()?;
    let mut chunks: Vec<_> = messages.chunks(CONCURRENCY).collect();
    if order == Order::NewestFirst {
        chunks.reverse();
    }
    for some in chunks {
        let writes = some
            .iter()
            .map(|message| store.put(message.id().into(), message));
        try_join_all(writes).await?;
    }
    let list = FilledList {
        target: Arc::new(StoreTarget(Arc::clone(store))),
        source,
        ids,
    };
    Ok((list, messages))
}
