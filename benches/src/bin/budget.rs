//! Accepts the counts of the last `scripts/check instructions` as the budget:
//! `cargo run --release -p benches --features instructions --bin budget`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use benches::budget::{Budget, FILE};

fn main() -> Result<()> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let budget = Budget::of_run(&package.join("../target/instructions"))?;
    let file = package.join(FILE);
    fs::write(&file, budget.to_text()?).with_context(|| file.display().to_string())
}
