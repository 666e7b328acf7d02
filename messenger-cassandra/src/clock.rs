//! The difference between this machine's clock and the clocks of the nodes: plain arithmetic.
//!
//! Ids and write timestamps come from the servers' clocks, and readers who catch up wait for as
//! long as a message of another server may still appear. Both are right only while the clocks of
//! all servers agree. No server knows the clocks of the others, but all of them can ask the nodes,
//! and two servers that are each within [`TOLERATED`] of the nodes are within twice that of each
//! other.

use std::time::{Duration, Instant, SystemTime};

use messenger_core::store::MAX_KEY_AGE;

/// The tolerated difference between a server's clock and those of the nodes.
pub(crate) const TOLERATED: Duration = Duration::from_secs(2);

/// The longest round trip from which the time of a node is taken. It is known to within half of
/// the round trip.
const LONGEST_ROUND_TRIP: Duration = Duration::from_millis(500);

/// Returns the settle time of a store: a log key is so old at most when its write begins, a write
/// takes at most the request timeout, and the clocks of its server and of the reader's server may be
/// apart by the tolerated difference in each direction.
pub(crate) fn settle(request_timeout: Duration) -> Duration {
    MAX_KEY_AGE + request_timeout + 2 * TOLERATED
}

/// A clock that runs evenly from when it was started, whatever happens to the system's clock. So a
/// measurement stays valid, and a step of the system's clock shows at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    started: Instant,
    time: SystemTime,
}

impl Steady {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            time: SystemTime::now(),
        }
    }

    pub(crate) fn now(self) -> SystemTime {
        self.time + self.started.elapsed()
    }
}

/// The time of a node, between two times of the steady clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) before: SystemTime,
    pub(crate) node: SystemTime,
    pub(crate) after: SystemTime,
}

impl Sample {
    fn round_trip(self) -> Duration {
        self.after.duration_since(self.before).unwrap_or_default()
    }

    /// Returns whether the round trip was short enough that another sample would not be better.
    pub(crate) fn is_precise(self) -> bool {
        self.round_trip() < LONGEST_ROUND_TRIP / 10
    }

    fn offset(self) -> Offset {
        Offset::between(self.before + self.round_trip() / 2, self.node)
    }
}

/// The lead of a clock over another one, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offset(i64);

impl Offset {
    fn between(from: SystemTime, to: SystemTime) -> Self {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Self(match to.duration_since(from) {
            Ok(ahead) => micros(ahead),
            Err(behind) => -micros(behind.duration()),
        })
    }

    pub(crate) fn is_tolerated(self) -> bool {
        self.abs() <= TOLERATED
    }

    pub(crate) fn abs(self) -> Duration {
        Duration::from_micros(self.0.unsigned_abs())
    }

    pub(crate) fn is_ahead(self) -> bool {
        self.0 > 0
    }
}

/// The nodes' clock, in relation to the steady clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodesClock(Offset);

impl NodesClock {
    /// Takes the best sample of each node, and the median of the nodes, so that the clock of one
    /// node that is wrong does not count. Returns `None` if every round trip was too long.
    pub(crate) fn measured(nodes: impl IntoIterator<Item = Vec<Sample>>) -> Option<Self> {
        let best = nodes.into_iter().filter_map(|samples| {
            let short = samples
                .into_iter()
                .filter(|sample| sample.round_trip() <= LONGEST_ROUND_TRIP);
            short.min_by_key(|sample| sample.round_trip())
        });
        let mut offsets: Vec<Offset> = best.map(Sample::offset).collect();
        offsets.sort_unstable();
        // Of an even number of nodes, the one of the middle two that agrees better.
        let middle = offsets.len() / 2;
        let candidates = offsets.get(offsets.len().saturating_sub(1) / 2..=middle)?;
        candidates
            .iter()
            .copied()
            .min_by_key(|offset| offset.abs())
            .map(Self)
    }

    /// Returns how far the system's clock is ahead of the nodes' clock.
    pub(crate) fn system_offset(self, steady: Steady) -> Offset {
        self.offset_of(SystemTime::now(), steady.now())
    }

    fn offset_of(self, system: SystemTime, steady: SystemTime) -> Offset {
        Offset(Offset::between(steady, system).0.saturating_sub(self.0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 10_000_000;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(START + millis)
    }

    /// A sample of a node that is `ahead` milliseconds ahead, taken over a round trip of this many milliseconds.
    fn sample(ahead: i64, round_trip: u64) -> Sample {
        let node = (START + round_trip / 2).saturating_add_signed(ahead);
        Sample {
            before: at(0),
            node: SystemTime::UNIX_EPOCH + Duration::from_millis(node),
            after: at(round_trip),
        }
    }

    /// The difference as it is now for a server whose clock was right when it measured it.
    fn apart(nodes: Vec<Vec<Sample>>) -> i64 {
        let clock = NodesClock::measured(nodes).unwrap();
        clock.offset_of(at(5_000), at(5_000)).0 / 1000
    }

    #[test]
    fn a_server_behind_the_nodes_has_a_negative_offset() {
        assert_eq!(apart(vec![vec![sample(1_900, 2)]]), -1_900);
        assert_eq!(apart(vec![vec![sample(-1_900, 2)]]), 1_900);
    }

    #[test]
    fn the_sample_with_the_shortest_round_trip_counts() {
        // It took 400 ms, all of them on the way back.
        let slow = Sample {
            node: at(0),
            ..sample(0, 400)
        };
        assert_eq!(apart(vec![vec![slow, sample(5, 2), slow]]), -5);
    }

    #[test]
    fn a_long_round_trip_tells_nothing() {
        assert!(NodesClock::measured([vec![sample(0, 501)]]).is_none());
        assert!(NodesClock::measured([]).is_none());
        assert!(NodesClock::measured([vec![sample(0, 501)], vec![sample(0, 499)]]).is_some());
    }

    #[test]
    fn one_wrong_node_of_several_does_not_count() {
        let node = |ahead| vec![sample(ahead, 2)];
        assert_eq!(apart(vec![node(3_600_000), node(1), node(3)]), -3);
        assert_eq!(apart(vec![node(-3_600_000), node(4)]), -4);
        assert_eq!(apart(vec![node(4), node(3_600_000)]), -4);
    }

    #[test]
    fn a_step_of_the_system_clock_shows_without_a_measurement() {
        let clock = NodesClock::measured([vec![sample(0, 2)]]).unwrap();
        assert!(clock.offset_of(at(7_000), at(5_000)).is_tolerated());
        assert!(!clock.offset_of(at(7_001), at(5_000)).is_tolerated());
        assert!(!clock.offset_of(at(2_999), at(5_000)).is_tolerated());
        assert!(clock.offset_of(at(9_000), at(5_000)).is_ahead());
    }

    #[test]
    fn two_tolerated_servers_settle_in_time() {
        // One is as far behind as is tolerated and writes as slowly as it may; the other is as far
        // ahead and reads just before that.
        let timeout = Duration::from_secs(5);
        let stamped = at(60_000) - TOLERATED;
        let reads = at(60_000) + timeout + TOLERATED;
        assert!(reads - settle(timeout) <= stamped);
    }
}
