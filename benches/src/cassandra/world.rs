//! What both sides work on.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use futures_util::future::try_join_all;
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{Clock, ConversationId, Message, NewMessage, Store as _};

use super::bare::Bare;
use super::{Node, Sizes};
use crate::lists::{Kind, List};
use crate::pages;
use crate::sends::{Between, Sendable as _, TEXT, user};
use crate::store::{History, Inbox};

/// How many messages are on their way to the tables at a time.
const AT_ONCE: usize = 16;

/// A keyspace with histories and inboxes, and both ways to it.
pub(super) struct World {
    pub(super) store: Arc<CassandraStore>,
    pub(super) bare: Arc<Bare>,
    pub(super) histories: Vec<List<History<CassandraStore>>>,
    pub(super) inboxes: Vec<List<Inbox<CassandraStore>>>,
    /// Who writes to whom by warm sends.
    pub(super) known: Between,
    pub(super) conversations: Arc<[ConversationId]>,
}

impl World {
    /// Makes the keyspace and fills it.
    pub(super) async fn fill(node: &Node, sizes: &Sizes) -> Result<Self> {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let keyspace = format!("bench_{}", since_epoch.as_nanos());
        let config = CassandraConfig::new(node.contact_points())
            .with_keyspace(&keyspace)
            .with_replication(Replication::everywhere(1));
        CassandraStore::migrate(&config).await?;
        let store = Arc::new(CassandraStore::connect(&config).await?);
        let bare = Arc::new(Bare::prepare(node.contact_points(), &keyspace).await?);
        let known = Between::known(sizes.conversations)?;
        let conversations = conversations(&store, &known).await?;
        Ok(Self {
            histories: histories(&store, &sizes.histories).await?,
            inboxes: inboxes(&store, &sizes.inboxes).await?,
            store,
            bare,
            known,
            conversations,
        })
    }
}

async fn conversations(store: &CassandraStore, known: &Between) -> Result<Arc<[ConversationId]>> {
    let clock = Clock::new();
    let messages = known.all_known().iter();
    let messages = messages.map(|between| Message::make(between.clone(), &clock));
    let messages = messages.collect::<Result<Vec<_>>>()?;
    append(store, &messages).await?;
    Ok(messages.iter().map(Message::conversation_id).collect())
}

/// A message every minute: ten thousand of them lie in one or two buckets.
async fn histories(
    store: &Arc<CassandraStore>,
    lengths: &[usize],
) -> Result<Vec<List<History<CassandraStore>>>> {
    let mut histories = Vec::new();
    for &length in lengths {
        let (alice, bob) = (user("alice", length)?, user("bob", length)?);
        let ids = pages::ids(length, Duration::from_secs(60));
        let message = |&id| Ok(NewMessage::new(alice.clone(), bob.clone(), TEXT)?.with_id(id));
        let messages = ids.iter().map(message).collect::<Result<Vec<_>>>()?;
        append(store, &messages).await?;
        let history = History::new(store, ConversationId::direct(&alice, &bob));
        histories.push(List::new(Kind::History, history, ids));
    }
    Ok(histories)
}

/// A conversation every hour: six in an epoch.
async fn inboxes(
    store: &Arc<CassandraStore>,
    lengths: &[usize],
) -> Result<Vec<List<Inbox<CassandraStore>>>> {
    let mut inboxes = Vec::new();
    for &length in lengths {
        let reader = user("reader", length)?;
        let ids = pages::ids(length, Duration::from_secs(3600));
        let message = |(number, &id)| {
            let message = NewMessage::new(user("writer", number)?, reader.clone(), TEXT)?;
            Ok(message.with_id(id))
        };
        let messages = ids.iter().enumerate().map(message);
        append(store, &messages.collect::<Result<Vec<_>>>()?).await?;
        inboxes.push(List::new(Kind::Inbox, Inbox::new(store, &reader), ids));
    }
    Ok(inboxes)
}

/// Appends them, the newest first: in the other order their conversations would leave epochs
/// behind, and each of these is a tombstone.
async fn append(store: &CassandraStore, messages: &[Message]) -> Result<()> {
    for some in messages.rchunks(AT_ONCE) {
        try_join_all(some.iter().map(|message| store.append(message))).await?;
    }
    Ok(())
}
