//! The memory store at size: `cargo run --release -p benches --bin scale`.
//!
//! Fills a store with a tenth of the size and then one with all of it, in one process, so that the
//! memory of a message and the time of a page can be compared at both sizes. Linux only.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use benches::messages::{TEXT, user};
use clap::Parser;
use hdrhistogram::Histogram;
use messenger_core::{
    Clock, ConversationId, HistoryQuery, InboxQuery, Limit, Messenger, NewMessage, Store as _,
    UserId,
};
use messenger_memory::MemoryStore;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

/// The number of users with whom a user begins a conversation. Each has twice as many.
const NEIGHBOURS: usize = 5;

/// The number of messages in a conversation, and on a page of it.
const MESSAGES: usize = 10;
const PAGE: u64 = 5;

/// The longest content in bytes. Lengths are random, so the mean is half of it.
const MAX_CONTENT: usize = 53;

/// Fills memory stores, and prints the memory of a message and the time of a page.
#[derive(Debug, Parser)]
#[command(name = "scale")]
struct Arguments {
    /// Conversations of the larger store.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    conversations: u32,

    /// Pages of each kind to read.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pages: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    println!("| messages | figure | value |\n| ---: | --- | ---: |");
    for conversations in [arguments.conversations / 10, arguments.conversations] {
        measure(&arguments, Users(conversations as usize / NEIGHBOURS)).await?;
    }
    Ok(())
}

/// Users in a circle. Each has conversations with the [`NEIGHBOURS`] after it, and so with as many
/// before it.
#[derive(Clone, Copy)]
struct Users(usize);

impl Users {
    fn pair(self, one: usize, distance: usize) -> Result<[UserId; 2]> {
        Ok([user("u", one)?, user("u", (one + distance) % self.0)?])
    }

    fn random_pair(self, rng: &mut Xoshiro256PlusPlus) -> Result<[UserId; 2]> {
        let distance = rng.random_range(1..=NEIGHBOURS);
        self.pair(rng.random_range(0..self.0), distance)
    }
}

async fn measure(arguments: &Arguments, users: Users) -> Result<()> {
    let before = resident_bytes()?;
    let started = Instant::now();
    let store = MemoryStore::new();
    let (messages, content) = fill(&store, users).await?;
    let rate = messages as f64 / started.elapsed().as_secs_f64();
    let each = (resident_bytes()? as f64 - before as f64 - content as f64) / messages as f64;
    let mean = content as f64 / messages as f64;
    let row = |figure: &str, value: String| println!("| {messages} | {figure} | {value} |");
    row(
        "memory of a message, without its content",
        format!("{each:.0} bytes"),
    );
    row("mean content", format!("{mean:.1} bytes"));
    row("appended", format!("{rate:.0} /s"));

    let messenger = Messenger::new(store);
    for (name, page) in [
        ("first page of 5 messages", Page::First),
        ("later page of 5 messages", Page::Later),
        ("inbox page of 10 conversations", Page::Inbox),
    ] {
        let (mut nanos, mut rng) = (Histogram::<u64>::new(3)?, rng());
        for _ in 0..arguments.pages {
            let users = users.random_pair(&mut rng)?;
            nanos.record(page.read(&messenger, &users).await?.as_nanos() as u64)?;
        }
        for (quantile, label) in [(0.5, "p50"), (0.99, "p99")] {
            let micros = nanos.value_at_quantile(quantile) as f64 / 1e3;
            row(&format!("{name}, {label}"), format!("{micros:.2} µs"));
        }
    }
    Ok(())
}

/// Appends messages to all conversations in turn. Returns their number and the bytes of their
/// contents.
async fn fill(store: &MemoryStore, users: Users) -> Result<(u64, u64)> {
    let (clock, mut rng) = (Clock::new(), rng());
    let (mut count, mut content) = (0, 0);
    for _ in 0..MESSAGES {
        for number in 0..users.0 * NEIGHBOURS {
            let [sender, receiver] = users.pair(number % users.0, 1 + number / users.0)?;
            let text = &TEXT[..rng.random_range(1..=MAX_CONTENT)];
            let message = NewMessage::new(sender, receiver, text)?;
            let id = clock.next_id();
            store.put(id.into(), &message.with_id(id)).await?;
            count += 1;
            content += text.len() as u64;
        }
    }
    Ok((count, content))
}

#[derive(Clone, Copy)]
enum Page {
    /// The newest messages of a conversation.
    First,
    /// The messages below the first page.
    Later,
    /// The conversations of a user.
    Inbox,
}

impl Page {
    /// Reads a page, and returns the time this took.
    async fn read(self, messenger: &Messenger, users: &[UserId; 2]) -> Result<Duration> {
        let [one, other] = users;
        let conversation = ConversationId::direct(one, other);
        let mut query = HistoryQuery::new().with_limit(Limit::new(PAGE)?);
        if matches!(self, Self::Later) {
            let first = messenger.history(conversation, query).await?;
            query = query.with_cursor(first.next);
        }
        let started = Instant::now();
        let items = match self {
            Self::Inbox => messenger.inbox(one, InboxQuery::new()).await?.items.len(),
            _ => messenger.history(conversation, query).await?.items.len(),
        };
        let time = started.elapsed();
        ensure!(items > 0, "an empty page");
        Ok(time)
    }
}

/// Returns a generator of the same numbers in each run.
fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(42)
}

/// Returns the resident memory of this process.
fn resident_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kibibytes
        .context("no VmRSS in /proc/self/status")?
        .parse::<u64>()?
        * 1024)
}
