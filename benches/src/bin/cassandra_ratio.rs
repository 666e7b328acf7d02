//! The store on Cassandra against the same statements sent with the bare driver, in one process
//! and one run: `cargo run --release -p benches --bin cassandra_ratio [rounds]`.
//!
//! A figure is the ratio of the two rates, the median of alternating rounds; so it says what the
//! store adds, and hardly depends on the machine. Both have their own connections. The node is one
//! named in `MESSENGER_CASSANDRA_NODES`, else one that is started for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use futures_util::future::{try_join, try_join_all};
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{
    Clock, Conversation, ConversationId, Message, NewMessage, Slice, Store as _, UserId,
};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use testkit::cassandra::Cluster;
use uuid::Uuid;

/// In a round each side sends so often for so long, in turns: what else the machine does then meets
/// both alike.
const TURNS: usize = 10;
const TURN: Duration = Duration::from_millis(100);

/// What a page of 20 reads.
const READ: usize = 21;

/// Conversations that are written to in turn by warm sends.
const WARM: usize = 64;

/// The windows that a schema has unless told, in milliseconds.
const BUCKET: u64 = 10 * 24 * 3600 * 1000;
const EPOCH: u64 = 6 * 3600 * 1000;

#[tokio::main]
async fn main() -> Result<()> {
    let rounds: usize = match std::env::args().nth(1) {
        Some(number) => number.parse()?,
        None => 7,
    };
    let named = std::env::var("MESSENGER_CASSANDRA_NODES").unwrap_or_default();
    let (_own, nodes) = if named.is_empty() {
        let cluster = tokio::task::spawn_blocking(|| Cluster::builder().start()).await??;
        let nodes = cluster.contact_points();
        (Some(cluster), nodes)
    } else {
        (None, named.split(',').map(str::to_owned).collect())
    };
    let bench = Arc::new(Bench::prepare(&nodes).await?);
    println!(
        "rate of the store / rate of the bare driver, median of {rounds} rounds (least, most)"
    );
    for operation in Operation::ALL {
        for at_once in [1, 16] {
            // Once to get warm.
            bench.round(operation, at_once).await?;
            let mut ratios = Vec::new();
            let mut rate = 0.0;
            for _ in 0..rounds {
                let (store, bare) = bench.round(operation, at_once).await?;
                ratios.push(store / bare);
                rate += bare / rounds as f64;
            }
            ratios.sort_unstable_by(f64::total_cmp);
            println!(
                "{operation:?}, {at_once:2} in flight: {:.2} ({:.2}, {:.2}); bare {rate:.0}/s",
                ratios[rounds / 2],
                ratios[0],
                ratios[rounds - 1]
            );
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// To a conversation that is known: one batch of three rows.
    SendWarm,
    /// The first message to new users: two reads, two writes, and a batch of five rows.
    SendCold,
    /// The newest 20 messages of 1,000.
    History,
    /// The 20 conversations with the most recent activity of 300, six in each epoch.
    Inbox,
}

impl Operation {
    const ALL: [Self; 4] = [Self::SendWarm, Self::SendCold, Self::History, Self::Inbox];
}

/// Both sides and what they work on.
struct Bench {
    store: CassandraStore,
    bare: Bare,
    clock: Clock,
    warm: Vec<(UserId, UserId)>,
    reader: UserId,
    history: ConversationId,
    number: AtomicU64,
}

impl Bench {
    async fn prepare(nodes: &[String]) -> Result<Self> {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let keyspace = format!("bench_{}", since_epoch.as_nanos());
        let config = CassandraConfig::new(nodes)
            .with_keyspace(&keyspace)
            .with_replication(Replication::everywhere(1));
        CassandraStore::migrate(&config).await?;
        let store = CassandraStore::connect(&config).await?;
        let bare = Bare::prepare(nodes, &keyspace).await?;
        let warm: Vec<_> = (0..WARM)
            .map(|n| Ok((user(&format!("a{n}"))?, user(&format!("b{n}"))?)))
            .collect::<Result<_>>()?;
        let reader = user("reader")?;
        let history = ConversationId::direct(&warm[0].0, &warm[0].1);
        let bench = Self {
            store,
            bare,
            clock: Clock::new(),
            warm,
            reader,
            history,
            number: AtomicU64::new(0),
        };
        bench.fill().await?;
        Ok(bench)
    }

    /// A history of a minute for each message, an inbox of an hour for each conversation.
    async fn fill(&self) -> Result<()> {
        let now = SystemTime::now();
        let at = |from: &UserId, to: &UserId, ago: Duration| {
            let id = Clock::with_source(move || now - ago).next_id();
            Ok::<_, anyhow::Error>(new_message(from, to)?.with_id(id))
        };
        let mut messages = Vec::new();
        for (one, other) in &self.warm {
            messages.push(at(one, other, Duration::ZERO)?);
        }
        let (one, other) = &self.warm[0];
        for minute in 0..1_000 {
            messages.push(at(one, other, Duration::from_secs(60 * minute))?);
        }
        for hour in 0..300 {
            let other = user(&format!("other{hour}"))?;
            messages.push(at(&other, &self.reader, Duration::from_secs(3600 * hour))?);
        }
        for some in messages.chunks(16) {
            try_join_all(some.iter().map(|message| self.store.append(message))).await?;
        }
        Ok(())
    }

    /// The rates of the store and of the bare driver.
    async fn round(self: &Arc<Self>, operation: Operation, at_once: usize) -> Result<(f64, f64)> {
        let (mut store, mut bare) = (0.0, 0.0);
        for turn in 0..TURNS {
            // Each is first as often as the other.
            for with_store in [turn % 2 == 0, turn % 2 == 1] {
                let rate = self.rate(operation, at_once, with_store).await?;
                *if with_store { &mut store } else { &mut bare } += rate / TURNS as f64;
            }
        }
        Ok((store, bare))
    }

    async fn rate(
        self: &Arc<Self>,
        operation: Operation,
        at_once: usize,
        with_store: bool,
    ) -> Result<f64> {
        let started = Instant::now();
        let lanes = (0..at_once).map(|_| {
            let bench = Arc::clone(self);
            tokio::spawn(async move {
                let mut count = 0_u32;
                while started.elapsed() < TURN {
                    if with_store {
                        bench.with_store(operation).await?;
                    } else {
                        bench.with_bare(operation).await?;
                    }
                    count += 1;
                }
                Ok::<_, anyhow::Error>(count)
            })
        });
        let mut count = 0;
        for lane in try_join_all(lanes).await? {
            count += lane?;
        }
        Ok(f64::from(count) / started.elapsed().as_secs_f64())
    }

    fn next_message(&self, operation: Operation) -> Result<Message> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let message = match operation {
            Operation::SendCold => {
                let one = user(&format!("one{number}"))?;
                new_message(&one, &user(&format!("other{number}"))?)?
            }
            _ => {
                let (one, other) = &self.warm[number as usize % WARM];
                new_message(one, other)?
            }
        };
        Ok(message.with_id(self.clock.next_id()))
    }

    async fn with_store(&self, operation: Operation) -> Result<()> {
        match operation {
            Operation::SendWarm | Operation::SendCold => {
                let message = self.next_message(operation)?;
                self.store.append(&message).await?;
            }
            Operation::History => {
                let slice = Slice::newest(READ);
                let page = self.store.history(self.history, slice).await?;
                anyhow::ensure!(page.len() == READ);
            }
            Operation::Inbox => {
                let slice = Slice::newest(READ);
                let page = self.store.inbox(&self.reader, slice).await?;
                anyhow::ensure!(page.len() == READ);
            }
        }
        Ok(())
    }

    async fn with_bare(&self, operation: Operation) -> Result<()> {
        match operation {
            Operation::SendWarm => self.bare.send(&self.next_message(operation)?).await,
            Operation::SendCold => self.bare.send_first(&self.next_message(operation)?).await,
            Operation::History => self.bare.history(self.history).await,
            Operation::Inbox => self.bare.inbox(&self.reader).await,
        }
    }
}

/// The statements of the store, sent as the driver's documentation does.
struct Bare {
    session: Session,
    warm: Batch,
    cold: Batch,
    head: PreparedStatement,
    heads: PreparedStatement,
    recency: PreparedStatement,
    insert_recency: PreparedStatement,
    buckets: PreparedStatement,
    messages: PreparedStatement,
}

type Head<'a> = (Uuid, i32, &'a str, &'a str);

impl Bare {
    async fn prepare(nodes: &[String], keyspace: &str) -> Result<Self> {
        let session = SessionBuilder::new().known_nodes(nodes).build().await?;
        let prepare = async |cql: &str| {
            let mut statement = session.prepare(cql.replace("{}", keyspace)).await?;
            statement.set_is_idempotent(true);
            Ok::<_, anyhow::Error>(statement)
        };
        let message = prepare(
            "INSERT INTO {}.messages (conversation_id, bucket, id, sender_id, receiver_id, \
             content) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
        )
        .await?;
        let insert_head = prepare(
            "INSERT INTO {}.inbox_heads (user_id, conversation_id, participants, head) \
             VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
        )
        .await?;
        let conversation = prepare(
            "INSERT INTO {}.conversations (conversation_id, participants) VALUES (?, ?) \
             USING TIMESTAMP ?",
        )
        .await?;
        let bucket = prepare(
            "INSERT INTO {}.message_buckets (conversation_id, bucket) VALUES (?, ?) \
             USING TIMESTAMP ?",
        )
        .await?;
        let batch = |statements: &[&PreparedStatement]| {
            let mut batch = Batch::new(BatchType::Logged);
            batch.set_is_idempotent(true);
            for &statement in statements {
                batch.append_statement(statement.clone());
            }
            batch
        };
        Ok(Self {
            warm: batch(&[&message, &insert_head, &insert_head]),
            cold: batch(&[&message, &insert_head, &insert_head, &conversation, &bucket]),
            head: prepare(
                "SELECT conversation_id, participants, head FROM {}.inbox_heads \
                 WHERE user_id = ? AND conversation_id = ?",
            )
            .await?,
            heads: prepare(
                "SELECT conversation_id, participants, head FROM {}.inbox_heads \
                 WHERE user_id = ? AND conversation_id IN ?",
            )
            .await?,
            recency: prepare(
                "SELECT epoch, conversation_id FROM {}.inbox_recency WHERE user_id = ? \
                 AND (epoch, conversation_id) < (?, ?) AND (epoch) >= (?) \
                 ORDER BY epoch DESC, conversation_id DESC LIMIT ?",
            )
            .await?,
            insert_recency: prepare(
                "INSERT INTO {}.inbox_recency (user_id, epoch, conversation_id) \
                 VALUES (?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
            buckets: prepare(
                "SELECT bucket FROM {}.message_buckets WHERE conversation_id = ? \
                 AND bucket >= ? AND bucket <= ? ORDER BY bucket DESC LIMIT ?",
            )
            .await?,
            messages: prepare(
                "SELECT id, sender_id, receiver_id, content FROM {}.messages \
                 WHERE conversation_id = ? AND bucket = ? AND id > ? AND id < ? \
                 ORDER BY id DESC LIMIT ?",
            )
            .await?,
            session,
        })
    }

    async fn send(&self, message: &Message) -> Result<()> {
        let row = Rows::of(message);
        let [one, other] = row.users;
        let values = (row.message(), row.head(one), row.head(other));
        self.session.batch(&self.warm, values).await?;
        Ok(())
    }

    async fn send_first(&self, message: &Message) -> Result<()> {
        let row = Rows::of(message);
        let [one, other] = row.users;
        let look = async |user| {
            let found = self
                .session
                .execute_unpaged(&self.head, (user, row.id))
                .await?;
            let found = found.into_rows_result()?;
            let head = found.maybe_first_row::<(Uuid, Vec<&str>, Head<'_>)>()?;
            anyhow::ensure!(head.is_none(), "these users are not new");
            Ok(())
        };
        try_join(look(one), look(other)).await?;
        let epoch = row.window(EPOCH);
        let start = i64::from(epoch) * EPOCH as i64 * 1000;
        let nominate = |user| {
            let values = (user, epoch, row.id, start);
            self.session.execute_unpaged(&self.insert_recency, values)
        };
        try_join(nominate(one), nominate(other)).await?;
        let values = (
            row.message(),
            row.head(one),
            row.head(other),
            (row.id, &row.users[..], row.timestamp()),
            (row.id, row.window(BUCKET), row.timestamp()),
        );
        self.session.batch(&self.cold, values).await?;
        Ok(())
    }

    async fn history(&self, id: ConversationId) -> Result<()> {
        let id = id.as_uuid();
        let buckets = self
            .session
            .execute_unpaged(&self.buckets, (id, 0, i32::MAX, 16))
            .await?
            .into_rows_result()?;
        let mut page = Vec::with_capacity(READ);
        for bucket in buckets.rows::<(i32,)>()? {
            let (bucket,) = bucket?;
            let missing = (READ - page.len()) as i32;
            let values = (id, bucket, LOWEST, HIGHEST, missing);
            let rows = self.session.execute_unpaged(&self.messages, values).await?;
            for row in rows
                .into_rows_result()?
                .rows::<(Uuid, String, String, String)>()?
            {
                page.push(row?);
            }
            if page.len() == READ {
                return Ok(());
            }
        }
        anyhow::bail!("the history is too short")
    }

    async fn inbox(&self, user: &UserId) -> Result<()> {
        let values = (
            user.as_str(),
            i32::MAX,
            Uuid::nil(),
            i32::MIN,
            2 * READ as i32,
        );
        let rows = self.session.execute_unpaged(&self.recency, values).await?;
        let rows = rows.into_rows_result()?;
        let ids: Vec<Uuid> = rows
            .rows::<(i32, Uuid)>()?
            .map(|row| row.map(|(_, id)| id))
            .collect::<Result<_, _>>()?;
        let values = (user.as_str(), ids);
        let rows = self.session.execute_unpaged(&self.heads, values).await?;
        let rows = rows.into_rows_result()?;
        let mut page = Vec::with_capacity(2 * READ);
        for row in rows.rows::<(Uuid, Vec<String>, (Uuid, i32, String, String))>()? {
            page.push(row?);
        }
        page.sort_unstable_by_key(|(_, _, (id, ..))| std::cmp::Reverse(*id));
        page.truncate(READ);
        anyhow::ensure!(page.len() == READ);
        Ok(())
    }
}

const LOWEST: Uuid = Uuid::from_u128(0x7000_8000_0000_0000_0000);
const HIGHEST: Uuid = Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff);

/// The values of a message's rows.
struct Rows<'a> {
    of: &'a Message,
    preview: Conversation,
    id: Uuid,
    users: [&'a str; 2],
}

impl<'a> Rows<'a> {
    fn of(message: &'a Message) -> Self {
        let mut users = [message.sender_id().as_str(), message.receiver_id().as_str()];
        users.sort_unstable();
        Self {
            of: message,
            preview: Conversation::of(message),
            id: message.conversation_id().as_uuid(),
            users,
        }
    }

    fn timestamp(&self) -> i64 {
        self.of.id().as_micros() as i64
    }

    fn window(&self, millis: u64) -> i32 {
        (self.of.created_at().as_millis() / millis) as i32
    }

    fn message(&self) -> (Uuid, i32, Uuid, &str, &str, &str, i64) {
        (
            self.id,
            self.window(BUCKET),
            self.of.id().as_uuid(),
            self.of.sender_id().as_str(),
            self.of.receiver_id().as_str(),
            self.of.content().as_str(),
            self.timestamp(),
        )
    }

    fn head<'b>(&'b self, user: &'b str) -> (&'b str, Uuid, &'b [&'b str], Head<'b>, i64) {
        let last = self.preview.last_message();
        let head = (
            last.id().as_uuid(),
            0,
            last.sender_id().as_str(),
            last.preview().as_str(),
        );
        (user, self.id, &self.users, head, self.timestamp())
    }
}

fn user(name: &str) -> Result<UserId> {
    UserId::new(name).context("a user")
}

fn new_message(from: &UserId, to: &UserId) -> Result<NewMessage> {
    let text = "It is quiet on the square at this hour. Shall we meet at the fountain?";
    Ok(NewMessage::new(from.clone(), to.clone(), text)?)
}
