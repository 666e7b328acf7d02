//! Measures the messenger against its baselines, in one process and one run:
//! `cargo run --release -p benches --bin ratios -- memory|http|cassandra|all`.
//!
//! A figure is the ratio of two rates, the median of rounds in which both sides take turns; so it
//! says what the messenger adds, and hardly depends on the machine. That a goal is missed is no
//! error unless `--strict` says so: a loaded machine makes figures worse.

use std::fs::File;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result};
use benches::cassandra::{self, Node};
use benches::pair::Pair;
use benches::ratio::{Effort, Ratio, Results, measure};
use benches::{http, memory};
use clap::{Parser, ValueEnum};
use tokio::runtime;

/// Measures the messenger against its baselines.
#[derive(Debug, Parser)]
#[command(name = "ratios")]
struct Arguments {
    /// What is measured.
    #[arg(value_enum)]
    subject: Subject,

    /// How many rounds of a second each pair is measured for; the figure is their median.
    #[arg(long, default_value = "7", value_parser = rounds)]
    rounds: usize,

    /// Measures only pairs whose names hold this text.
    #[arg(long, default_value = "", value_name = "TEXT")]
    only: String,

    /// Writes the figures to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Takes a tenth of the time for a round: to see that all works.
    #[arg(long)]
    quick: bool,

    /// Fails when a goal is missed.
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The memory store against bare ordered maps.
    Memory,
    /// The server against hyper that answers the same bytes.
    Http,
    /// The store on Cassandra against the bare driver; on the nodes named in
    /// MESSENGER_CASSANDRA_NODES, else on one that is started for it.
    Cassandra,
    /// All of them.
    All,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let results = arguments.measure()?;
    if let Some(path) = &arguments.json {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        serde_json::to_writer_pretty(file, &results)?;
    }
    let missed = results
        .ratios
        .iter()
        .filter(|ratio| ratio.is_reached() == Some(false));
    let missed = missed.count();
    if missed > 0 {
        println!("{missed} of {} goals missed", goals(&results.ratios));
    }
    Ok(if arguments.strict && missed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn goals(ratios: &[Ratio]) -> usize {
    ratios.iter().filter(|ratio| ratio.goal.is_some()).count()
}

impl Arguments {
    /// The server comes last: with it come the recorder of metrics and the log, for the whole
    /// process.
    fn measure(&self) -> Result<Results> {
        let mut ratios = Vec::new();
        if self.covers(Subject::Memory) {
            ratios.extend(self.memory()?);
        }
        if self.covers(Subject::Cassandra) {
            ratios.extend(self.cassandra()?);
        }
        if self.covers(Subject::Http) {
            ratios.extend(self.http()?);
        }
        let subject = self.subject.to_possible_value();
        Ok(Results {
            subject: subject.map_or_else(String::new, |value| value.get_name().to_owned()),
            cores: available_parallelism()?.get(),
            ratios,
        })
    }

    fn covers(&self, subject: Subject) -> bool {
        [subject, Subject::All].contains(&self.subject)
    }

    fn memory(&self) -> Result<Vec<Ratio>> {
        on(runtime::Builder::new_current_thread(), async {
            self.each(memory::pairs(&memory::Sizes::default()).await?)
                .await
        })
    }

    fn cassandra(&self) -> Result<Vec<Ratio>> {
        on(runtime::Builder::new_multi_thread(), async {
            let node = Node::find_or_start().await?;
            eprintln!("Cassandra comes from: {}", node.source());
            self.each(cassandra::pairs(&node, &cassandra::Sizes::default()).await?)
                .await
        })
    }

    /// The client has one thread, and each of both servers one of its own.
    fn http(&self) -> Result<Vec<Ratio>> {
        on(runtime::Builder::new_current_thread(), async {
            self.each(http::pairs().await?).await
        })
    }

    async fn each(&self, pairs: Vec<Pair>) -> Result<Vec<Ratio>> {
        let effort = Effort::rounds(self.rounds);
        let effort = if self.quick { effort.quick() } else { effort };
        let mut ratios = Vec::new();
        for pair in pairs.iter().filter(|pair| pair.name.contains(&self.only)) {
            for &in_flight in &pair.in_flight {
                let ratio = measure(pair, in_flight, effort).await?;
                println!("{ratio}");
                ratios.push(ratio);
            }
        }
        Ok(ratios)
    }
}

fn on<T>(mut runtime: runtime::Builder, work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime.enable_all().build()?.block_on(work)
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds) if rounds > 0 => Ok(rounds),
        _ => Err("it must be a number from 1 on".to_owned()),
    }
}
