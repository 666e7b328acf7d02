//! The charts of the report, as SVG.
//!
//! Each is drawn on white, since a page may be dark, and its text is text: whoever shows it chooses
//! the font. A chart of which a figure is missing is left as it stands.

mod baselines;
mod cost;
mod latency;
mod look;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Figures;
use crate::ratio::Ratio;

/// A chart as SVG, or the file of figures that is missing for it.
type Chart = Result<String, &'static str>;

/// Draws every chart whose figures are there into this directory, and says on the standard error
/// which are left.
///
/// # Errors
///
/// When a chart cannot be drawn or written.
pub fn draw_all(figures: &Figures, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    for (name, chart) in all(figures)? {
        let file = directory.join(name);
        match chart {
            Ok(svg) => fs::write(&file, svg).with_context(|| file.display().to_string())?,
            Err(missing) => eprintln!("{name} left as it stands: there is no {missing}"),
        }
    }
    Ok(())
}

fn all(figures: &Figures) -> Result<[(&'static str, Chart); 4]> {
    Ok([
        ("history.svg", pages(figures, cost::HISTORY)?),
        ("inbox.svg", pages(figures, cost::INBOX)?),
        ("load.svg", load(figures)?),
        ("baselines.svg", baselines(figures)?),
    ])
}

const MEMORY: &str = "ratios-memory.json";
const HTTP: &str = "ratios-http.json";
const CASSANDRA: &str = "ratios-cassandra.json";

fn pages(figures: &Figures, list: cost::List) -> Result<Chart> {
    let Some(memory) = &figures.memory else {
        return Ok(Err(MEMORY));
    };
    let Some(cassandra) = &figures.cassandra else {
        return Ok(Err(CASSANDRA));
    };
    cost::draw(list, memory, cassandra).map(Ok)
}

fn load(figures: &Figures) -> Result<Chart> {
    let Some(memory) = &figures.load_memory else {
        return Ok(Err("load-memory.json"));
    };
    let Some(cassandra) = &figures.load_cassandra else {
        return Ok(Err("load-cassandra.json"));
    };
    latency::draw(memory, cassandra).map(Ok)
}

fn baselines(figures: &Figures) -> Result<Chart> {
    let parts = [
        (&figures.memory, MEMORY),
        (&figures.http, HTTP),
        (&figures.cassandra, CASSANDRA),
    ];
    let mut ratios: Vec<&Ratio> = Vec::new();
    for (part, file) in parts {
        let Some(part) = part else {
            return Ok(Err(file));
        };
        ratios.extend(part);
    }
    baselines::draw(&ratios).map(Ok)
}

#[cfg(test)]
mod tests;
