//! The page that a read returns.

use serde::Serialize;

use super::Cursor;

/// A page of a history or an inbox, newest first.
///
/// JSON: `{"data", "next_cursor", "prev_cursor"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items: newest place first on a walk towards older items, latest change first on a page of
    /// a `prev` cursor.
    #[serde(rename = "data")]
    pub items: Vec<T>,
    /// Leads to older items. On a walk towards older items it is `None` exactly if nothing older
    /// exists, so the last page of a walk is not empty; with one exception: the last entries of an
    /// inbox may get a message and move to the top before that page is read. On a page of a `prev`
    /// cursor it is present if the page has items.
    #[serde(rename = "next_cursor")]
    pub next: Option<Cursor>,
    /// Leads to everything that changes after this page was read: new messages, edits, unsends and
    /// read markers. It is present on every page, even on an empty one.
    ///
    /// An item may be returned again. Merge: an unsent message stays unsent, otherwise the greater
    /// revision wins; read markers only move forward.
    #[serde(rename = "prev_cursor")]
    pub prev: Cursor,
}

impl<T> Page<T> {
    /// The size of content, in bytes, after which a page ends early: its `next`, or `prev`, then
    /// leads on. So a page has at least one item, and at most this size and one more item.
    pub const MAX_BYTES: usize = 1024 * 1024;
}

impl<T> IntoIterator for Page<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    /// Returns an iterator over the items.
    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}
