//! Measures a pair by turns: a twentieth of a second of the one side, as much of the other, and so on,
//! each as often first as the other. A round is ten such turns of both; the figure is the median of
//! the rounds' ratios.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::pair::{Pair, Side};

/// How many calls of each lane are prepared at a time. What is prepared is then still in the
/// processor's caches, as a message is that was just parsed.
const PREPARED: u64 = 4096;

/// For how long a pair is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    rounds: usize,
    turns: u32,
    turn: Duration,
}

impl Effort {
    /// So many rounds of a second, after one to get warm.
    ///
    /// # Panics
    ///
    /// If there are no rounds.
    pub fn rounds(rounds: usize) -> Self {
        assert!(rounds > 0, "a median needs a round");
        Self {
            rounds,
            turns: 10,
            turn: Duration::from_millis(50),
        }
    }

    /// Each round is over after a tenth of the time: figures to see that all works, not to quote.
    #[must_use]
    pub fn quick(self) -> Self {
        Self {
            turns: 4,
            turn: Duration::from_millis(25),
            ..self
        }
    }
}

/// How one pair stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The name of the pair.
    pub name: String,
    /// How many calls were in flight at once.
    pub in_flight: usize,
    /// The rate of the subject in relation to that of the baseline: the median of the rounds. One
    /// is as fast, a half is half as fast.
    pub median: f64,
    /// The least ratio of a round.
    pub least: f64,
    /// The greatest ratio of a round.
    pub most: f64,
    /// Calls of the subject in a second: the median of the rounds.
    pub subject_per_second: f64,
    /// Calls of the baseline in a second: the median of the rounds.
    pub baseline_per_second: f64,
    /// How many rounds.
    pub rounds: usize,
    /// The ratio that is to be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<f64>,
    /// What the servers of both sides took, where they have threads of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerTime>,
}

/// The CPU time of the servers of both sides. The clients share the machine with them, so rates
/// alone say too little about servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerTime {
    /// The baseline's time for a call in relation to the subject's: the median of the rounds. One
    /// is as much, a half is twice as much for the subject.
    pub median: f64,
    /// Microseconds of CPU time for each call of the subject: the median of the rounds.
    pub subject_micros: f64,
    /// Microseconds of CPU time for each call of the baseline: the median of the rounds.
    pub baseline_micros: f64,
}

/// What `ratios` writes as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What was measured: `memory`, `http`, `cassandra` or `all`.
    pub subject: String,
    /// How many processors the machine has for this process.
    pub cores: usize,
    /// How each pair stands, once for each number of calls in flight.
    pub ratios: Vec<Ratio>,
}

impl Ratio {
    /// Whether the goal is reached, if there is one.
    pub fn is_reached(&self) -> Option<bool> {
        self.goal.map(|goal| self.median >= goal)
    }

    /// How long one call of the subject took, in microseconds.
    pub fn subject_micros(&self) -> f64 {
        self.in_flight as f64 * 1e6 / self.subject_per_second
    }

    fn of(pair: &Pair, in_flight: usize, rounds: &[Round]) -> Self {
        let each = |figure: fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
        let mut ratios = each(|[subject, baseline]| subject.rate() / baseline.rate());
        Self {
            name: pair.name.clone(),
            in_flight,
            median: median(&mut ratios),
            least: ratios[0],
            most: ratios[ratios.len() - 1],
            subject_per_second: median(&mut each(|[subject, _]| subject.rate())),
            baseline_per_second: median(&mut each(|[_, baseline]| baseline.rate())),
            rounds: rounds.len(),
            goal: pair.goal,
            server: ServerTime::of(rounds),
        }
    }
}

impl ServerTime {
    fn of(rounds: &[Round]) -> Option<Self> {
        let micros: Vec<[f64; 2]> = rounds
            .iter()
            .map(|[subject, baseline]| Some([subject.server_micros()?, baseline.server_micros()?]))
            .collect::<Option<_>>()?;
        let each = |figure: fn(&[f64; 2]) -> f64| micros.iter().map(figure).collect::<Vec<_>>();
        Some(Self {
            median: median(&mut each(|[subject, baseline]| baseline / subject)),
            subject_micros: median(&mut each(|[subject, _]| *subject)),
            baseline_micros: median(&mut each(|[_, baseline]| *baseline)),
        })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<44} {:>3} in flight  {:.2} ({:.2} to {:.2})  {:>9.0}/s against {:>9.0}/s",
            self.name,
            self.in_flight,
            self.median,
            self.least,
            self.most,
            self.subject_per_second,
            self.baseline_per_second
        )?;
        if let Some(server) = &self.server {
            write!(f, "  {server}")?;
        }
        if let (Some(goal), Some(is_reached)) = (self.goal, self.is_reached()) {
            let word = if is_reached { "reached" } else { "missed" };
            write!(f, "  goal {goal:.2}: {word}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ServerTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "server CPU {:.2} ({:.1} µs against {:.1} µs)",
            self.median, self.subject_micros, self.baseline_micros
        )
    }
}

/// Measures a pair with so many calls in flight, after a round to get warm.
///
/// # Errors
///
/// What a side answers.
pub async fn measure(pair: &Pair, in_flight: usize, effort: Effort) -> Result<Ratio> {
    let rounds = measure_rounds(pair, in_flight, effort).await;
    Ok(Ratio::of(
        pair,
        in_flight,
        &rounds.with_context(|| pair.name.clone())?,
    ))
}

async fn measure_rounds(pair: &Pair, in_flight: usize, effort: Effort) -> Result<Vec<Round>> {
    let runners = [
        Runner::calibrated(&pair.subject, in_flight, effort.turn).await?,
        Runner::calibrated(&pair.baseline, in_flight, effort.turn).await?,
    ];
    let mut rounds = Vec::with_capacity(effort.rounds);
    round(&runners, effort.turns).await?;
    for _ in 0..effort.rounds {
        rounds.push(round(&runners, effort.turns).await?);
    }
    Ok(rounds)
}

/// The one in the middle; sorts them on the way.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What subject and baseline did in a round.
type Round = [Work; 2];

async fn round(runners: &[Runner<'_>; 2], turns: u32) -> Result<Round> {
    let mut round = Round::default();
    for turn in 0..turns {
        // Each is first as often as the other.
        for side in [turn % 2, (turn + 1) % 2].map(|side| side as usize) {
            round[side].add(runners[side].take_turn().await?);
        }
    }
    Ok(round)
}

/// How much a side did, and in what time.
#[derive(Clone, Copy, Debug)]
struct Work {
    calls: f64,
    time: Duration,
    server_time: Option<Duration>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            calls: 0.0,
            time: Duration::ZERO,
            server_time: Some(Duration::ZERO),
        }
    }
}

impl Work {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.time += other.time;
        self.server_time = self
            .server_time
            .zip(other.server_time)
            .map(|(one, other)| one + other);
    }

    fn rate(&self) -> f64 {
        self.calls / self.time.as_secs_f64()
    }

    fn server_micros(&self) -> Option<f64> {
        Some(self.server_time?.as_secs_f64() * 1e6 / self.calls)
    }
}

/// A side, and how often it has to run in each lane to take a turn's time.
struct Runner<'a> {
    side: &'a Arc<dyn Side>,
    in_flight: usize,
    times: u64,
}

impl<'a> Runner<'a> {
    async fn calibrated(side: &'a Arc<dyn Side>, in_flight: usize, turn: Duration) -> Result<Self> {
        let mut times = 1;
        loop {
            let taken = run(side, in_flight, times).await?;
            if taken >= turn / 4 {
                let share = turn.as_secs_f64() / taken.as_secs_f64();
                let times = ((times as f64 * share) as u64).max(1);
                return Ok(Self {
                    side,
                    in_flight,
                    times,
                });
            }
            times *= 2;
        }
    }

    async fn take_turn(&self) -> Result<Work> {
        let before = self.side.server_time();
        let time = run(self.side, self.in_flight, self.times).await?;
        let after = self.side.server_time();
        Ok(Work {
            calls: self.times as f64 * self.in_flight as f64,
            time,
            server_time: after.zip(before).map(|(after, before)| after - before),
        })
    }
}

/// Runs a side so often in each of so many lanes, and gives how long that took.
///
/// # Errors
///
/// What the side answers.
pub async fn run(side: &Arc<dyn Side>, in_flight: usize, times: u64) -> Result<Duration> {
    let mut taken = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let now = left.min(PREPARED);
        side.prepare(now * in_flight as u64).await?;
        let started = Instant::now();
        run_lanes(side, in_flight, now).await?;
        taken += started.elapsed();
        left -= now;
    }
    Ok(taken)
}

async fn run_lanes(side: &Arc<dyn Side>, in_flight: usize, times: u64) -> Result<()> {
    if in_flight == 1 {
        // No task for what takes nanoseconds.
        return side.run(times).await;
    }
    let lanes = (0..in_flight).map(|_| {
        let side = Arc::clone(side);
        tokio::spawn(async move { side.run(times).await })
    });
    for lane in try_join_all(lanes).await? {
        lane?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use parking_lot::Mutex;

    use super::*;

    struct Sleeps(Duration);

    #[async_trait]
    impl Side for Sleeps {
        async fn run(&self, times: u64) -> Result<()> {
            for _ in 0..times {
                tokio::time::sleep(self.0).await;
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn one_that_takes_twice_as_long_has_half_the_rate() {
        let pair = Pair::new(
            "sleep",
            Sleeps(Duration::from_millis(8)),
            Sleeps(Duration::from_millis(4)),
        )
        .with_goal(0.9);
        let effort = Effort::rounds(1).quick();
        let ratio = measure(&pair, 4, effort).await.unwrap();
        assert!((0.4..0.8).contains(&ratio.median), "{ratio}");
        assert!(ratio.to_string().ends_with("goal 0.90: missed"), "{ratio}");
    }

    /// What was prepared is used up, and its server is busy for a millisecond a call.
    #[derive(Default)]
    struct Prepared {
        left: Mutex<u64>,
        calls: Mutex<u32>,
    }

    #[async_trait]
    impl Side for Prepared {
        async fn prepare(&self, times: u64) -> Result<()> {
            anyhow::ensure!(times <= 2 * PREPARED);
            *self.left.lock() += times;
            Ok(())
        }

        async fn run(&self, times: u64) -> Result<()> {
            *self.calls.lock() += times as u32;
            let mut left = self.left.lock();
            *left = left.checked_sub(times).context("not prepared")?;
            Ok(())
        }

        fn server_time(&self) -> Option<Duration> {
            Some(Duration::from_millis(1) * *self.calls.lock())
        }
    }

    #[tokio::test]
    async fn all_calls_are_prepared_and_their_servers_time_counts() {
        let side: Arc<dyn Side> = Arc::new(Prepared::default());
        run(&side, 2, PREPARED + 3).await.unwrap();
        assert_eq!(side.server_time(), Some(Duration::from_millis(2 * 4099)));

        let runner = Runner {
            side: &side,
            in_flight: 2,
            times: 50,
        };
        let work = runner.take_turn().await.unwrap();
        assert_eq!(work.server_micros(), Some(1000.0));
    }

    #[test]
    fn older_results_are_read() {
        let json = r#"{"name":"a","in_flight":1,"median":1.0,"least":1.0,"most":1.0,
            "subject_per_second":1.0,"baseline_per_second":1.0,"rounds":1}"#;
        let ratio: Ratio = serde_json::from_str(json).unwrap();
        assert_eq!((ratio.goal, ratio.server), (None, None));
    }
}
