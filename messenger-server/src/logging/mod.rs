//! The log on standard error.
//!
//! Losing standard error loses the log and nothing else: lines go through a queue of their own
//! thread (see [`Lines`]), and no call of the log blocks or fails.

mod lines;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::Result;
use tracing::error;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::arguments::{LogArguments, LogFormat};
use crate::report::with_causes;

pub(crate) use lines::Lines;

/// The filter if none is given.
pub(crate) const DEFAULT_FILTER: &str = "info,scylla=warn";

/// Lines that wait for standard error at most: some megabytes.
const QUEUED_LINES: usize = 10_000;

/// The running log.
pub(crate) struct Log {
    format: LogFormat,
    filter: String,
    active: reload::Handle<EnvFilter, Registry>,
    lines: Lines,
}

impl Log {
    /// Starts the log, for the whole process.
    ///
    /// With the default filter the Cassandra driver is silent until
    /// [`store_is_open`](Self::store_is_open): if it cannot connect, the program says so itself, in
    /// one line.
    pub(crate) fn start(arguments: &LogArguments) -> Result<Self> {
        let lines = Lines::to(io::stderr(), QUEUED_LINES)?;
        let initial = match arguments.filter.as_str() {
            DEFAULT_FILTER => format!("{DEFAULT_FILTER},scylla=off"),
            filter => filter.to_owned(),
        };
        let (filter, active) = reload::Layer::new(EnvFilter::try_new(initial)?);
        let writer = lines.clone();
        let layer = fmt::layer().with_writer(move || writer.clone());
        let layer = match arguments.format {
            LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
            LogFormat::Json => layer.json().boxed(),
        };
        tracing_subscriber::registry()
            .with(filter)
            .with(layer)
            .init();
        // The default hook writes to standard error, which may block.
        std::panic::set_hook(Box::new(|panic| error!("{panic}")));
        Ok(Self {
            format: arguments.format,
            filter: arguments.filter.clone(),
            active,
            lines,
        })
    }

    /// Turns on what was silent until the store was open.
    pub(crate) fn store_is_open(&self) -> Result<()> {
        Ok(self.active.reload(EnvFilter::try_new(&self.filter)?)?)
    }

    /// Returns the writer, which counts lost lines.
    pub(crate) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Writes the error with which the program ends, if there is one, and the lines that wait.
    pub(crate) fn end(self, result: &Result<()>) {
        const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
        if let Err(error) = result {
            let text = with_causes(error);
            match self.format {
                LogFormat::Text => self.lines.push(format!("error: {text}\n").into_bytes()),
                LogFormat::Json => error!("{text}"),
            }
        }
        self.lines.flush(FLUSH_TIMEOUT);
    }
}
