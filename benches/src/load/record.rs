//! How long requests took, and what became of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::mix::Call;
use super::report::{Answers, CallAnswers, Latency};
use super::window::Start;

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was answered with success.
    Answered,
    /// The server had too much to do, and said so (503).
    Shed,
    /// There was no answer in time.
    TimedOut,
    /// Anything else, with what happened.
    Failed(String),
}

/// What all connections have noted. (One lock a request is little next to a request.)
#[derive(Debug)]
pub(super) struct Record(Mutex<Notes>);

/// What was noted about a step.
#[derive(Debug, Default)]
pub(super) struct Notes {
    tallies: [Tally; Call::ALL.len()],
    /// When the last answer came that counts.
    pub(super) last_answer: Option<Instant>,
    /// The first few failures.
    pub(super) failures: Vec<String>,
}

/// One call, or all together.
#[derive(Clone, Debug)]
struct Tally {
    answered: u64,
    /// In microseconds, of what was answered with success and of what timed out: else a stall that
    /// is longer than the timeout would be hidden.
    latency: Histogram<u64>,
    shed: u64,
    failed: u64,
}

impl Record {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Notes a request. In the warm-up only failures count.
    pub(super) fn add(&self, call: Call, start: Start, ended: Instant, outcome: Outcome) {
        self.notes().add(call, start, ended, outcome);
    }

    /// How many requests were answered so far.
    pub(super) fn answered(&self) -> u64 {
        let notes = self.notes();
        notes.tallies.iter().map(|tally| tally.answered).sum()
    }

    /// What was noted; nothing is left.
    pub(super) fn take(&self) -> Notes {
        std::mem::take(&mut *self.notes())
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    /// How many failures are told in full.
    const SHOWN: usize = 5;

    fn add(&mut self, call: Call, start: Start, ended: Instant, outcome: Outcome) {
        let tally = &mut self.tallies[call as usize];
        if start.measured && matches!(outcome, Outcome::Answered | Outcome::TimedOut) {
            let took = ended.saturating_duration_since(start.at);
            tally.latency.saturating_record(micros(took));
        }
        match outcome {
            Outcome::Answered if start.measured => {
                tally.answered += 1;
                self.last_answer = self.last_answer.max(Some(ended));
            }
            Outcome::Shed if start.measured => tally.shed += 1,
            Outcome::Answered | Outcome::Shed => {}
            Outcome::TimedOut => self.fail(call, "no answer in time"),
            Outcome::Failed(what) => self.fail(call, &what),
        }
    }

    fn fail(&mut self, call: Call, what: &str) {
        self.tallies[call as usize].failed += 1;
        if self.failures.len() < Self::SHOWN {
            self.failures.push(format!("{}: {what}", call.name()));
        }
    }

    /// The calls that were made, given how long was measured.
    pub(super) fn calls(&self, measured: Duration) -> Vec<CallAnswers> {
        let calls = Call::ALL.into_iter().zip(&self.tallies);
        let made = calls.filter(|(_, tally)| !tally.is_empty());
        made.map(|(call, tally)| CallAnswers {
            call,
            answers: tally.answers(measured),
        })
        .collect()
    }

    /// All calls together.
    pub(super) fn overall(&self, measured: Duration) -> Answers {
        let mut all = Tally::default();
        for tally in &self.tallies {
            all.answered += tally.answered;
            all.latency += &tally.latency;
            all.shed += tally.shed;
            all.failed += tally.failed;
        }
        all.answers(measured)
    }
}

impl Default for Tally {
    fn default() -> Self {
        /// An hour: longer than any timeout that makes sense. What takes longer counts as this.
        const HIGHEST: u64 = 3_600_000_000;
        Self {
            answered: 0,
            latency: Histogram::new_with_bounds(1, HIGHEST, 3).expect("the bounds are in order"),
            shed: 0,
            failed: 0,
        }
    }
}

impl Tally {
    fn is_empty(&self) -> bool {
        self.answered == 0 && self.shed == 0 && self.failed == 0
    }

    fn answers(&self, measured: Duration) -> Answers {
        let seconds = measured.as_secs_f64();
        Answers {
            answered: self.answered,
            shed: self.shed,
            failed: self.failed,
            achieved_per_second: if seconds > 0.0 {
                self.answered as f64 / seconds
            } else {
                0.0
            },
            latency: self.latency(),
        }
    }

    fn latency(&self) -> Latency {
        let at = |quantile| self.latency.value_at_quantile(quantile);
        Latency {
            p50_micros: at(0.5),
            p90_micros: at(0.9),
            p99_micros: at(0.99),
            p999_micros: at(0.999),
            max_micros: self.latency.max(),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_answered_after_the_warm_up() {
        let record = Record::new();
        let at = Instant::now();
        let add = |call, millis, measured, outcome| {
            let start = Start { at, measured };
            record.add(call, start, at + Duration::from_millis(millis), outcome);
        };
        for millis in 1..=1_000 {
            add(Call::Inbox, millis, true, Outcome::Answered);
        }
        add(Call::Send, 5_000, true, Outcome::Shed);
        add(Call::Send, 5_000, true, Outcome::Failed("no".to_owned()));
        add(
            Call::Send,
            5_000,
            false,
            Outcome::Failed("early".to_owned()),
        );
        add(Call::Inbox, 5_000, false, Outcome::Answered);

        let notes = record.take();
        let overall = notes.overall(Duration::from_secs(10));
        let near = |micros: u64, millis: u64| micros.abs_diff(millis * 1_000) <= millis;
        let latency = &overall.latency;
        assert!(near(latency.p50_micros, 500), "{latency:?}");
        assert!(near(latency.p99_micros, 990), "{latency:?}");
        assert!(near(latency.p999_micros, 999), "{latency:?}");
        assert!(near(latency.max_micros, 1_000), "{latency:?}");
        assert_eq!(
            (overall.answered, overall.shed, overall.failed),
            (1_000, 1, 2)
        );
        assert_eq!(overall.achieved_per_second, 100.0);
        assert_eq!(notes.failures, ["send: no", "send: early"]);
        let calls = notes.calls(Duration::from_secs(10));
        let calls: Vec<_> = calls.iter().map(|call| call.call).collect();
        assert_eq!(calls, [Call::Send, Call::Inbox]);
    }

    #[test]
    fn a_request_that_timed_out_took_its_time() {
        let record = Record::new();
        let (at, measured) = (Instant::now(), true);
        let ended = at + Duration::from_secs(1);
        record.add(Call::Send, Start { at, measured }, ended, Outcome::TimedOut);
        let overall = record.take().overall(Duration::from_secs(10));
        assert_eq!((overall.answered, overall.failed), (0, 1));
        assert!(overall.latency.p50_micros >= 1_000_000, "{overall:?}");
    }
}
