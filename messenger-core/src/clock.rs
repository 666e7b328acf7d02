//! The clock that makes ids, revisions and log keys.
//!
//! Ids must sort in the order of events, even within a millisecond, if the system clock steps back,
//! and after a reply to a message from a server whose clock runs ahead. So the clock keeps the last
//! tick that it made or observed and never goes below it. A tick is the 60 bits of time in a UUIDv7:
//! 48 of milliseconds and 12 of their fraction (RFC 9562, section 6.2, method 3). That is four
//! million ids a second before the clock runs ahead of the system's.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rand::Rng as _;

use crate::ids::uuid_v7::{RANDOM_BITS, Ticks};
use crate::ids::{MessageId, Position, Revision};
use crate::time::Timestamp;

/// Makes ids, each greater than every one that this clock has made or observed.
///
/// A process needs one; the [`Messenger`](crate::Messenger) creates it. Another source of time is for
/// tests and simulations.
pub struct Clock {
    last: AtomicU64,
    system: Box<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Clock {
    /// The greatest lead over the system's time of an id that is followed. The greatest
    /// id wins, so a single id from the year 9000 would otherwise lead to ids of the year 9000.
    pub const MAX_AHEAD: Duration = Duration::from_secs(5);

    /// Creates a clock on the system's time.
    pub fn new() -> Self {
        Self::with_source(SystemTime::now)
    }

    /// Creates a clock on another source of time.
    pub fn with_source(source: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self {
            last: AtomicU64::new(0),
            system: Box::new(source),
        }
    }

    /// Returns the source's time.
    pub fn now(&self) -> Timestamp {
        Timestamp::saturating_from((self.system)())
    }

    /// Makes an id greater than every one that this clock has made or observed.
    pub fn next_id(&self) -> MessageId {
        let now = self.system_ticks();
        let next = |last: u64| now.max(last + 1);
        // `next` always returns a value, so this returns the value before, from which the same
        // step leads to ours. (`update` says it better, but came with Rust 1.95.)
        let last = self
            .last
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last)))
            .unwrap_or_else(|last| last);
        MessageId::from_ticks(Ticks(next(last)), random())
    }

    /// Moves the clock up to a position that was read, so that later ids lie above it. A position
    /// further than [`MAX_AHEAD`](Self::MAX_AHEAD) in the future is not followed.
    pub fn observe(&self, position: impl Into<Position>) {
        let position = position.into();
        let ticks = Ticks::of(position.as_uuid()).0;
        if ticks > self.last.load(Ordering::Acquire) && !self.is_too_far_ahead(position) {
            self.last.fetch_max(ticks, Ordering::AcqRel);
        }
    }

    /// Moves the clock up to the greatest revision of a durable store, however far ahead it lies:
    /// this process's store handed it out before.
    pub(crate) fn resume_above(&self, newest: Revision) {
        self.last.fetch_max(newest.ticks().0, Ordering::AcqRel);
    }

    /// Returns whether a position lies further in the future than [`MAX_AHEAD`](Self::MAX_AHEAD).
    pub fn is_too_far_ahead(&self, position: impl Into<Position>) -> bool {
        position.into().timestamp() > self.now().saturating_add(Self::MAX_AHEAD)
    }

    /// Returns whether the ids that this clock makes lie further in the future than
    /// [`MAX_AHEAD`](Self::MAX_AHEAD): the system clock has stepped back.
    pub(crate) fn runs_ahead(&self) -> bool {
        let last = Ticks(self.last.load(Ordering::Acquire));
        self.is_too_far_ahead(Position::end_of(last))
    }

    /// Returns a position that every id made by this clock from now on lies above.
    pub(crate) fn watermark(&self) -> Position {
        let now = self.system_ticks();
        let last = self.last.fetch_max(now, Ordering::AcqRel);
        Position::end_of(Ticks(now.max(last)))
    }

    fn system_ticks(&self) -> u64 {
        let since_epoch = (self.system)()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let millis = Timestamp::saturating_from_millis(since_epoch.as_millis());
        let below_milli = u64::from(since_epoch.subsec_nanos() % 1_000_000);
        Ticks::start_of(millis).0 + ((below_milli << Ticks::FRACTION_BITS) / 1_000_000)
    }
}

fn random() -> u64 {
    rand::rng().next_u64() & RANDOM_BITS
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("last", &Ticks(self.last.load(Ordering::Relaxed)))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    /// A clock whose source is set by the test.
    fn settable() -> (Arc<AtomicU64>, Clock) {
        let millis = Arc::new(AtomicU64::new(1_000_000));
        let source = Arc::clone(&millis);
        let clock = Clock::with_source(move || at(source.load(Ordering::Relaxed)));
        (millis, clock)
    }

    #[test]
    fn ids_grow_while_the_source_stands_or_steps_back() {
        let (millis, clock) = settable();
        let first = clock.next_id();
        let second = clock.next_id();
        millis.store(999_000, Ordering::Relaxed);
        let third = clock.next_id();
        assert!(first < second && second < third);
        assert_eq!(third.timestamp().as_millis(), 1_000_000);
    }

    #[test]
    fn ids_grow_across_threads() {
        let clock = Clock::new();
        let ids = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let ids: Vec<_> = (0..10_000).map(|_| clock.next_id()).collect();
                        assert!(ids.is_sorted());
                        ids
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect::<std::collections::BTreeSet<_>>()
        });
        assert_eq!(ids.len(), 40_000);
        // Not only the random part tells them apart.
        let ticks: std::collections::HashSet<_> = ids.iter().map(|id| id.ticks().0).collect();
        assert_eq!(ticks.len(), 40_000);
    }

    #[test]
    fn an_observed_id_is_followed_up_to_the_bound() {
        let (_, clock) = settable();
        let ahead = MessageId::from_ticks(Ticks(1_005_000 << 12), 7);
        clock.observe(ahead);
        assert!(clock.next_id() > ahead);

        let (_, clock) = settable();
        let too_far = MessageId::from_ticks(Ticks(1_005_001 << 12), 7);
        clock.observe(too_far);
        assert!(clock.next_id() < too_far);
    }

    #[test]
    fn every_later_id_lies_above_the_watermark() {
        let (millis, clock) = settable();
        let before = clock.next_id();
        // No id is made at the time that the watermark is taken.
        millis.fetch_add(5, Ordering::Relaxed);
        let watermark = clock.watermark();
        assert!(Position::from(before) <= watermark);
        millis.store(0, Ordering::Relaxed);
        assert!(Position::from(clock.next_id()) > watermark);
    }

    #[test]
    fn the_fraction_of_a_millisecond_is_kept() {
        let source = at(5) + Duration::from_micros(500);
        let id = Clock::with_source(move || source).next_id();
        assert_eq!(id.as_micros(), 5_500);
    }
}
