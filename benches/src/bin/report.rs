//! Writes what was measured into `docs/performance.md`, and draws its charts:
//! `cargo run --release -p benches --features charts --bin report`. `scripts/measure` calls it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use benches::report::{Figures, Machine, charts, write_tables};
use clap::Parser;
use scylla::client::session_builder::SessionBuilder;

/// Writes what was measured into the report, and draws its charts.
#[derive(Debug, Parser)]
#[command(name = "report")]
struct Arguments {
    /// Where the figures are, as JSON. [default: target/performance]
    #[arg(long, value_name = "DIRECTORY")]
    figures: Option<PathBuf>,

    /// Where performance.md is, and the directory performance of the charts. [default: docs]
    #[arg(long, value_name = "DIRECTORY")]
    docs: Option<PathBuf>,

    /// First notes that the figures were measured on this machine, with this command.
    #[arg(long, value_name = "COMMAND")]
    measured_by: Option<String>,

    /// With --measured-by: nodes that the figures come from, to ask for their version.
    #[arg(
        long,
        env = "MESSENGER_CASSANDRA_NODES",
        value_name = "HOST:PORT,…",
        value_delimiter = ','
    )]
    cassandra_nodes: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let or_default = |given: Option<PathBuf>, default| given.unwrap_or(workspace.join(default));
    let figures = or_default(arguments.figures, "target/performance");
    let docs = or_default(arguments.docs, "docs");
    if let Some(command) = arguments.measured_by {
        let cassandra = cassandra_version(&arguments.cassandra_nodes).await?;
        let machine = Machine::here(command, cassandra)?;
        fs::create_dir_all(&figures)?;
        let text = serde_json::to_string_pretty(&machine)?;
        fs::write(figures.join("machine.json"), text)?;
    }
    let figures = Figures::read(&figures)?;
    write_tables(&figures, &docs.join("performance.md"))?;
    charts::draw_all(&figures, &docs.join("performance"))
}

async fn cassandra_version(nodes: &[String]) -> Result<Option<String>> {
    // A variable that is set to nothing names no node.
    if nodes.iter().all(String::is_empty) {
        return Ok(None);
    }
    let session = SessionBuilder::new().known_nodes(nodes).build().await?;
    let rows = session
        .query_unpaged("SELECT release_version FROM system.local", ())
        .await?
        .into_rows_result()?;
    let (version,) = rows.single_row::<(String,)>().context("a node's version")?;
    Ok(Some(version))
}
