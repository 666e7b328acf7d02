//! Points in time, in whole milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Subject};

/// A point in time: whole milliseconds since the Unix epoch, from 1970 to 9999.
///
/// Its text form is RFC 3339 in UTC with three decimals, `2026-11-23T09:30:00.250Z`. Parsing
/// accepts any RFC 3339 time with an offset up to ±23:59. Digits finer than a millisecond round
/// **up**, so that "strictly before this time" means the same for the text and for the parsed value.
/// A leap second (`:60`) is read as the start of the next minute. A time before 1970 is read as
/// [`Timestamp::MIN`], and the last moments of 9999 as [`Timestamp::MAX`].
///
/// ```
/// use messenger_core::Timestamp;
///
/// let time: Timestamp = "2026-11-23T10:30:00.2501+01:00".parse()?;
/// assert_eq!(time.to_string(), "2026-11-23T09:30:00.251Z");
/// # Ok::<(), messenger_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970-01-01T00:00:00.000Z.
    pub const MIN: Self = Self(0);
    /// 9999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Returns the time this many milliseconds after the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] beyond [`Timestamp::MAX`].
    pub fn from_millis(millis: u64) -> Result<Self, Error> {
        if millis > Self::MAX.0 {
            return Err(out_of_range());
        }
        Ok(Self(millis))
    }

    /// Returns the system's time, rounded down to the millisecond. A system clock outside the years
    /// 1970 to 9999 yields the nearest bound.
    pub fn now() -> Self {
        Self::saturating_from(SystemTime::now())
    }

    pub(crate) fn saturating_from(time: SystemTime) -> Self {
        let since_epoch = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self::saturating_from_millis(since_epoch.as_millis())
    }

    pub(crate) fn saturating_from_millis(millis: u128) -> Self {
        Self(u64::try_from(millis).map_or(Self::MAX.0, |millis| millis.min(Self::MAX.0)))
    }

    /// Returns the milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Subtracts a duration (its whole milliseconds), saturating at [`Timestamp::MIN`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// Adds a duration (its whole milliseconds), saturating at [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self::saturating_from_millis(u128::from(self.0) + duration.as_millis())
    }

    /// Returns the time that passed since an earlier time, or zero if that time is later.
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Writes the text form. By hand, because chrono's formatter takes several times as long and a
    /// page of messages holds a time for each.
    fn write_text(self, text: &mut [u8; TEXT_LEN]) {
        let time = DateTime::<Utc>::from(self).naive_utc();
        let year = time.year().unsigned_abs();
        for (start, len, number) in [
            (0, 4, year),
            (5, 2, time.month()),
            (8, 2, time.day()),
            (11, 2, time.hour()),
            (14, 2, time.minute()),
            (17, 2, time.second()),
            (20, 3, time.nanosecond() / 1_000_000),
        ] {
            let mut rest = number;
            for digit in text[start..start + len].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
    }
}

const TEXT: &[u8; TEXT_LEN] = b"0000-00-00T00:00:00.000Z";
const TEXT_LEN: usize = 24;

fn malformed(message: &'static str) -> Error {
    Error::about(ErrorKind::Malformed, Subject::Timestamp, message)
}

fn out_of_range() -> Error {
    malformed("a time must lie in the years 1970 to 9999")
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(time.0)
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = Error;

    /// Converts a time, rounded down to the millisecond.
    fn try_from(time: SystemTime) -> Result<Self, Error> {
        let since_epoch = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_err(|_| out_of_range())?;
        Self::from_millis(u64::try_from(since_epoch.as_millis()).map_err(|_| out_of_range())?)
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(time: Timestamp) -> Self {
        // The bounds of `Timestamp` lie within those of chrono.
        Self::from_timestamp_millis(time.0.cast_signed()).unwrap_or_default()
    }
}

impl TryFrom<DateTime<Utc>> for Timestamp {
    type Error = Error;

    /// Converts a time, rounded down to the millisecond.
    fn try_from(time: DateTime<Utc>) -> Result<Self, Error> {
        let millis = u64::try_from(time.timestamp_millis()).map_err(|_| out_of_range())?;
        Self::from_millis(millis)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            malformed(
                "a time must be RFC 3339 with an offset, such as 2026-11-23T09:30:00Z or \
                 2026-11-23T10:30:00+01:00, in the years 0001 to 9999",
            )
        };
        let fraction = rfc3339_fraction(text.as_bytes()).ok_or_else(wrong)?;
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?;
        let finer_than_millis = fraction.iter().skip(3).any(|&digit| digit != b'0');
        let millis = time.timestamp_millis() + i64::from(finer_than_millis);
        // A time before 1970 is negative.
        let millis = u64::try_from(millis).unwrap_or(Self::MIN.0);
        Ok(Self(millis.min(Self::MAX.0)))
    }
}

/// Returns the digits of the fraction of a second if the text has the shape that RFC 3339, section
/// 5.6, requires. chrono also reads a space for the `T` and a year of `0000`.
fn rfc3339_fraction(text: &[u8]) -> Option<&[u8]> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let shaped = date_time
        .iter()
        .zip(b"0000-00-00T00:00:00")
        .all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            shape => byte.eq_ignore_ascii_case(shape),
        });
    if !shaped || date_time.starts_with(b"0000") {
        return None;
    }
    let (fraction, offset) = match rest {
        [b'.', digits @ ..] => {
            let len = digits
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            (len > 0).then(|| digits.split_at(len))?
        }
        rest => (&[][..], rest),
    };
    let offset_ok = match offset {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    };
    offset_ok.then_some(fraction)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *TEXT;
        self.write_text(&mut text);
        // All bytes are ASCII.
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = *TEXT;
        self.write_text(&mut text);
        // All bytes are ASCII.
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Timestamp, Error> {
        text.parse()
    }

    #[test]
    fn the_bounds_print_and_parse() {
        for (time, text) in [
            (Timestamp::MIN, "1970-01-01T00:00:00.000Z"),
            (Timestamp::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(time.to_string(), text);
            assert_eq!(parse(text).unwrap(), time);
        }
    }

    #[test]
    fn times_beyond_the_bounds_are_read_as_the_bounds() {
        for text in [
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:00:00+23:59",
        ] {
            assert_eq!(parse(text).unwrap(), Timestamp::MIN, "{text}");
        }
        for text in ["9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59-12:00"] {
            assert_eq!(parse(text).unwrap(), Timestamp::MAX, "{text}");
        }
    }

    #[test]
    fn finer_digits_round_up() {
        let exact = parse("2026-01-01T00:00:00.001Z").unwrap();
        for text in [
            "2026-01-01T00:00:00.0000001Z",
            "2026-01-01T00:00:00.000000001Z",
            "2026-01-01T00:00:00.0000000000001Z",
            "2026-01-01T00:00:00.001000000000Z",
            "2026-01-01T00:00:00.0010Z",
        ] {
            assert_eq!(parse(text).unwrap(), exact, "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_the_start_of_the_next_minute() {
        assert_eq!(
            parse("2016-12-31T23:59:60Z").unwrap(),
            parse("2017-01-01T00:00:00Z").unwrap()
        );
    }

    #[test]
    fn chrono_and_the_system_read_the_same_time() {
        let time = parse("2026-11-26T07:32:37.123Z").unwrap();
        let utc = DateTime::<Utc>::from(time);
        assert_eq!(utc.to_rfc3339(), "2026-11-26T07:32:37.123+00:00");
        assert_eq!(Timestamp::try_from(utc).unwrap(), time);
        assert_eq!(Timestamp::try_from(SystemTime::from(time)).unwrap(), time);
        assert!(Timestamp::try_from(DateTime::<Utc>::MIN_UTC).is_err());
    }

    #[test]
    fn text_that_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00+01",
            "2026-01-01T00:00:00 01:00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+25:00",
            "2026-01-01T00:00:00-23:60",
            "2026-01-01T00:00:00+01:00[Europe/Paris]",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:61Z",
            "2026-13-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "９９99-01-01T00:00:00Z",
        ] {
            assert_eq!(
                parse(text).unwrap_err().kind(),
                ErrorKind::Malformed,
                "{text}"
            );
        }
    }
}
