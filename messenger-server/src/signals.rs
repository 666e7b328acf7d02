//! Signals that stop the program: SIGTERM and Ctrl-C (SIGINT).

use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::{Stream, stream};
use tokio::signal::unix::{SignalKind, signal};

/// A supervisor may signal both the process and its group. Within this time that is one signal.
const ONE_SIGNAL: Duration = Duration::from_millis(100);

/// The stop signals of the process.
pub(crate) type StopSignals = Pin<Box<dyn Stream<Item = ()> + Send>>;

/// Returns the stop signals that arrive from now on.
pub(crate) fn stop_signals() -> io::Result<StopSignals> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    let state = (terminate, interrupt, None::<Instant>);
    Ok(Box::pin(stream::unfold(
        state,
        |(mut terminate, mut interrupt, last)| async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if last.is_none_or(|last| last.elapsed() > ONE_SIGNAL) {
                    return Some(((), (terminate, interrupt, Some(Instant::now()))));
                }
            }
        },
    )))
}
