//! Signals that stop the program: SIGTERM and Ctrl-C (SIGINT).

use std::io;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, future, stream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// The stop signals of the process.
pub(crate) type StopSignals = Pin<Box<dyn Stream<Item = ()> + Send>>;

/// Returns the stop signals that arrive from now on.
pub(crate) fn stop_signals() -> io::Result<StopSignals> {
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| {
        let signals = signal(kind)?;
        io::Result::Ok(Box::pin(stream::unfold(signals, async |mut signals| {
            signals.recv().await.map(|()| ((), signals))
        })))
    });
    let [terminate, interrupt] = signals;
    Ok(without_repetitions(stream::select(terminate?, interrupt?)).boxed())
}

/// Leaves out a signal that comes right after another one: a supervisor may signal both the process
/// and its group, and that is one signal.
fn without_repetitions(signals: impl Stream<Item = ()> + Send) -> impl Stream<Item = ()> + Send {
    const RIGHT_AFTER: Duration = Duration::from_millis(100);
    let mut last = None::<Instant>;
    signals.filter(move |()| {
        let is_new = last.is_none_or(|last| last.elapsed() > RIGHT_AFTER);
        if is_new {
            last = Some(Instant::now());
        }
        future::ready(is_new)
    })
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn signals_at_the_same_time_are_one() {
        let pauses = stream::iter([0, 0, 50, 500, 99, 101]).map(Duration::from_millis);
        let signals = pauses.then(sleep);
        assert_eq!(without_repetitions(signals).count().await, 3);
    }
}
