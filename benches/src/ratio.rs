//! Measures a pair by turns: a tenth of a second of the one side, a tenth of the other, and so on,
//! each as often first as the other. A round is ten such turns of both; the figure is the median of
//! the rounds' ratios.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::pair::{Pair, Side};

/// How long a side runs before it is the other's turn.
const TURN: Duration = Duration::from_millis(100);

/// How many turns each side has in a round.
const TURNS: u32 = 10;

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
        )
    }
}

/// Measures a pair with so many calls in flight, after a round to get warm.
///
/// # Errors
///
/// What a side answers.
///
/// # Panics
///
/// If there are no rounds.
pub async fn measure(pair: &Pair, in_flight: usize, rounds: usize) -> Result<Ratio> {
    assert!(rounds > 0, "a median needs a round");
    let context = || pair.name.clone();
    let [subject, baseline] = [&pair.subject, &pair.baseline];
    let counts = [
        calibrate(subject, in_flight).await.with_context(context)?,
        calibrate(baseline, in_flight).await.with_context(context)?,
    ];
    let mut rates: Vec<[f64; 2]> = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let mut taken = [Duration::ZERO; 2];
        for turn in 0..TURNS {
            // Each is first as often as the other.
            for side in [turn % 2, (turn + 1) % 2].map(|side| side as usize) {
                let times = counts[side];
                taken[side] += run([subject, baseline][side], in_flight, times)
                    .await
                    .with_context(context)?;
            }
        }
        if round > 0 {
            let rate = |side: usize| {
                let calls = counts[side] as f64 * in_flight as f64 * f64::from(TURNS);
                calls / taken[side].as_secs_f64()
            };
            rates.push([rate(0), rate(1)]);
        }
    }
    let mut ratios: Vec<f64> = rates.iter().map(|[one, other]| one / other).collect();
    Ok(Ratio {
        name: pair.name.clone(),
        in_flight,
        median: median(&mut ratios),
        least: ratios[0],
        most: ratios[ratios.len() - 1],
        subject_per_second: median(&mut rates.iter().map(|rate| rate[0]).collect::<Vec<_>>()),
        baseline_per_second: median(&mut rates.iter().map(|rate| rate[1]).collect::<Vec<_>>()),
        rounds,
    })
}

/// The one in the middle; sorts them on the way.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How often a side has to run in each lane to take a turn's time.
async fn calibrate(side: &Arc<dyn Side>, in_flight: usize) -> Result<u64> {
    let mut times = 1;
    loop {
        let taken = run(side, in_flight, times).await?;
        if taken >= TURN / 4 {
            let share = TURN.as_secs_f64() / taken.as_secs_f64();
            return Ok(((times as f64 * share) as u64).max(1));
        }
        times *= 2;
    }
}

/// Runs a side so often in each of so many lanes, and gives how long it took.
async fn run(side: &Arc<dyn Side>, in_flight: usize, times: u64) -> Result<Duration> {
    let started = Instant::now();
    if in_flight == 1 {
        // No task for what takes nanoseconds.
        side.run(times).await?;
        return Ok(started.elapsed());
    }
    let lanes = (0..in_flight).map(|_| {
        let side = Arc::clone(side);
        tokio::spawn(async move { side.run(times).await })
    });
    for lane in try_join_all(lanes).await? {
        lane?;
    }
    Ok(started.elapsed())
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

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
            Sleeps(Duration::from_millis(20)),
            Sleeps(Duration::from_millis(10)),
        );
        let ratio = measure(&pair, 4, 1).await.unwrap();
        assert!((0.4..0.7).contains(&ratio.median), "{ratio}");
    }
}
