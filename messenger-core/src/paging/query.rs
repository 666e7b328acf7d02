//! The parameters of a page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::Cursor;
use crate::error::{Error, ErrorKind, Subject};
use crate::time::Timestamp;

/// The greatest number of items on a page: 1 to 100, 20 by default.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Limit(u8);

impl Limit {
    /// One item.
    pub const MIN: Self = Self(1);
    /// A hundred items.
    pub const MAX: Self = Self(100);
    /// Twenty items.
    pub const DEFAULT: Self = Self(20);

    /// Converts a number to a limit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] outside 1 to 100. It is refused rather than clamped, so that no
    /// caller takes a short page for the last one.
    pub fn new(limit: u64) -> Result<Self, Error> {
        match u8::try_from(limit) {
            Ok(limit) if (Self::MIN.0..=Self::MAX.0).contains(&limit) => Ok(Self(limit)),
            _ => Err(Error::about(
                ErrorKind::Malformed,
                Subject::Limit,
                format!(
                    "a limit must be a whole number from {} to {}",
                    Self::MIN,
                    Self::MAX
                ),
            )),
        }
    }

    /// Returns the limit as a number of items.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<u64> for Limit {
    type Error = Error;

    fn try_from(limit: u64) -> Result<Self, Error> {
        Self::new(limit)
    }
}

impl FromStr for Limit {
    type Err = Error;

    fn from_str(limit: &str) -> Result<Self, Error> {
        // Zero is not a limit, so text that is not a number fails in the same way.
        Self::new(limit.parse().unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limit({})", self.0)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Selects a page of a history. By default the newest 20 messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct HistoryQuery {
    pub(super) limit: Limit,
    pub(super) cursor: Option<Cursor>,
    pub(super) before: Option<Timestamp>,
}

impl HistoryQuery {
    /// Selects the first page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the greatest number of messages.
    pub fn with_limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// Continues from a cursor of an earlier page.
    pub fn with_cursor(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.cursor = cursor.into();
        self
    }

    /// Excludes messages created at this time or later. It can be combined with a `next` cursor:
    /// both bounds apply, so repeat it with each page of a walk. A `prev` cursor leads to the history
    /// itself, and cannot be combined with it.
    pub fn with_before(mut self, before: impl Into<Option<Timestamp>>) -> Self {
        self.before = before.into();
        self
    }

    /// Returns the cursor.
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }
}

/// Selects a page of an inbox. By default the 20 conversations with the most recent messages,
/// without unread counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct InboxQuery {
    pub(super) limit: Limit,
    pub(super) cursor: Option<Cursor>,
    pub(crate) unread: bool,
}

impl InboxQuery {
    /// Selects the first page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the greatest number of entries.
    pub fn with_limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// Continues from a cursor of an earlier page.
    pub fn with_cursor(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.cursor = cursor.into();
        self
    }

    /// Sets whether each entry gets its number of unread messages. It costs one more read for each
    /// entry that is not read to the end.
    pub fn with_unread(mut self, unread: bool) -> Self {
        self.unread = unread;
        self
    }
}
