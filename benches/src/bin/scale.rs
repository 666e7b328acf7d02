//! The memory store at size: `cargo run --release -p benches --bin scale`.
//!
//! It is filled by the generator of test data, a tenth of the size first and then all of it. So what
//! a message takes and what a page costs can be held against each other at both sizes, in one
//! process.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use benches::resident::resident_bytes;
use clap::Parser;
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use messenger_core::{HistoryQuery, InboxQuery, Limit, Messenger, Timestamp, UserId};
use messenger_memory::MemoryStore;
use messenger_server::generate::{DEFAULT_SEED, Plan, Sizes, user_id};
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

/// How many messages a page of a history has: half of what a conversation has, so that there is a
/// second one.
const PAGE: u64 = 5;

/// Fills memory stores and says what a message takes and what pages cost.
#[derive(Debug, Parser)]
#[command(name = "scale")]
struct Arguments {
    /// How many conversations there are at last.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    conversations: u64,

    /// How many messages there are at last.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    messages: u64,

    /// How many pages of each kind are read.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pages: u32,

    /// Also writes what was found to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What was found, for the report.
#[derive(Debug, Default, Serialize)]
struct Found {
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    what: String,
    value: f64,
    unit: &'static str,
    command: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        arguments.messages >= arguments.conversations,
        "each conversation has a message: --messages must be at least --conversations"
    );
    let mut found = Found::default();
    for part in [10, 1] {
        at_size(&arguments, part, &mut found).await?;
    }
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&found)?;
        std::fs::write(file, text + "\n").with_context(|| format!("no {}", file.display()))?;
    }
    Ok(())
}

/// One part in so many of the whole size, in a store of its own.
async fn at_size(arguments: &Arguments, part: u64, found: &mut Found) -> Result<()> {
    let sizes = Sizes {
        // Ten conversations for each user, as two take part in each.
        users: (arguments.conversations / part / 5).max(50),
        conversations: arguments.conversations / part,
        messages: arguments.messages / part,
        days: 365,
    };
    let messenger = Messenger::new(MemoryStore::new());
    let command = format!(
        "scale --conversations {} --messages {}",
        arguments.conversations, arguments.messages
    );
    let mut note = |what: &str, value: f64, unit| {
        let what = format!("{} messages in memory: {what}", sizes.messages);
        println!("{what}: {value:.1} {unit}");
        let command = command.clone();
        found.entries.push(Entry {
            what,
            value,
            unit,
            command,
        });
    };
    let filled = fill(&messenger, sizes).await?;
    note(
        "beyond its content, a message takes",
        filled.bytes_each,
        "bytes",
    );
    note("a message's content has", filled.content_each, "bytes");
    note("messages are imported at", filled.per_second, "/s");
    for (page, times) in [
        (
            "a first page of 5 messages",
            histories(&messenger, sizes, arguments.pages, false).await?,
        ),
        (
            "a later page of 5 messages",
            histories(&messenger, sizes, arguments.pages, true).await?,
        ),
        (
            "a page of an inbox, up to 20",
            inboxes(&messenger, sizes, arguments.pages).await?,
        ),
    ] {
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let micros = times.value_at_quantile(quantile) as f64 / 1_000.0;
            note(&format!("{page}, {name}"), micros, "µs");
        }
    }
    Ok(())
}

/// How a store was filled.
struct Filled {
    /// Resident memory for each message, less its content.
    bytes_each: f64,
    content_each: f64,
    per_second: f64,
}

async fn fill(messenger: &Messenger, sizes: Sizes) -> Result<Filled> {
    let before = resident_bytes(std::process::id())?;
    let bar = ProgressBar::new(sizes.messages);
    let started = Instant::now();
    let mut content = 0;
    let plan = Plan::new(sizes, DEFAULT_SEED, Timestamp::now())?;
    for (number, message) in plan.messages().enumerate() {
        content += messenger.import(message).await?.content().as_str().len();
        if number % 10_000 == 0 {
            bar.set_position(number as u64);
        }
    }
    drop(plan);
    bar.finish_and_clear();
    let messages = sizes.messages as f64;
    let taken = (resident_bytes(std::process::id())? - before) as f64;
    Ok(Filled {
        bytes_each: (taken - content as f64) / messages,
        content_each: content as f64 / messages,
        per_second: messages / started.elapsed().as_secs_f64(),
    })
}

/// How many nanoseconds the inboxes of random users take.
async fn inboxes(messenger: &Messenger, sizes: Sizes, pages: u32) -> Result<Histogram<u64>> {
    let mut times = Histogram::new(3)?;
    let mut users = Users::new(sizes);
    for _ in 0..pages {
        let user = users.any();
        let started = Instant::now();
        messenger.inbox(&user, InboxQuery::new()).await?;
        times.record(started.elapsed().as_nanos() as u64)?;
    }
    Ok(times)
}

/// How many nanoseconds it takes to read a random conversation of a random user: its newest page,
/// or the page behind that one.
async fn histories(
    messenger: &Messenger,
    sizes: Sizes,
    pages: u32,
    later: bool,
) -> Result<Histogram<u64>> {
    let mut times = Histogram::new(3)?;
    let mut users = Users::new(sizes);
    while times.len() < u64::from(pages) {
        let inbox = messenger.inbox(&users.any(), InboxQuery::new()).await?;
        let Some(conversation) = inbox.items.choose(&mut users.rng) else {
            continue;
        };
        let mut query = HistoryQuery::new().with_limit(Limit::new(PAGE)?);
        if later {
            let first = messenger.history(conversation.id(), query).await?;
            let Some(next) = first.next else { continue };
            query = query.with_cursor(next);
        }
        let started = Instant::now();
        messenger.history(conversation.id(), query).await?;
        times.record(started.elapsed().as_nanos() as u64)?;
    }
    Ok(times)
}

/// Users at random, the same ones in each run.
struct Users {
    rng: Xoshiro256PlusPlus,
    count: u64,
}

impl Users {
    fn new(sizes: Sizes) -> Self {
        Self {
            rng: Xoshiro256PlusPlus::seed_from_u64(DEFAULT_SEED),
            count: sizes.users,
        }
    }

    fn any(&mut self) -> UserId {
        user_id(self.rng.random_range(1..=self.count))
    }
}
