//! The load tool: drives a running server over HTTP, and says how long it took to answer.
//!
//! `cargo run --release -p benches --bin load -- --help` has the flags. A run finds out who writes to
//! whom, opens the idle connections, makes a step for each rate, and reads at the end every message
//! that was acknowledged.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `options`, `mix` | the flags; which calls are made and how often |
//! | `target`, `connection`, `request` | the server, connections to it, and what they ask |
//! | `population` | the users, their activity and conversations |
//! | `pace`, `window`, `starts` | when requests are due, which are measured, and who starts them |
//! | `lane`, `record` | what a connection does, and what came of it |
//! | `step`, `progress` | one rate from warm-up to report |
//! | `idle` | connections that do nothing |
//! | `acknowledged`, `verify` | whether what was sent is there |
//! | `report`, `table` | what a run found, for programs and for people |

use std::sync::Arc;

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;

mod acknowledged;
mod connection;
mod idle;
mod lane;
mod mix;
mod options;
mod pace;
mod population;
mod progress;
mod record;
mod report;
mod request;
mod starts;
mod step;
mod table;
mod target;
mod verify;
mod window;

pub use mix::{Call, Mix};
pub use options::Options;
pub use report::{Answers, Bound, CallAnswers, Idle, Latency, Report, Sends, Settings, Step};

use acknowledged::Acknowledged;
use idle::IdleConnections;
use population::Population;
use target::Target;

/// What all connections of a run share.
#[derive(Debug)]
struct Bench {
    options: Options,
    target: Target,
    population: Population,
    acknowledged: Acknowledged,
}

/// Runs to the end, or until it is told to stop; `tell` gets each step when it is over.
///
/// A request that fails is part of the report and ends nothing.
///
/// # Errors
///
/// If the server is not there or is not this machine, or if it was told to stop before the first
/// step.
pub async fn run(
    options: Options,
    stop: &CancellationToken,
    mut tell: impl FnMut(&Step) + Send,
) -> Result<Report> {
    let (bench, idle) = tokio::select! {
        prepared = prepare(options) => prepared?,
        () = stop.cancelled() => bail!("stopped before anything was measured"),
    };
    let options = &bench.options;
    let mut steps = Vec::new();
    for pace in options.paces() {
        let step = step::run(&bench, pace, stop).await?;
        tell(&step);
        let holds = options.until_p99.is_none_or(|p99| step.holds(p99));
        steps.push(step);
        if !holds || stop.is_cancelled() {
            break;
        }
    }
    // A step that was cut short says nothing about its rate.
    let whole = &steps[..steps.len() - usize::from(stop.is_cancelled())];
    let bound = options.until_p99.map(|p99| Bound::of(whole, p99));
    let idle = match idle {
        Some(idle) => Some(idle.close(options.timeout).await),
        None => None,
    };
    let receipts = bench.acknowledged.receipts();
    Ok(Report {
        settings: Settings::of(options),
        bound,
        steps,
        idle,
        sends: verify::verify(&bench.target, options, &receipts).await,
    })
}

/// All that has to be there before the first step.
async fn prepare(options: Options) -> Result<(Arc<Bench>, Option<IdleConnections>)> {
    // Each connection is an open file. Where the system gives fewer, opening one says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let target = Target::find(&options.url, options.allow_remote).await?;
    let acknowledged = Acknowledged::default();
    let population = Population::find(&target, &options, &acknowledged).await?;
    let idle = IdleConnections::open(&target, &options).await?;
    let bench = Bench {
        options,
        target,
        population,
        acknowledged,
    };
    Ok((Arc::new(bench), idle))
}
