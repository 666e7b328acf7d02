//! Windows of time, and the write timestamps that follow from ids: plain arithmetic.
//!
//! - A *bucket* is the window of a history's partition, so that no partition grows forever.
//! - An *epoch* is the window by which an inbox is indexed.
//!
//! Both are counted from the Unix epoch. Their lengths are fixed in the schema: data that was
//! written with another length would not be found again.
//!
//! Write timestamps never come from a clock. Two writes of one cell are ordered by what they say,
//! not by when they were sent, so clocks, retries and the order of arrival do not matter.

use std::time::Duration;

use messenger_core::Position;

/// The lengths of buckets and epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    bucket_millis: u64,
    epoch_millis: u64,
}

/// A bucket of a history: the number of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bucket(pub(crate) i32);

/// An epoch of an inbox: the number of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Epoch(pub(crate) i32);

impl Windows {
    /// The shortest window: with it the numbers of all windows up to the year 9999 fit into an `int`.
    pub(crate) const SHORTEST: Duration = Duration::from_secs(300);

    /// Creates windows of these lengths, in whole seconds; `None` if one is shorter than
    /// [`SHORTEST`](Self::SHORTEST).
    pub(crate) fn from_secs(bucket: u64, epoch: u64) -> Option<Self> {
        let millis = |secs: u64| {
            (secs >= Self::SHORTEST.as_secs())
                .then(|| secs.checked_mul(1000))
                .flatten()
        };
        Some(Self {
            bucket_millis: millis(bucket)?,
            epoch_millis: millis(epoch)?,
        })
    }

    pub(crate) fn bucket(self, position: impl Into<Position>) -> Bucket {
        Bucket(window(position.into(), self.bucket_millis))
    }

    pub(crate) fn epoch(self, position: impl Into<Position>) -> Epoch {
        Epoch(window(position.into(), self.epoch_millis))
    }

    /// Returns the write timestamp of every insert and every delete of an index row of this epoch. A
    /// delete wins against an insert of the same timestamp and cannot be undone.
    pub(crate) fn index_timestamp(self, epoch: Epoch) -> i64 {
        i64::from(epoch.0).saturating_mul((self.epoch_millis as i64).saturating_mul(1000))
    }
}

impl Bucket {
    /// Above every bucket.
    pub(crate) const MAX: Self = Self(i32::MAX);

    /// Returns the bucket after this one. There is none after the last.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the bucket before this one. There is none before the first.
    pub(crate) fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl Epoch {
    /// Above every epoch.
    pub(crate) const MAX: Self = Self(i32::MAX);

    /// Returns the epoch after this one. There is none after the last.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the epoch before this one. There is none before the first.
    pub(crate) fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// Returns the write timestamp of what is ordered by an id or a log key, from its microseconds: the
/// greatest one wins, in any order of arrival. Equal timestamps go to the greater value, which begins
/// with the id.
pub(crate) fn write_timestamp(micros: u64) -> i64 {
    // At most 2.9e17: an id has 48 bits of milliseconds.
    micros as i64
}

fn window(position: Position, millis: u64) -> i32 {
    // No shorter window than five minutes, no later time than the year 9999: 845 million. (Later
    // positions share the last window.)
    i32::try_from(position.timestamp().as_millis() / millis).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use messenger_core::Timestamp;

    fn windows() -> Windows {
        Windows::from_secs(864_000, 21_600).unwrap()
    }

    fn at(time: &str) -> Position {
        Position::start_of(time.parse::<Timestamp>().unwrap())
    }

    #[test]
    fn windows_hold_their_first_and_their_last_millisecond() {
        let epoch = |time| windows().epoch(at(time)).0;
        let first = epoch("2026-11-23T06:00:00.000Z");
        assert_eq!(epoch("2026-11-23T05:59:59.999Z"), first - 1);
        assert_eq!(epoch("2026-11-23T11:59:59.999Z"), first);
        assert_eq!(epoch("2026-11-23T12:00:00.000Z"), first + 1);
        assert_eq!(windows().bucket(at("1970-01-01T00:00:00Z")), Bucket(0));
        assert_eq!(windows().bucket(at("1970-01-11T00:00:00Z")), Bucket(1));
    }

    #[test]
    fn an_index_row_is_written_at_the_start_of_its_epoch() {
        let epoch = windows().epoch(at("1970-01-01T07:00:00Z"));
        assert_eq!(windows().index_timestamp(epoch), 6 * 3600 * 1_000_000);
    }

    #[test]
    fn the_year_9999_has_a_window_and_a_timestamp() {
        let windows = Windows::from_secs(300, 300).unwrap();
        let last = Position::start_of(Timestamp::MAX);
        assert!(windows.epoch(last).0 < i32::MAX);
        assert!(windows.index_timestamp(windows.epoch(last)) > 0);
        assert!(Windows::from_secs(299, 300).is_none());
        assert!(Windows::from_secs(u64::MAX, 300).is_none());
    }
}
