//! The measurement of a pair: subject and baseline take turns of 50 ms, each being first equally
//! often. A round is ten such turns of both; the figure is the median of the rounds' ratios.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;

use crate::pair::{Pair, Workload};

/// The number of calls that each task prepares at a time. They are then still in the processor's
/// caches, as a message is that was just parsed.
const PREPARED: u64 = 4096;

/// The duration of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The number of rounds, after one to warm up.
    pub rounds: u16,
    /// The turns of each workload in a round.
    pub turns: u32,
    /// The duration of a turn.
    pub turn: Duration,
}

impl Effort {
    /// Rounds of a second.
    pub const FULL: Self = Self {
        rounds: 7,
        turns: 10,
        turn: Duration::from_millis(50),
    };

    /// A tenth of the time: enough to see that everything works, not to quote.
    pub const QUICK: Self = Self {
        turns: 4,
        turn: Duration::from_millis(25),
        ..Self::FULL
    };
}

/// The result of measuring a pair. `Display` writes it as a row of the table that begins with
/// [`Ratio::HEADER`].
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    /// The name of the pair.
    pub name: String,
    /// The number of concurrent calls.
    pub concurrency: usize,
    /// The rate of the subject divided by that of the baseline, as the median of the rounds. One
    /// means equally fast, a half means half as fast.
    pub median: f64,
    /// The smallest and the greatest ratio of a round.
    pub range: [f64; 2],
    /// The calls per second of subject and baseline, as the median of the rounds.
    pub rates: [f64; 2],
    /// The smallest acceptable ratio.
    pub goal: Option<f64>,
    /// The CPU time of the servers of subject and baseline for a call, in microseconds and as the
    /// median of the rounds. The clients share the machine with the servers, so the rates alone say
    /// too little about the servers.
    pub server_micros: Option<[f64; 2]>,
}

impl Ratio {
    /// The head of the Markdown table of ratios.
    pub const HEADER: &str = "\
| pair                                           | concurrency | ratio | min  | max  | goal         \
| calls/s | baseline | server CPU |
| ---------------------------------------------- | ----------: | ----: | ---: | ---: | ------------ \
| ------: | -------: | ---------- |";

    /// Returns whether the goal is reached, if there is one.
    pub fn is_reached(&self) -> Option<bool> {
        self.goal.map(|goal| self.median >= goal)
    }

    fn of(pair: &Pair, concurrency: usize, rounds: &[Round]) -> Self {
        let ratios = rounds
            .iter()
            .map(|[subject, baseline]| subject.rate() / baseline.rate());
        let mut ratios: Vec<f64> = ratios.collect();
        let rates = [0, 1].map(|side| {
            let mut rates: Vec<f64> = rounds.iter().map(|round| round[side].rate()).collect();
            median(&mut rates)
        });
        let micros = [0, 1].map(|side| {
            let micros = rounds.iter().map(|round| round[side].server_micros());
            let micros = micros.collect::<Option<Vec<f64>>>();
            micros.map(|mut micros| median(&mut micros))
        });
        Self {
            name: pair.name.clone(),
            concurrency,
            median: median(&mut ratios),
            range: [ratios[0], ratios[ratios.len() - 1]],
            rates,
            goal: pair.goal,
            server_micros: micros[0].zip(micros[1]).map(<[f64; 2]>::from),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, most] = self.range;
        let [subject, baseline] = self.rates;
        let goal = match (self.goal, self.is_reached()) {
            (Some(goal), Some(true)) => format!("{goal:.2} reached"),
            (Some(goal), _) => format!("{goal:.2} missed"),
            (None, _) => String::new(),
        };
        let name = format!("`{}`", self.name);
        write!(
            f,
            "| {name:<46} | {:>11} | {:>5.2} | {least:.2} | {most:.2} | {goal:<12} | {subject:>7.0} \
             | {baseline:>8.0} |",
            self.concurrency, self.median,
        )?;
        match self.server_micros {
            Some([subject, baseline]) => {
                let ratio = baseline / subject;
                write!(f, " {subject:.1} µs against {baseline:.1}: {ratio:.2} |")
            }
            None => write!(f, " |"),
        }
    }
}

/// Measures a pair with this number of concurrent calls, after a round to warm up.
///
/// # Errors
///
/// The error of the workload that failed.
pub async fn measure(pair: &Pair, concurrency: usize, effort: Effort) -> Result<Ratio> {
    let rounds = measure_rounds(pair, concurrency, effort).await;
    let rounds = rounds.with_context(|| pair.name.clone())?;
    Ok(Ratio::of(pair, concurrency, &rounds))
}

async fn measure_rounds(pair: &Pair, concurrency: usize, effort: Effort) -> Result<Vec<Round>> {
    let times = [
        calibrate(&pair.subject, concurrency, effort.turn).await?,
        calibrate(&pair.baseline, concurrency, effort.turn).await?,
    ];
    let mut rounds = Vec::new();
    for _ in 0..=effort.rounds {
        let mut round = Round::default();
        for turn in 0..effort.turns {
            // Each is first equally often.
            for side in [turn % 2, (turn + 1) % 2].map(|side| side as usize) {
                let workload = [&pair.subject, &pair.baseline][side];
                let work = Work::measure(workload, concurrency, times[side]).await?;
                round[side].add(work);
            }
        }
        rounds.push(round);
    }
    // The first round warms up.
    Ok(rounds.split_off(1))
}

/// Returns the number of calls that each concurrent task makes in the time of a turn.
async fn calibrate(
    workload: &Arc<dyn Workload>,
    concurrency: usize,
    turn: Duration,
) -> Result<u64> {
    let mut times = 1;
    loop {
        let taken = run(workload, concurrency, times).await?;
        if taken >= turn / 4 {
            let share = turn.as_secs_f64() / taken.as_secs_f64();
            return Ok(((times as f64 * share) as u64).max(1));
        }
        times *= 2;
    }
}

/// Returns the median; sorts the values.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The work of subject and baseline in a round.
type Round = [Work; 2];

/// Calls made, and the time they took.
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
    async fn measure(workload: &Arc<dyn Workload>, concurrency: usize, times: u64) -> Result<Self> {
        let before = workload.server_time();
        let time = run(workload, concurrency, times).await?;
        let after = workload.server_time();
        Ok(Self {
            calls: times as f64 * concurrency as f64,
            time,
            server_time: after.zip(before).map(|(after, before)| after - before),
        })
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.time += other.time;
        let times = self.server_time.zip(other.server_time);
        self.server_time = times.map(|(one, other)| one + other);
    }

    fn rate(&self) -> f64 {
        self.calls / self.time.as_secs_f64()
    }

    fn server_micros(&self) -> Option<f64> {
        Some(self.server_time?.as_secs_f64() * 1e6 / self.calls)
    }
}

/// Runs a workload `times` times in each of `concurrency` tasks, and returns the time this took.
///
/// # Errors
///
/// The error of the workload.
pub async fn run(workload: &Arc<dyn Workload>, concurrency: usize, times: u64) -> Result<Duration> {
    let mut taken = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let now = left.min(PREPARED);
        workload.prepare(now * concurrency as u64).await?;
        let started = Instant::now();
        run_tasks(workload, concurrency, now).await?;
        taken += started.elapsed();
        left -= now;
    }
    Ok(taken)
}

async fn run_tasks(workload: &Arc<dyn Workload>, concurrency: usize, times: u64) -> Result<()> {
    if concurrency == 1 {
        // No task for what takes nanoseconds.
        return workload.run(times).await;
    }
    let tasks = (0..concurrency).map(|_| {
        let workload = Arc::clone(workload);
        tokio::spawn(async move { workload.run(times).await })
    });
    for task in try_join_all(tasks).await? {
        task?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use parking_lot::Mutex;

    use super::*;

    struct Sleep(Duration);

    #[async_trait]
    impl Workload for Sleep {
        async fn run(&self, times: u64) -> Result<()> {
            for _ in 0..times {
                tokio::time::sleep(self.0).await;
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn twice_the_time_is_half_the_rate() {
        let pair = Pair::new(
            "sleep",
            Sleep(Duration::from_millis(60)),
            Sleep(Duration::from_millis(30)),
        )
        .with_goal(0.9);
        let effort = Effort {
            rounds: 1,
            ..Effort::QUICK
        };
        let ratio = measure(&pair, 4, effort).await.unwrap();
        assert!((0.4..0.8).contains(&ratio.median), "{ratio}");
        let columns = |row: &str| row.lines().next().unwrap().matches('|').count();
        assert_eq!(columns(&ratio.to_string()), columns(Ratio::HEADER));
        assert!(ratio.to_string().contains("| 0.90 missed "), "{ratio}");
    }

    /// Consumes what was prepared, and keeps its server busy for a millisecond a call.
    #[derive(Default)]
    struct Prepared {
        left: Mutex<u64>,
        calls: Mutex<u32>,
    }

    #[async_trait]
    impl Workload for Prepared {
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
    async fn all_calls_are_prepared_and_the_servers_time_counts() {
        let workload: Arc<dyn Workload> = Arc::new(Prepared::default());
        run(&workload, 2, PREPARED + 3).await.unwrap();
        let calls = 2 * (PREPARED as u32 + 3);
        assert_eq!(
            workload.server_time(),
            Some(Duration::from_millis(calls.into()))
        );

        let work = Work::measure(&workload, 2, 50).await.unwrap();
        assert_eq!(work.server_micros(), Some(1000.0));
    }
}
