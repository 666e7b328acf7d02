//! What makes requests start.
//!
//! In the *closed* loop a connection starts one when the last was answered. So a server that stalls
//! is asked less while it stalls, and one bad answer stands for all that would have been. In the
//! *open* loop requests are due at times that were fixed before, whatever the server does, and
//! latency counts from when a request was due: a stall is seen by everyone who would have met it.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

/// What makes a request start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// The answer before.
    Closed,
    /// The time.
    Open {
        /// How many are due in a second.
        per_second: f64,
    },
}

/// When requests of an open loop are due, counted from its beginning.
///
/// Requests of many people who know nothing of each other come as a Poisson process. Evenly spaced
/// ones would never meet each other on a server that is fast enough, and flatter it.
#[derive(Debug)]
pub(super) struct Arrivals {
    rng: Xoshiro256PlusPlus,
    per_second: f64,
    seconds: f64,
}

impl Arrivals {
    /// Arrivals at this rate.
    pub(super) fn new(per_second: f64, seed: u64) -> Self {
        Self {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            per_second,
            seconds: 0.0,
        }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    /// There is always another one: gaps are exponential.
    fn next(&mut self) -> Option<Duration> {
        // What is drawn is below one, so this is the logarithm of a number above zero.
        self.seconds -= (1.0 - self.rng.random::<f64>()).ln() / self.per_second;
        Some(Duration::from_secs_f64(self.seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(count: usize, per_second: f64, seed: u64) -> Vec<f64> {
        let arrivals = Arrivals::new(per_second, seed).take(count);
        arrivals.map(|at| at.as_secs_f64()).collect()
    }

    #[test]
    fn a_seed_gives_the_same_arrivals_again() {
        assert_eq!(first(100, 50.0, 7), first(100, 50.0, 7));
        assert_ne!(first(100, 50.0, 7), first(100, 50.0, 8));
    }

    #[test]
    fn arrivals_keep_their_rate() {
        for per_second in [0.1, 1.0, 20_000.0] {
            let last = first(100_000, per_second, 1).pop().unwrap();
            let rate = 100_000.0 / last;
            assert!((0.98..1.02).contains(&(rate / per_second)), "{rate}");
        }
    }

    /// The gaps of a Poisson process deviate by as much as their mean; even ones not at all.
    #[test]
    fn arrivals_are_as_uneven_as_chance() {
        let at = first(100_000, 1.0, 1);
        let gaps = at.windows(2).map(|pair| pair[1] - pair[0]);
        let variance = gaps.map(|gap| (gap - 1.0).powi(2)).sum::<f64>() / 1e5;
        assert!((0.95..1.05).contains(&variance), "{variance}");
    }
}
