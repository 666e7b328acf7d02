//! Lists, written to a store.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use futures_util::future::try_join_all;
use messenger_core::{ConversationId, Message, MessageId, Store};

use crate::messages::{new_message, user};
use crate::operation::{Source, StoreTarget};
use crate::page::{FilledList, ids_until};

/// The number of concurrent writes.
const CONCURRENCY: usize = 64;

/// Creates a history of this length. The messages are `interval` apart, the last one an interval before
/// now.
pub(crate) async fn history<S: Store + 'static>(
    store: &Arc<S>,
    length: usize,
    interval: Duration,
) -> Result<FilledList<StoreTarget<S>>> {
    let (alice, bob) = (user("alice", length)?, user("bob", length)?);
    let ids = ids_until(SystemTime::now(), length, interval);
    let message = |&id| Ok(new_message(&alice, &bob)?.with_id(id));
    let messages = ids.iter().map(message).collect::<Result<Vec<_>>>()?;
    let source = Source::History(ConversationId::direct(&alice, &bob));
    fill(store, source, ids, &messages).await
}

/// Creates an inbox of this length for the reader of this name: one message in each conversation, the
/// messages `interval` apart, and the last one an interval before `end`.
pub(crate) async fn inbox<S: Store + 'static>(
    store: &Arc<S>,
    reader: &str,
    length: usize,
    (end, interval): (SystemTime, Duration),
) -> Result<FilledList<StoreTarget<S>>> {
    let reader = user(reader, length)?;
    let ids = ids_until(end, length, interval);
    let message = |(number, &id)| {
        let message = new_message(&user("writer", number)?, &reader)?;
        Ok(message.with_id(id))
    };
    let messages = ids.iter().enumerate().map(message);
    let messages = messages.collect::<Result<Vec<_>>>()?;
    fill(store, Source::Inbox(reader), ids, &messages).await
}

/// Writes the messages of a list.
async fn fill<S: Store + 'static>(
    store: &Arc<S>,
    source: Source,
    ids: Vec<MessageId>,
    messages: &[Message],
) -> Result<FilledList<StoreTarget<S>>> {
    // The newest first. In ascending order each message would move its conversation to another epoch
    // of Cassandra's index, and leave a tombstone in the previous one.
    for some in messages.rchunks(CONCURRENCY) {
        let writes = some
            .iter()
            .map(|message| store.put(message.id().into(), message));
        try_join_all(writes).await?;
    }
    Ok(FilledList {
        target: Arc::new(StoreTarget(Arc::clone(store))),
        source,
        ids,
    })
}
