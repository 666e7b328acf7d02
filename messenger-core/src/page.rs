//! Asking for a page, and what comes back.

use std::fmt;

use crate::{Cursor, Error, ErrorKind, Subject, Timestamp};

/// How many items a page holds at most: 1 to 100, 20 unless told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit(u8);

impl Limit {
    /// One item.
    pub const MIN: Self = Self(1);
    /// A hundred items.
    pub const MAX: Self = Self(100);

    /// Takes a number as a limit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] outside of 1 to 100. It is refused rather than cut, so that nobody
    /// takes a short page for the end.
    pub fn new(limit: u64) -> Result<Self, Error> {
        match u8::try_from(limit) {
            Ok(limit) if (1..=100).contains(&limit) => Ok(Self(limit)),
            _ => Err(Error::about(
                ErrorKind::Malformed,
                Subject::Limit,
                "a limit must be a whole number from 1 to 100",
            )),
        }
    }

    /// The limit as a number of items.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
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

/// Which page of a history: the newest messages, unless a cursor or a time says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct HistoryQuery {
    pub(crate) limit: Limit,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) before: Option<Timestamp>,
}

impl HistoryQuery {
    /// The first page of 20 messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for pages of this size.
    pub fn with_limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on from a cursor of an earlier page.
    pub fn with_cursor(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.cursor = cursor.into();
        self
    }

    /// Leaves out messages made at this time or later. Together with a cursor both bounds hold;
    /// say it again with each page of the walk.
    pub fn with_before(mut self, before: impl Into<Option<Timestamp>>) -> Self {
        self.before = before.into();
        self
    }
}

/// Which page of an inbox: the conversations with the most recent activity, unless a cursor says
/// otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct InboxQuery {
    pub(crate) limit: Limit,
    pub(crate) cursor: Option<Cursor>,
}

impl InboxQuery {
    /// The first page of 20 conversations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for pages of this size.
    pub fn with_limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on from a cursor of an earlier page.
    pub fn with_cursor(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.cursor = cursor.into();
        self
    }
}

/// A page of a history or an inbox, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Leads to the older items. On a page of a walk towards older items it is absent exactly
    /// when nothing older exists, so a walk has no empty last page; unless, in an inbox, the last
    /// conversation has got a message meanwhile and moved to the top. On a newer page it is present
    /// whenever the page has items.
    pub next: Option<Cursor>,
    /// Leads to what is newer than this page, now or later: it is there on every page, also on an
    /// empty one.
    ///
    /// Following it from page to page catches up with everything that was appended since. The
    /// newest items may come again; drop the ids that you have.
    pub prev: Cursor,
}
