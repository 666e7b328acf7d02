//! `messenger-server generate`: fills a store with test data.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use messenger_core::{Messenger, Timestamp};

use super::{DEFAULT_SEED, Plan, Sizes, generate, user_id};
use crate::store::{StoreArguments, StoreKind};

/// Fills a store with test data: users who wrote to each other over the past weeks.
///
/// The same sizes, seed and time give the same messages with the same ids. So an interrupted run can
/// be repeated, and adds only what is missing. (For millions of messages, build with --release.)
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Number of users: alice, bob and so on, from the 33rd on user33, user34 and so on.
    #[arg(long, default_value_t = Sizes::default().users, value_name = "NUMBER")]
    users: u64,

    /// Number of pairs of them that write to each other.
    #[arg(long, default_value_t = Sizes::default().conversations, value_name = "NUMBER")]
    conversations: u64,

    /// Number of messages in all conversations together.
    #[arg(long, default_value_t = Sizes::default().messages, value_name = "NUMBER")]
    messages: u64,

    /// Number of days over which the messages spread.
    #[arg(long, default_value_t = Sizes::default().days, value_name = "NUMBER")]
    days: u64,

    /// Seed of the random choices.
    #[arg(long, default_value_t = DEFAULT_SEED, value_name = "NUMBER")]
    seed: u64,

    /// Time before which all messages lie: RFC 3339, not in the future. The default is the last
    /// midnight (UTC), so that a run can be repeated on the same day without this flag.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,

    /// Number of concurrent writes (by default 4096 on SQLite, which shares a transaction between them,
    /// otherwise 64).
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,

    #[command(flatten)]
    store: StoreArguments,
}

/// Fills the store that the arguments name.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let plan = arguments.plan()?;
    for variable in arguments.store.ignored_variables() {
        let _ = writeln!(
            io::stderr(),
            "warning: {variable} is set, but has no effect without --store cassandra"
        );
    }
    let messenger = Messenger::new(arguments.store.open().await?);
    let _ = write!(io::stdout(), "{}", arguments.description(&plan));
    let mut progress = Progress::new(plan.sizes().messages);
    let concurrency = arguments.concurrency().into();
    generate(&messenger, &plan, concurrency, || progress.advance())
        .await
        .context("interrupted; run it again with the same flags to continue")?;
    let _ = writeln!(io::stdout(), "{}", progress.finish());
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
        let plan = Plan::new(sizes, self.seed, until)?;
        Ok(match self.store.kind {
            // The messages of one conversation lie in the same pages, so a transaction writes few.
            StoreKind::Sqlite => plan.with_interleaved(1),
            _ => plan,
        })
    }

    fn concurrency(&self) -> u16 {
        self.concurrency.unwrap_or(match self.store.kind {
            StoreKind::Sqlite => 4096,
            _ => 64,
        })
    }

    /// Says what is generated, and how to generate the same on another day.
    fn description(&self, plan: &Plan) -> String {
        let Sizes {
            users,
            conversations,
            messages,
            days,
        } = plan.sizes();
        let (store, since, until) = (self.store.kind, plan.since(), plan.until());
        let mut text = format!(
            "{messages} messages in {conversations} conversations of {users} users ({} to {}), \
             {since} to {until}, into the {} store\n\
             the same again: --users {users} --conversations {conversations} \
             --messages {messages} --days {days} --seed {} --until {until}\n",
            user_id(1),
            user_id(users),
            store.name(),
            self.seed,
        );
        if store == StoreKind::Memory {
            text += "the memory store ends with this program: this run only measures the rate\n";
        }
        text
    }
}

fn last_midnight() -> Timestamp {
    let now = Timestamp::now();
    let since_midnight = now.as_millis() % (24 * 60 * 60 * 1000);
    now.saturating_sub(Duration::from_millis(since_midnight))
}

/// A bar with the rate and the time left; without a terminal, a line every few seconds.
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
        .with_key(
            "rate",
            |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.0}/s", state.per_sec());
            },
        );
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
            let left = HumanDuration(self.left());
            let _ = writeln!(io::stderr(), "{}, {left} left", self.so_far());
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

    /// Returns the time left at the rate so far.
    fn left(&self) -> Duration {
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        self.start
            .elapsed()
            .mul_f64((all - done) as f64 / done as f64)
    }
}
