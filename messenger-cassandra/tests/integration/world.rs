//! What all cases share: one node, one keyspace, one runtime; and users that nobody else has.

use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{
    Clock, Conversation, ConversationId, Message, MessageId, NewMessage, Slice, Store, UserId,
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

/// Which of the four views show the message: history, both inboxes, the conversation.
pub(crate) async fn views(store: &impl Store, message: &Message) -> Result<[bool; 4], Failed> {
    let newest = Slice::newest(Slice::MAX_LIMIT);
    let history = store.history(message.conversation_id(), newest).await?;
    let in_inbox = async |user: &UserId| {
        let inbox = store.inbox(user, newest).await?;
        let shows = |conversation: &Conversation| conversation.last_message().id() == message.id();
        Ok::<bool, Failed>(inbox.iter().any(shows))
    };
    let conversation = store.conversation(message.conversation_id()).await?;
    Ok([
        history.contains(message),
        in_inbox(message.sender_id()).await?,
        in_inbox(message.receiver_id()).await?,
        conversation.is_some_and(|found| found.last_message().id() == message.id()),
    ])
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
