//! The progress of a copy on standard error.

use std::io::{self, Write as _};
use std::time::Duration;

use indicatif::ProgressBar;

use super::Counts;

/// Runs a phase and shows its progress: on a terminal in a line that changes, otherwise in a
/// line every few seconds.
pub(super) async fn shown<T>(phase: &str, counts: &Counts, work: impl Future<Output = T>) -> T {
    let line = ProgressBar::new_spinner();
    let period = match line.is_hidden() {
        true => Duration::from_secs(5),
        false => Duration::from_millis(200),
    };
    let mut ticks = tokio::time::interval(period);
    // The first tick is immediate.
    ticks.tick().await;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => {
                line.finish_and_clear();
                return result;
            }
            _ = ticks.tick() => {
                if line.is_hidden() {
                    let _ = writeln!(io::stderr(), "{phase}: {counts}");
                } else {
                    line.set_message(format!("{phase}: {counts}"));
                    line.tick();
                }
            }
        }
    }
}
