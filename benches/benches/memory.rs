//! The memory store against bare ordered maps:
//! `cargo bench -p benches --features criterion --bench memory`.

mod groups;

use anyhow::Result;
use benches::memory::{Sizes, pairs};
use tokio::runtime;

fn main() -> Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let pairs = runtime.block_on(pairs(&Sizes::default()))?;
    groups::measure(&pairs, &runtime);
    Ok(())
}
