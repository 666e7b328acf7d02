//! One node, one keyspace and one runtime for all cases, and users that no other case has.

use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::store::MAX_LIMIT;
use messenger_core::{
    Clock, Conversation, ConversationId, Error, InboxEntry, LastMessage, Message, MessageId,
    NewMessage, ReadMarker, Store, UserId,
};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use testkit::cassandra::Nodes;
use tokio::runtime::Runtime;

/// The length of an epoch in the shared keyspace.
pub(crate) const EPOCH: Duration = Duration::from_secs(6 * 3600);

pub(crate) type Verdict = Result<(), Failed>;

/// A case on the shared node.
pub(crate) fn case<F>(name: &str, play: impl FnOnce(World) -> F + Send + 'static) -> Trial
where
    F: Future<Output = Verdict>,
{
    testkit::trial::with_shared(name, move |nodes| {
        let nodes = nodes.clone();
        runtime().block_on(async move {
            let world = World::new(&nodes).await?;
            let limit = Duration::from_secs(120);
            tokio::time::timeout(limit, play(world))
                .await
                .map_err(|_| Failed::from("the case has not ended in time"))?
        })
    })
}

/// The one runtime: a store lives on that on which it was connected.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .expect("a runtime")
    })
}

/// The shared keyspace, and ways into it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) config: CassandraConfig,
    pub(crate) store: CassandraStore,
    /// Another client, as another process would be.
    pub(crate) other: CassandraStore,
    suffix: String,
}

impl World {
    pub(crate) async fn new(nodes: &Nodes) -> Result<Self, Failed> {
        static SHARED: tokio::sync::OnceCell<(CassandraConfig, CassandraStore, CassandraStore)> =
            tokio::sync::OnceCell::const_new();
        let shared = SHARED.get_or_try_init(|| async {
            let config = config(nodes.contact_points()).with_keyspace(name("messenger"));
            CassandraStore::migrate(&config).await?;
            let store = CassandraStore::connect(&config).await?;
            let other = CassandraStore::connect(&config).await?;
            Ok::<_, messenger_core::Error>((config, store, other))
        });
        let (config, store, other) = shared.await.map_err(failed)?.clone();
        Ok(Self {
            config,
            store,
            other,
            suffix: name(""),
        })
    }

    /// A user who takes part in this case and in nothing else.
    pub(crate) fn user(&self, name: &str) -> UserId {
        UserId::new(format!("{name}.{}", self.suffix)).expect("a valid id")
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair {
            one: self.user("alice"),
            two: self.user("bob"),
        }
    }

    /// Another two in the same case.
    pub(crate) fn pair_named(&self, name: &str) -> Pair {
        Pair {
            one: self.user(&format!("alice.{name}")),
            two: self.user(&format!("bob.{name}")),
        }
    }

    /// The name of the shared keyspace.
    pub(crate) fn keyspace(&self) -> String {
        self.config.keyspace().to_owned()
    }

    /// A connection of the bare driver, to look at tables and to break them.
    pub(crate) async fn bare(&self) -> Result<Session, Failed> {
        static NODES: OnceLock<Vec<String>> = OnceLock::new();
        let nodes = NODES.get_or_init(|| {
            let nodes = testkit::cassandra::shared().expect("it was there before");
            nodes.contact_points().to_vec()
        });
        Ok(SessionBuilder::new().known_nodes(nodes).build().await?)
    }
}

pub(crate) fn config(nodes: &[String]) -> CassandraConfig {
    CassandraConfig::new(nodes.iter().cloned()).with_replication(Replication::everywhere(1))
}

/// Two users who write to each other.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) one: UserId,
    pub(crate) two: UserId,
}

impl Pair {
    pub(crate) fn id(&self) -> ConversationId {
        ConversationId::direct(&self.one, &self.two)
    }

    pub(crate) fn message(&self, id: MessageId, text: &str) -> Message {
        NewMessage::new(self.one.clone(), self.two.clone(), text.to_owned())
            .expect("a valid message")
            .with_id(id)
    }
}

/// A new id, now.
pub(crate) fn id() -> MessageId {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    CLOCK.get_or_init(Clock::new).next_id()
}

/// An id of this time before now.
pub(crate) fn id_ago(ago: Duration) -> MessageId {
    let clock = Clock::with_source(move || std::time::SystemTime::now() - ago);
    clock.next_id()
}

/// A name that no other run has.
pub(crate) fn name(what: &str) -> String {
    let random: u64 = rand::random();
    format!("{what}_{random:016x}")
}

pub(crate) fn failed(error: impl std::error::Error) -> Failed {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!("\n  because: {error}");
        source = error.source();
    }
    text.into()
}

/// Sends a message on time: under its own id.
pub(crate) async fn send(store: &impl Store, message: &Message) -> Result<(), Error> {
    store.put(message.id().into(), message).await
}

/// Writes a version of a message under the key of its revision, as an edit or an unsend does.
pub(crate) async fn change(store: &impl Store, version: &Message) -> Result<(), Error> {
    store.put(version.revision().into(), version).await
}

/// The entry of a conversation whose last message this is, and in which nobody has read anything.
pub(crate) fn entry_of(message: &Message) -> InboxEntry {
    InboxEntry::new(Conversation::of(message), LastMessage::of(message))
}

/// The marker of one of a message's users.
pub(crate) fn marker(message: &Message, reader: &UserId) -> ReadMarker {
    ReadMarker::new(Conversation::of(message), reader.clone(), message.id())
}

/// Which views show this version of a message: history, message, both inboxes, both entries.
pub(crate) async fn views(store: &impl Store, version: &Message) -> Result<[bool; 6], Failed> {
    let (conversation, id) = (version.conversation_id(), version.id());
    let last = LastMessage::of(version);
    let shows = |entry: &InboxEntry| *entry.last_message() == last;
    let history = store.history(conversation, None, MAX_LIMIT).await?;
    let message = store.message(conversation, id).await?;
    let mut views = vec![history.contains(version), message.as_ref() == Some(version)];
    for user in &version.participants() {
        let inbox = store.inbox(user, None, MAX_LIMIT).await?;
        views.push(inbox.iter().any(shows));
    }
    for user in &version.participants() {
        let entry = store.entry(user, conversation).await?;
        views.push(entry.as_ref().is_some_and(shows));
    }
    Ok(views.try_into().expect("six of them"))
}

/// Waits until something holds, for ten seconds.
pub(crate) async fn eventually(
    what: &str,
    mut holds: impl AsyncFnMut() -> Result<bool, Failed>,
) -> Verdict {
    for _ in 0..100 {
        if holds().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("never came to hold: {what}").into())
}
