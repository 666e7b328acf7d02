//! The recorder of metrics and the log, as the example server has them. Both are for the whole
//! process, and stay.

use std::io;
use std::time::Duration;

use anyhow::{Result, anyhow};
use messenger_http::LATENCY_BUCKETS;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;
use tracing_subscriber::EnvFilter;

/// The recorder, which is installed at the first call, and the log with it.
pub(super) fn recorder() -> Result<PrometheusHandle> {
    static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock();
    if let Some(recorder) = &*installed {
        return Ok(recorder.clone());
    }
    start_log()?;
    let recorder = PrometheusBuilder::new()
        .set_buckets(LATENCY_BUCKETS)?
        .install_recorder()?;
    Ok(installed.insert(recorder).clone())
}

/// The log of the example server, but to nowhere: at this level it would hardly have a line.
fn start_log() -> Result<()> {
    tracing_subscriber::fmt()
        .with_writer(io::sink)
        .with_env_filter(EnvFilter::new("info,scylla=warn"))
        .with_ansi(false)
        .try_init()
        .map_err(|error| anyhow!(error))
}

/// Moves measurements into their buckets also while nobody asks for them, as the example does.
pub(super) async fn keep_up(recorder: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        recorder.run_upkeep();
    }
}
