//! The state of a service, which all its requests share.

use std::any::Any;
use std::fmt;
use std::sync::LazyLock;

use messenger_core::{Error, ErrorKind, Messenger};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::answer::Asset;
use crate::auth::Rates;
use crate::config::ServiceConfig;
use crate::limits::{InFlight, Limits};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) messenger: Messenger,
    pub(crate) config: ServiceConfig,
    pub(crate) limits: Limits,
    pub(crate) rates: Rates,
    pub(crate) document: Document,
    /// Writes, which outlive their requests.
    pub(crate) writes: TaskTracker,
    stopping: CancellationToken,
}

/// The end of a write.
#[derive(Debug)]
pub(crate) enum Written<T> {
    Done(Result<T, Error>),
    Panicked,
    /// It goes on.
    NotInTime,
}

impl State {
    pub(crate) fn new(
        messenger: Messenger,
        config: ServiceConfig,
        limits: Limits,
        document: Document,
    ) -> Self {
        Self {
            messenger,
            rates: Rates::new(&config),
            config,
            limits,
            document,
            writes: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }
    }

    /// Returns the path under which the service is mounted.
    pub(crate) fn base(&self) -> &str {
        self.config.base_path.as_str()
    }

    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    /// Returns a token that is cancelled when the server begins to stop.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Runs a write in a task of its own: it goes on when the client leaves, or when its time is
    /// over, and counts as in flight until it is done.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        in_flight: Option<InFlight>,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Written<T> {
        let work = async move {
            let _in_flight = in_flight;
            work.await
        };
        let task = self.writes.spawn(work.in_current_span());
        match tokio::time::timeout(self.config.request_timeout, task).await {
            Ok(Ok(done)) => Written::Done(done),
            // The panic itself is in the log, by its hook.
            Ok(Err(_)) => Written::Panicked,
            Err(_) => Written::NotInTime,
        }
    }
}

/// The OpenAPI document of a service, written when it is first asked for.
pub(crate) struct Document(LazyLock<Asset, Box<dyn FnOnce() -> Asset + Send + Sync>>);

impl Document {
    pub(crate) fn new(write: impl FnOnce() -> Asset + Send + Sync + 'static) -> Self {
        Self(LazyLock::new(Box::new(write)))
    }

    pub(crate) fn asset(&self) -> &Asset {
        &self.0
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document")
    }
}

/// Makes an error of a panic.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::new(
        ErrorKind::Internal,
        format!("a handler panicked: {message}"),
    )
}
