//! Fills a store with test data: `cargo run --example generate -- --help`.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use examples::generate::{DEFAULT_SEED, Plan, Sizes, generate};
use examples::program;
use examples::store::{StoreArgs, StoreKind};
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use messenger_core::{Messenger, Timestamp};

/// Fills a store with test data: users who write to each other over the past weeks.
///
/// The same sizes, seed and time give the same messages with the same ids. So a run that was cut
/// off can be repeated, and adds only what is missing. (For millions, build with --release.)
#[derive(Debug, Parser)]
#[command(name = "generate")]
struct Arguments {
    /// How many users there are, called 1, 2, 3 and so on.
    #[arg(long, default_value_t = Sizes::default().users, value_name = "NUMBER")]
    users: u64,

    /// How many pairs of them write to each other.
    #[arg(long, default_value_t = Sizes::default().conversations, value_name = "NUMBER")]
    conversations: u64,

    /// How many messages they write, all together.
    #[arg(long, default_value_t = Sizes::default().messages, value_name = "NUMBER")]
    messages: u64,

    /// How many days the messages reach back.
    #[arg(long, default_value_t = Sizes::default().days, value_name = "NUMBER")]
    days: u64,

    /// What the random choices follow from.
    #[arg(long, default_value_t = DEFAULT_SEED, value_name = "NUMBER")]
    seed: u64,

    /// The time before which all messages lie: RFC 3339, not in the future. Else the last midnight
    /// (UTC), so that a run can be repeated on the same day without it.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,

    /// How many writes are under way at once.
    #[arg(long, default_value_t = 64, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,

    #[command(flatten)]
    store: StoreArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    program::end(run(program::arguments()).await)
}

async fn run(arguments: Arguments) -> Result<()> {
    let plan = arguments.plan()?;
    arguments.describe(&plan);

    let messenger = Messenger::new(arguments.store.open().await?);
    let mut progress = Progress::new(plan.sizes().messages);
    let concurrency = arguments.concurrency.into();
    generate(&messenger, &plan, concurrency, || progress.advance())
        .await
        .context("cut off; the same flags go on with it")?;
    println!("{}", progress.finish());
    Ok(())
}

impl Arguments {
    fn plan(&self) -> Result<Plan> {
        let sizes = Sizes {
            users: self.users,
            conversations: self.conversations,
            messages: self.messages,
            days: self.days,
        };
        let until = self.until.unwrap_or_else(last_midnight);
        ensure!(
            until <= Timestamp::now(),
            "--until must not lie in the future"
        );
        Plan::new(sizes, self.seed, until)
    }

    /// Says what will be made, and how the same is made again on another day.
    fn describe(&self, plan: &Plan) {
        let Sizes {
            users,
            conversations,
            messages,
            days,
        } = plan.sizes();
        let (store, since, until) = (self.store.kind(), plan.since(), plan.until());
        println!(
            "{messages} messages in {conversations} conversations of the users 1 to {users}, \
             {since} to {until}, into the {} store",
            store.name(),
        );
        println!(
            "the same again: --users {users} --conversations {conversations} \
             --messages {messages} --days {days} --seed {} --until {until}",
            self.seed,
        );
        if store == StoreKind::Memory {
            println!("the memory store ends with this program: only the rate is left of it");
        }
    }
}

fn last_midnight() -> Timestamp {
    let now = Timestamp::now();
    let since_midnight = now.as_millis() % (24 * 60 * 60 * 1000);
    now.saturating_sub(Duration::from_millis(since_midnight))
}

/// A bar with the rate and the time left; where there is no terminal, a line now and then.
struct Progress {
    bar: ProgressBar,
    start: Instant,
    last_line: Instant,
}

impl Progress {
    const BETWEEN_LINES: Duration = Duration::from_secs(5);

    fn new(messages: u64) -> Self {
        let style = ProgressStyle::with_template(
            "{wide_bar} {human_pos}/{human_len} messages, {rate}, {eta} left",
        )
        .expect("the template is well-formed")
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        });
        let now = Instant::now();
        Self {
            bar: ProgressBar::new(messages).with_style(style),
            start: now,
            last_line: now,
        }
    }

    fn advance(&mut self) {
        self.bar.inc(1);
        if self.bar.is_hidden() && self.last_line.elapsed() >= Self::BETWEEN_LINES {
            self.last_line = Instant::now();
            eprintln!("{}, {} left", self.so_far(), HumanDuration(self.left()));
        }
    }

    fn finish(&self) -> String {
        self.bar.finish_and_clear();
        self.so_far()
    }

    fn so_far(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        let messages = self.bar.position();
        let rate = messages as f64 / seconds;
        format!("{messages} messages in {seconds:.1} s, {rate:.0}/s")
    }

    /// The time that is left at the rate so far.
    fn left(&self) -> Duration {
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        self.start
            .elapsed()
            .mul_f64((all - done) as f64 / done as f64)
    }
}
