//! The server against hyper that answers the same bytes:
//! `cargo bench -p benches --features criterion --bench http`.

mod groups;

use anyhow::Result;
use benches::http::pairs;
use tokio::runtime;

fn main() -> Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let pairs = runtime.block_on(pairs())?;
    groups::measure(&pairs, &runtime);
    Ok(())
}
