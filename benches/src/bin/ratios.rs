//! Compares the messenger with its baselines, in one process and one run:
//! `cargo run --release -p benches --bin ratios -- memory`.
//!
//! The output is a Markdown table. A ratio says what the messenger costs on top of its baseline, and
//! hardly depends on the machine. A missed goal is an error only with `--strict`, because a loaded
//! machine makes ratios worse.

use std::process::ExitCode;

use anyhow::Result;
use benches::pair::Pair;
use benches::ratio::{Effort, Ratio, measure};
use benches::{cassandra, http, memory, sqlite};
use clap::{Parser, ValueEnum};
use testkit::cassandra::{Cluster, Unavailable};
use tokio::runtime;

/// Compares the messenger with its baselines.
#[derive(Debug, Parser)]
#[command(name = "ratios")]
struct Arguments {
    /// Subject of the comparison.
    #[arg(value_enum)]
    subject: Subject,

    /// Rounds of a second for each pair; the figure is their median.
    #[arg(long, default_value_t = Effort::FULL.rounds, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Measures only pairs whose names contain this text.
    #[arg(long, default_value = "", value_name = "TEXT")]
    only: String,

    /// Shortens each round to a tenth, to see that everything works.
    #[arg(long)]
    quick: bool,

    /// Fails if a goal is missed.
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The memory store, against bare ordered maps.
    Memory,
    /// The SQLite store, against bare rusqlite. Writes to TMPDIR, which must be on a disk: sends wait
    /// for it.
    Sqlite,
    /// The HTTP server, against hyper returning the same bytes.
    Http,
    /// The Cassandra store, against the bare driver. Uses the nodes in MESSENGER_CASSANDRA_NODES,
    /// or starts one.
    Cassandra,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    println!("{}", Ratio::HEADER);
    let ratios = arguments.measure()?;
    let goals: Vec<bool> = ratios.iter().filter_map(Ratio::is_reached).collect();
    let missed = goals.iter().filter(|is_reached| !**is_reached).count();
    if missed > 0 {
        eprintln!("{missed} of {} goals missed", goals.len());
    }
    Ok(ExitCode::from(u8::from(arguments.strict && missed > 0)))
}

impl Arguments {
    fn measure(&self) -> Result<Vec<Ratio>> {
        // The HTTP client runs on it. Each server has its own thread.
        let one_thread = runtime::Builder::new_current_thread();
        match self.subject {
            Subject::Memory => run(one_thread, async {
                self.each(memory::pairs(&memory::SIZES).await?).await
            }),
            Subject::Sqlite => run(runtime::Builder::new_multi_thread(), async {
                let directory = tempfile::tempdir()?;
                self.each(sqlite::pairs(directory.path(), &sqlite::SIZES).await?)
                    .await
            }),
            Subject::Http => run(one_thread, async { self.each(http::pairs().await?).await }),
            Subject::Cassandra => run(runtime::Builder::new_multi_thread(), async {
                let (nodes, _cluster) = tokio::task::spawn_blocking(cassandra_nodes).await??;
                self.each(cassandra::pairs(&nodes, &cassandra::SIZES).await?)
                    .await
            }),
        }
    }

    async fn each(&self, pairs: Vec<Pair>) -> Result<Vec<Ratio>> {
        let effort = Effort {
            rounds: self.rounds,
            ..if self.quick {
                Effort::QUICK
            } else {
                Effort::FULL
            }
        };
        let mut ratios = Vec::new();
        for pair in pairs.iter().filter(|pair| pair.name.contains(&self.only)) {
            for &concurrency in &pair.concurrency {
                let ratio = measure(pair, concurrency, effort).await?;
                println!("{ratio}");
                ratios.push(ratio);
            }
        }
        Ok(ratios)
    }
}

fn run<T>(mut runtime: runtime::Builder, work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime.enable_all().build()?.block_on(work)
}

/// Returns the nodes named in the environment, or those of a cluster that ends when it is dropped.
fn cassandra_nodes() -> Result<(Vec<String>, Option<Cluster>), Unavailable> {
    let named = std::env::var("MESSENGER_CASSANDRA_NODES").unwrap_or_default();
    if !named.is_empty() {
        return Ok((named.split(',').map(str::to_owned).collect(), None));
    }
    let cluster = Cluster::builder().start()?;
    Ok((cluster.contact_points(), Some(cluster)))
}
