//! What a run found, as JSON has it. Units are in the names.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mix::Call;
use super::options::Options;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How it was run.
    pub settings: Settings,
    /// One for each rate, in the order of the run; a single one for a closed loop.
    pub steps: Vec<Step>,
    /// What was found about a bound of p99, if there was one.
    pub bound: Option<Bound>,
    /// The idle connections, if there were any.
    pub idle: Option<Idle>,
    /// Whether everything that was acknowledged is there.
    pub sends: Sends,
}

/// How a run was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How many connections made requests.
    pub connections: u32,
    /// How often each call was made in relation to the others, as `--mix` takes it.
    pub mix: String,
    /// How many users there were.
    pub users: u32,
    /// How many items a page had.
    pub limit: usize,
    /// The share of sends with an idempotency key.
    pub keyed_share: f64,
    /// What the random choices followed from.
    pub seed: u64,
    /// How many requests that were due could wait for a connection.
    pub max_waiting: u32,
    /// How long each step ran before it was measured.
    pub warm_up_seconds: f64,
    /// How long a request could take, from when it was due.
    pub timeout_seconds: f64,
}

/// What was measured at one rate, or in a closed loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The rate at which requests were due in an open loop; none in a closed one.
    pub offered_per_second: Option<f64>,
    /// How long was measured, warm-up not included.
    pub measured_seconds: f64,
    /// How many requests of an open loop were due and not started, since too many waited, they had
    /// waited for too long, or the run was ended.
    pub not_started: u64,
    /// All calls together.
    pub overall: Answers,
    /// Each call that was made.
    pub calls: Vec<CallAnswers>,
    /// What happened, for the first few of the requests that failed.
    pub failures: Vec<String>,
}

/// One call within a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallAnswers {
    /// Which call.
    pub call: Call,
    /// What came of it.
    #[serde(flatten)]
    pub answers: Answers,
}

/// What came of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// How many were answered with success.
    pub answered: u64,
    /// How many the server was too busy for, and said so with 503.
    pub shed: u64,
    /// How many failed in any other way; those of the warm-up too, since none should.
    pub failed: u64,
    /// How many were answered with success in a second.
    pub achieved_per_second: f64,
    /// How long those took that were answered with success, or timed out.
    pub latency: Latency,
}

/// How long answers took, with an error of at most one in a thousand: from when a request was sent
/// in a closed loop, from when it was due in an open one. A request with no answer in time is among
/// them, with the time after which it was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50_micros: u64,
    /// Nine of ten took no longer.
    pub p90_micros: u64,
    /// All but one in a hundred took no longer.
    pub p99_micros: u64,
    /// All but one in a thousand took no longer.
    pub p999_micros: u64,
    /// None took longer.
    pub max_micros: u64,
}

/// How much the server holds with p99 under a bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// The bound.
    pub p99_micros: u64,
    /// The highest rate offered that held it; none if none did.
    pub highest_held_per_second: Option<f64>,
    /// Whether a rate was met that did not hold it. If not, the server may hold more.
    pub reached: bool,
}

/// Connections that did nothing while load ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idle {
    /// How many were opened, and answered once.
    pub opened: u64,
    /// How many of them answered again at the end.
    pub answered_at_the_end: u64,
    /// By how much the server's resident memory grew for each while they were opened; none if its
    /// process was not named.
    pub resident_bytes_each: Option<i64>,
}

/// Whether everything that was acknowledged is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sends {
    /// How many messages the server acknowledged, those before the measurement included.
    pub acknowledged: u64,
    /// How many of them were found at the end.
    pub found: u64,
    /// What was answered instead, for the first few that were not found.
    pub missing: Vec<String>,
}

impl Report {
    /// Whether nothing was lost and no request failed.
    pub fn is_clean(&self) -> bool {
        let failed = self.steps.iter().any(|step| step.overall.failed > 0);
        !failed && self.sends.found == self.sends.acknowledged
    }
}

impl Step {
    /// Whether p99 stayed within this bound. A request that was not served took longer than any
    /// bound, so there must be none.
    pub fn holds(&self, p99: Duration) -> bool {
        let unserved = self.not_started + self.overall.shed + self.overall.failed;
        let p99_micros = self.overall.latency.p99_micros;
        unserved == 0 && Duration::from_micros(p99_micros) <= p99
    }
}

impl Settings {
    /// Those of these options.
    pub(super) fn of(options: &Options) -> Self {
        Self {
            connections: options.connections,
            mix: options.mix.to_string(),
            users: options.users,
            limit: options.limit.get(),
            keyed_share: options.keyed,
            seed: options.seed,
            max_waiting: options.max_waiting,
            warm_up_seconds: options.warm_up.as_secs_f64(),
            timeout_seconds: options.timeout.as_secs_f64(),
        }
    }
}

impl Bound {
    /// What the steps say about a bound.
    pub(super) fn of(steps: &[Step], p99: Duration) -> Self {
        let held = steps.iter().filter(|step| step.holds(p99));
        let rates = held.filter_map(|step| step.offered_per_second);
        Self {
            p99_micros: u64::try_from(p99.as_micros()).unwrap_or(u64::MAX),
            highest_held_per_second: rates.max_by(f64::total_cmp),
            reached: !steps.iter().all(|step| step.holds(p99)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(offered: f64, p99_micros: u64) -> Step {
        let latency = Latency {
            p50_micros: 100,
            p90_micros: 200,
            p99_micros,
            p999_micros: p99_micros,
            max_micros: p99_micros,
        };
        let overall = Answers {
            answered: 100,
            shed: 0,
            failed: 0,
            achieved_per_second: offered,
            latency,
        };
        Step {
            offered_per_second: Some(offered),
            measured_seconds: 1.0,
            not_started: 0,
            calls: vec![CallAnswers {
                call: Call::Before,
                answers: overall.clone(),
            }],
            overall,
            failures: Vec::new(),
        }
    }

    #[test]
    fn a_rate_holds_if_p99_is_within_the_bound_and_all_were_served() {
        let bound = Duration::from_millis(50);
        let holds = |change: fn(&mut Step)| {
            let mut step = step(500.0, 50_000);
            change(&mut step);
            step.holds(bound)
        };
        assert!(holds(|_| ()));
        assert!(!holds(|step| step.overall.latency.p99_micros += 1));
        assert!(!holds(|step| step.not_started = 1));
        assert!(!holds(|step| step.overall.shed = 1));
        assert!(!holds(|step| step.overall.failed = 1));
    }

    #[test]
    fn the_highest_rate_is_the_last_that_held() {
        let bound = Duration::from_millis(50);
        let steps = [
            step(500.0, 900),
            step(1_000.0, 9_000),
            step(2_000.0, 90_000),
        ];
        let found = Bound::of(&steps, bound);
        assert_eq!(found.highest_held_per_second, Some(1_000.0));
        assert!(found.reached);
        assert!(!Bound::of(&steps[..2], bound).reached);
        assert_eq!(Bound::of(&steps[2..], bound).highest_held_per_second, None);
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let step = step(500.0, 900);
        let json = serde_json::to_string(&step).unwrap();
        assert!(json.contains(r#""call":"before","answered":100"#), "{json}");
        assert_eq!(serde_json::from_str::<Step>(&json).unwrap(), step);
    }
}
