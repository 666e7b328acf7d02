//! Parsers of single values, with errors that say what a value should look like, and the environment
//! variables that are set.

use std::env;
use std::num::NonZero;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use messenger_http::ServiceConfig;
use tracing_subscriber::EnvFilter;

pub(crate) fn host_and_port(text: &str) -> Result<String> {
    let well_formed = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    ensure!(
        well_formed,
        "it must be a host and a port, such as 127.0.0.1:8000 or [::1]:8000"
    );
    Ok(text.to_owned())
}

pub(crate) fn log_filter(text: &str) -> Result<String> {
    EnvFilter::try_new(text)
        .context("it must be a level (error, warn, info, debug, trace) or levels by module")?;
    Ok(text.to_owned())
}

pub(crate) fn base_path(text: &str) -> Result<String> {
    ServiceConfig::default().with_base_path(text)?;
    Ok(text.to_owned())
}

pub(crate) fn at_least_one(text: &str) -> Result<usize> {
    text.parse::<NonZero<usize>>()
        .map(NonZero::get)
        .ok()
        .context(AT_LEAST_ONE)
}

#[cfg(feature = "jwt")]
pub(crate) fn per_second(text: &str) -> Result<NonZero<u32>> {
    text.parse().ok().context(AT_LEAST_ONE)
}

const AT_LEAST_ONE: &str = "it must be a whole number, 1 or greater";

pub(crate) fn seconds(text: &str) -> Result<Duration> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .context("it must be a number of seconds, such as 30 or 0.5")
}

/// Returns the environment variables that are set and begin so.
pub(crate) fn variables(prefix: &str) -> Vec<String> {
    let mut names: Vec<_> = env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_unstable();
    names
}
