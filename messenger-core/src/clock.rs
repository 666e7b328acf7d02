//! The clock that makes message ids.
//!
//! Ids must sort as things happened, also within a millisecond, on a system clock that steps
//! back, and after a reply to a message from a server whose clock runs ahead. So the clock keeps
//! the last tick that it gave or saw and never goes below it. A tick is the 60 bits of time in a
//! UUIDv7: 48 of milliseconds and 12 of their fraction (RFC 9562, section 6.2, method 3), hence
//! four million ids in a second before the clock must run ahead of the system's.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rand::Rng as _;

use crate::id::{RANDOM_BITS, Ticks};
use crate::{MessageId, Position, Timestamp};

/// Makes message ids, each greater than every id that this clock has made or seen.
///
/// A process needs one; the [`Messenger`](crate::Messenger) makes it. Another source of time is
/// for tests and simulations.
pub struct Clock {
    last: AtomicU64,
    system: Box<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Clock {
    /// How far ahead of the system's time an id may lie. One that is further ahead is neither
    /// followed by [`observe`](Self::observe) nor appended: the greatest id wins, so a single id
    /// out of the year 9000 would stay on top of its conversation for ever.
    pub const MAX_AHEAD: Duration = Duration::from_secs(5);

    /// A clock on the system's time.
    pub fn new() -> Self {
        Self::with_source(SystemTime::now)
    }

    /// A clock on another source of time.
    pub fn with_source(source: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self {
            last: AtomicU64::new(0),
            system: Box::new(source),
        }
    }

    /// The source's time now.
    pub fn now(&self) -> Timestamp {
        Timestamp::saturating_from((self.system)())
    }

    /// A new id, greater than every id that this clock has made or seen.
    pub fn next_id(&self) -> MessageId {
        let now = self.system_ticks();
        let next = |last: u64| now.max(last + 1);
        // `update` gives the value before, from which the same step leads to ours.
        let last = self.last.update(Ordering::AcqRel, Ordering::Acquire, next);
        MessageId::from_ticks(Ticks(next(last)), random())
    }

    /// Moves the clock up to an id that was read, so that what is written next sorts after it. An
    /// id further than [`MAX_AHEAD`](Self::MAX_AHEAD) in the future is not followed.
    pub fn observe(&self, id: MessageId) {
        let ticks = id.ticks().0;
        if ticks > self.last.load(Ordering::Acquire) && !self.is_too_far_ahead(id) {
            self.last.fetch_max(ticks, Ordering::AcqRel);
        }
    }

    /// Whether an id lies further in the future than [`MAX_AHEAD`](Self::MAX_AHEAD).
    pub fn is_too_far_ahead(&self, id: MessageId) -> bool {
        id.created_at() > self.now().saturating_add(Self::MAX_AHEAD)
    }

    /// A position that every id made by this clock from now on lies above.
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
        assert_eq!(third.created_at().as_millis(), 1_000_000);
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
