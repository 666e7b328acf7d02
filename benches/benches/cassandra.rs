//! The store on Cassandra against the bare driver:
//! `cargo bench -p benches --features criterion --bench cassandra`.
//!
//! On the nodes named in `MESSENGER_CASSANDRA_NODES`, else on one that is started for it; where none
//! can be, nothing is measured.

mod groups;

use anyhow::Result;
use benches::cassandra::{Node, Sizes, pairs};
use tokio::runtime;

fn main() -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let node = match runtime.block_on(Node::find_or_start()) {
        Ok(node) => node,
        Err(missing) if missing.is_skip() => {
            eprintln!("nothing is measured: {missing}");
            return Ok(());
        }
        Err(broken) => return Err(broken.into()),
    };
    let pairs = runtime.block_on(pairs(&node, &Sizes::default()))?;
    groups::measure(&pairs, &runtime);
    Ok(())
}
