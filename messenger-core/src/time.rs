//! Points in time, in milliseconds, as the model knows them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, ErrorKind, Subject};

/// A point in time: whole milliseconds since the Unix epoch, from 1970 to the year 9999.
///
/// Its text form is RFC 3339 in UTC with three decimals, `2026-11-23T09:30:00.250Z`. Parsing takes
/// any RFC 3339 time with an offset; digits finer than a millisecond round **up**, so that
/// "strictly before this time" means the same for the text and for the parsed value.
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
    /// 9999-12-30T22:00:00.000Z, the last millisecond that jiff takes. Later times of that year are
    /// read as this one.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// The time this many milliseconds after the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] beyond [`Timestamp::MAX`].
    pub fn from_millis(millis: u64) -> Result<Self, Error> {
        if millis > Self::MAX.0 {
            return Err(malformed("a time must lie in the years 1970 to 9999"));
        }
        Ok(Self(millis))
    }

    /// The system's time now, rounded down to the millisecond. A system clock outside of the
    /// years 1970 to 9999 gives the nearest bound.
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

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time less a duration (its milliseconds), and not before the epoch.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// This time plus a duration (its milliseconds), and not beyond [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self::saturating_from_millis(u128::from(self.0) + duration.as_millis())
    }
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::about(ErrorKind::Malformed, Subject::Timestamp, message)
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(time.0)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            malformed(
                "a time must be RFC 3339 with an offset, such as 2026-11-23T09:30:00Z or \
                 2026-11-23T10:30:00+01:00, in the years 1970 to 9999",
            )
        };
        if !has_rfc3339_shape(text.as_bytes()) {
            return Err(wrong());
        }
        let time: jiff::Timestamp = match text.parse() {
            Ok(time) => time,
            Err(_) if is_end_of_9999(text) => return Ok(Self::MAX),
            Err(_) => return Err(wrong()),
        };
        let nanos = u128::try_from(time.as_nanosecond()).map_err(|_| wrong())?;
        let millis = u64::try_from(nanos.div_ceil(1_000_000)).map_err(|_| wrong())?;
        Ok(Self(millis.min(Self::MAX.0)))
    }
}

/// People write `9999-12-31T23:59:59Z` for "no bound"; jiff leaves out the last two days of time.
fn is_end_of_9999(text: &str) -> bool {
    let date_time = text.get(..19).map(str::parse::<jiff::civil::DateTime>);
    matches!(date_time, Some(Ok(date_time)) if date_time.date() >= jiff::civil::date(9999, 12, 30))
}

/// jiff also reads forms of ISO 8601 that RFC 3339 section 5.6 leaves out (a space for the `T`,
/// hours without minutes, an offset of hours only, a zone in brackets).
fn has_rfc3339_shape(text: &[u8]) -> bool {
    let Some((date_time, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let shaped = date_time
        .iter()
        .zip(b"0000-00-00T00:00:00")
        .all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            shape => byte.eq_ignore_ascii_case(shape),
        });
    let offset = match rest {
        [b'.', digits @ ..] => {
            let end = digits
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if end == 0 {
                return false;
            }
            &digits[end..]
        }
        rest => rest,
    };
    let offset_ok = match offset {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    };
    shaped && offset_ok
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).map_err(|_| fmt::Error)?;
        let time = jiff::Timestamp::from_millisecond(millis).map_err(|_| fmt::Error)?;
        write!(f, "{time:.3}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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

    #[test]
    fn the_last_millisecond_prints_and_parses() {
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T22:00:00.000Z");
        for text in [
            "9999-12-30T22:00:00.999Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T23:59:59-12:00",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap(), Timestamp::MAX);
        }
        assert_eq!(Timestamp::MIN.to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn finer_digits_round_up() {
        let exact: Timestamp = "2026-01-01T00:00:00.001Z".parse().unwrap();
        let finer: Timestamp = "2026-01-01T00:00:00.000000001Z".parse().unwrap();
        assert_eq!(finer, exact);
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00+01",
            "2026-01-01T00:00:00 01:00",
            "2026-01-01T00:00:00+01:00[Europe/Paris]",
            "2026-01-01T00:00:00.Z",
            "2026-13-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "９９99-01-01T00:00:00Z",
        ] {
            let error = text.parse::<Timestamp>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{text}");
        }
    }
}
