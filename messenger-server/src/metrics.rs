//! Measurements, for `/metrics`.

use std::time::Duration;

use anyhow::Result;
use messenger_http::LATENCY_BUCKETS;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::logging::Log;

const LOST_LINES: &str = "messenger_log_lines_lost_total";

/// Installs the recorder, and returns what renders it.
///
/// Call it before the store is opened, which may hold on to its measurements.
pub(crate) fn install(log: &Log) -> Result<impl Fn() -> String + Send + Sync + use<>> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(LATENCY_BUCKETS)?
        .install_recorder()?;
    metrics::describe_counter!(
        LOST_LINES,
        "Log lines lost because standard error could not take them"
    );
    let lines = log.lines();
    let lost = metrics::counter!(LOST_LINES);
    tokio::spawn(keep_up(recorder.clone()));
    Ok(move || {
        lost.absolute(lines.lost());
        recorder.render()
    })
}

/// Moves measurements into their buckets even if nobody asks for them; otherwise they pile up.
async fn keep_up(recorder: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        recorder.run_upkeep();
    }
}
