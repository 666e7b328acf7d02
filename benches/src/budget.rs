//! The budget of instructions: how many each bench of `benches/instructions.rs` took when it was
//! last accepted, and how many it may take.
//!
//! Instructions are counted and not timed, so the same build gives the same count on a busy machine
//! and on a quiet one, and a clone too many shows in a pull request. `scripts/check instructions`
//! fails beyond the budget; the bin `budget` accepts the counts of that run as the new one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// By how many percent a bench may exceed the count that was accepted.
///
/// Half a percent is for the seeds of hash maps (see `benches/instructions.rs`). The rest is for what
/// is counted and not ours: the C library's allocation and copying, which differ between the machine
/// of a developer and that of the pipeline, and what the compiler inlines, which moves with code
/// elsewhere. To clone each message of a page once more is a fifth more in the store, and 4 % in the
/// service.
pub const MARGIN_PERCENT: u64 = 3;

/// Where the committed budget is, in the package.
pub const FILE: &str = "budget.toml";

const HEADER: &str = "\
# Instructions that each bench of benches/instructions.rs took, with Rust 1.95 on x86-64.
# `scripts/check instructions` fails when one takes 3 % more. After it, this accepts what it counted,
# be it more or less: cargo run --release -p benches --features instructions --bin budget
";

/// The count that was accepted for each bench.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Budget(BTreeMap<String, u64>);

impl Budget {
    /// Reads the text of the committed file.
    ///
    /// # Errors
    ///
    /// When that is not a table of counts.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).with_context(|| format!("{FILE} is not a table of counts"))
    }

    /// How many instructions a bench may take. One that was never accepted may take none, so it
    /// fails until it is.
    pub fn limit(&self, bench: &str) -> u64 {
        let accepted = self.0.get(bench).copied().unwrap_or(0);
        accepted + accepted * MARGIN_PERCENT / 100
    }

    /// What the benches took in the last run, out of the summaries that gungraun saved below this
    /// directory.
    ///
    /// # Errors
    ///
    /// When there is none, or one cannot be read.
    pub fn of_run(directory: &Path) -> Result<Self> {
        let mut budget = Self::default();
        budget.collect(directory)?;
        ensure!(
            !budget.0.is_empty(),
            "no counts below {}; run `scripts/check instructions` first",
            directory.display()
        );
        Ok(budget)
    }

    fn collect(&mut self, directory: &Path) -> Result<()> {
        let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                self.collect(&path)?;
            } else if path.ends_with("summary.json") {
                let (bench, count) = read_summary(&path).with_context(|| format!("{path:?}"))?;
                self.0.insert(bench, count);
            }
        }
        Ok(())
    }

    /// The text of the file to commit.
    ///
    /// # Errors
    ///
    /// When a count is beyond what TOML can say.
    pub fn to_text(&self) -> Result<String> {
        Ok(format!("{HEADER}\n{}", toml::to_string(self)?))
    }
}

/// The name of a bench, and how many instructions it took.
fn read_summary(file: &Path) -> Result<(String, u64)> {
    let summary: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    let text = |member: &str| summary[member].as_str();
    let bench = text("function_name").zip(text("id"));
    let count = summary.pointer("/profiles/0/data/total/metrics/Ir/values/new");
    bench
        .zip(count.and_then(Value::as_u64))
        .map(|((function, id), count)| (format!("{function}::{id}"), count))
        .context("this is not a summary of gungraun")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_accepted_count_and_a_margin() {
        let budget = Budget::parse("\"id::times_64\" = 10000\nother = 1").unwrap();
        assert_eq!(budget.limit("id::times_64"), 10_300);
        assert_eq!(budget.limit("a new one"), 0);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let counts = [("id::times_64".to_owned(), 10_000)];
        let budget = Budget(counts.into());
        let text = budget.to_text().unwrap();
        assert!(text.starts_with("# "));
        assert_eq!(Budget::parse(&text).unwrap(), budget);
    }

    #[test]
    fn the_committed_budget_can_be_read() {
        Budget::parse(include_str!("../budget.toml")).unwrap();
    }
}
