//! One step of a run: warms up, then measures at one pace.

use std::sync::Arc;

use anyhow::Result;
use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;

use super::Bench;
use super::lane::Lane;
use super::pace::{Arrivals, Pace};
use super::progress;
use super::record::Record;
use super::report::Step;
use super::starts::Starts;
use super::window::Window;

/// Runs a step to its end, or until it is told to stop.
pub(super) async fn run(bench: &Arc<Bench>, pace: Pace, stop: &CancellationToken) -> Result<Step> {
    let options = &bench.options;
    let window = Arc::new(Window::new(
        options.warm_up,
        options.duration,
        options.requests,
        stop.clone(),
    ));
    let starts = Arc::new(starts(bench, pace, Arc::clone(&window)));
    let record = Arc::new(Record::new());
    let lanes = (0..options.connections).map(|number| {
        let lane = Lane::new(Arc::clone(bench), number);
        tokio::spawn(lane.run(Arc::clone(&starts), Arc::clone(&record)))
    });
    let name = name(pace);
    let ended = tokio::select! {
        ended = try_join_all(lanes) => ended?,
        () = progress::tell(&name, &window, &record) => Vec::new(),
    };
    ended.into_iter().collect::<Result<()>>()?;
    Ok(report(pace, &starts, &window, &record).await)
}

fn starts(bench: &Bench, pace: Pace, window: Arc<Window>) -> Starts {
    let options = &bench.options;
    match pace {
        Pace::Closed => Starts::closed(window),
        Pace::Open { per_second } => Starts::open(
            window,
            Arrivals::new(per_second, options.seed),
            options.max_waiting as usize,
            options.timeout,
        ),
    }
}

async fn report(pace: Pace, starts: &Starts, window: &Window, record: &Record) -> Step {
    let notes = record.take();
    let measured = window.measured(notes.last_answer);
    Step {
        offered_per_second: match pace {
            Pace::Closed => None,
            Pace::Open { per_second } => Some(per_second),
        },
        measured_seconds: measured.as_secs_f64(),
        not_started: starts.not_started().await,
        overall: notes.overall(measured),
        calls: notes.calls(measured),
        failures: notes.failures,
    }
}

fn name(pace: Pace) -> String {
    match pace {
        Pace::Closed => "closed loop".to_owned(),
        Pace::Open { per_second } => format!("{per_second}/s"),
    }
}
