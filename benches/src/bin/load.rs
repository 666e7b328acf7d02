//! Drives a running server: `cargo run --release -p benches --bin load -- --help`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use benches::load::{Options, Report, run};
use clap::Parser as _;
use tokio::signal::ctrl_c;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    match load(Options::parse()).await {
        Ok(report) if report.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs, prints what was found, and writes it to the file.
async fn load(options: Options) -> Result<Report> {
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_ctrl_c(stop.clone()));
    let json = options.json.clone();
    let report = run(options, &stop, |step| println!("{step}")).await?;
    if let Some(bound) = &report.bound {
        println!("{bound}");
    }
    if let Some(idle) = &report.idle {
        println!("{idle}");
    }
    println!("{}", report.sends);
    if let Some(file) = json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&file, text + "\n").with_context(|| format!("no {}", file.display()))?;
    }
    Ok(report)
}

/// The first Ctrl-C ends the run early; another one ends the program.
async fn stop_on_ctrl_c(stop: CancellationToken) -> Result<()> {
    ctrl_c().await?;
    eprintln!("stopping; what was sent is still checked (Ctrl-C again to end at once)");
    stop.cancel();
    ctrl_c().await?;
    std::process::exit(130)
}
