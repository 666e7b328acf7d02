//! How far a step is: a bar, or where there is no terminal a line now and then.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::record::Record;
use super::window::Window;

/// Tells how far a step is, for ever. It ends when the future is dropped.
pub(super) async fn tell(name: &str, window: &Window, record: &Record) {
    let bar = Bar::new(name, window.length());
    let mut ticks = tokio::time::interval(Bar::BETWEEN_TICKS);
    let mut last_line = Instant::now();
    loop {
        ticks.tick().await;
        let elapsed = window.begun().elapsed().min(window.length());
        let answered = record.answered();
        bar.0.set_position(millis(elapsed));
        bar.0.set_message(format!("{answered} answered"));
        if bar.0.is_hidden() && last_line.elapsed() >= Bar::BETWEEN_LINES {
            last_line = Instant::now();
            let left = (window.length() - elapsed).as_secs();
            eprintln!("{name}: {answered} answered, {left} s left");
        }
    }
}

/// Is gone from the terminal when it is dropped.
struct Bar(ProgressBar);

impl Bar {
    const BETWEEN_TICKS: Duration = Duration::from_millis(250);
    const BETWEEN_LINES: Duration = Duration::from_secs(5);

    fn new(name: &str, length: Duration) -> Self {
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {msg}, {eta} left")
            .expect("the template is well-formed");
        let bar = ProgressBar::new(millis(length)).with_style(style);
        Self(bar.with_prefix(name.to_owned()))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
