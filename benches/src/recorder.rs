//! The metrics and the log, as a server has them.

use std::io;

use anyhow::{Result, anyhow};
use messenger_http::LATENCY_BUCKETS;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;
use tracing_subscriber::EnvFilter;

/// Returns the recorder of metrics. The first call installs it, together with the log, for the
/// whole process. The log is written nowhere: at this level it would have hardly a line.
pub(crate) fn recorder() -> Result<PrometheusHandle> {
    static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock();
    if let Some(recorder) = &*installed {
        return Ok(recorder.clone());
    }
    tracing_subscriber::fmt()
        .with_writer(io::sink)
        .with_env_filter(EnvFilter::new("info,scylla=warn"))
        .with_ansi(false)
        .try_init()
        .map_err(|error| anyhow!(error))?;
    let recorder = PrometheusBuilder::new()
        .set_buckets(LATENCY_BUCKETS)?
        .install_recorder()?;
    Ok(installed.insert(recorder).clone())
}
