//! A client as the documentation of [`Page`] has it in mind: it walks a list, catches up, and merges
//! what it gets with what it has.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::Failure;
use super::describe::{Describe, Identified};
use super::failure::ensure;
use crate::{
    ConversationId, Cursor, Error, HistoryQuery, InboxEntry, InboxQuery, Limit, Message, Messenger,
    Page, UserId,
};

/// More pages than any list in the suite has.
const MAX_PAGES: usize = 10_000;

/// Reads one list page by page. Its cursors are converted to text and back, as those of real clients
/// are.
#[derive(Debug)]
pub struct Client<L: List> {
    messenger: Messenger,
    list: L,
    limit: Limit,
    items: BTreeMap<Uuid, L::Item>,
    prev: Option<Cursor>,
}

/// A list that a [`Client`] reads: [`History`] or [`Inbox`].
#[expect(private_bounds, reason = "no other lists exist")]
pub trait List: Clone + Send + Sync + 'static {
    /// The items of the list.
    type Item: Item;

    /// Reads a page.
    fn page(
        &self,
        messenger: &Messenger,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<Self::Item>, Error>> + Send;
}

/// An item that a client merges with what it has of it.
pub(crate) trait Item: Describe + Identified + Clone + Send + Sync {
    /// Set if an item moves to the top when a message is sent.
    const MOVES: bool;

    /// Merges a state of the item that was returned later, as [`Page::prev`] says.
    fn merge(&mut self, later: &Self);
}

impl Item for Message {
    const MOVES: bool = false;

    fn merge(&mut self, later: &Self) {
        if later.version() > self.version() {
            *self = later.clone();
        }
    }
}

impl Item for InboxEntry {
    const MOVES: bool = true;

    fn merge(&mut self, later: &Self) {
        let newest = |entry: &Self| {
            let last = entry.last_message();
            (last.id(), last.version())
        };
        let last = if newest(later) > newest(self) {
            later.last_message()
        } else {
            self.last_message()
        };
        *self = Self::new(later.conversation().clone(), last.clone()).with_markers(
            self.read_up_to().max(later.read_up_to()),
            self.seen_up_to().max(later.seen_up_to()),
        );
    }
}

/// The messages of a conversation.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain newtype")]
pub struct History(pub ConversationId);

impl List for History {
    type Item = Message;

    async fn page(
        &self,
        messenger: &Messenger,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Message>, Error> {
        let query = HistoryQuery::new().with_limit(limit).with_cursor(cursor);
        messenger.history(self.0, query).await
    }
}

/// The inbox of a user.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain newtype")]
pub struct Inbox(pub UserId);

impl List for Inbox {
    type Item = InboxEntry;

    async fn page(
        &self,
        messenger: &Messenger,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<InboxEntry>, Error> {
        let query = InboxQuery::new().with_limit(limit).with_cursor(cursor);
        messenger.inbox(&self.0, query).await
    }
}

impl<L: List> Client<L> {
    /// Creates a client that has read nothing yet. `limit` is that of its pages.
    pub fn new(messenger: &Messenger, list: L, limit: Limit) -> Self {
        Self {
            messenger: messenger.clone(),
            list,
            limit,
            items: BTreeMap::new(),
            prev: None,
        }
    }

    /// Returns the list.
    pub fn list(&self) -> &L {
        &self.list
    }

    /// Returns the limit of its pages.
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Returns what the client has: each item once, in the state that it merged, by message or
    /// conversation id.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = &L::Item> {
        self.items.values()
    }

    /// Returns what the client has of the message or conversation with this id.
    pub fn get(&self, id: impl Into<Uuid>) -> Option<&L::Item> {
        self.items.get(&id.into())
    }

    /// Reads the first page, from which the client catches up, and returns its `next`.
    ///
    /// # Errors
    ///
    /// If the page cannot be read.
    pub async fn open(&mut self) -> Result<Option<Cursor>, Failure> {
        let page = self.page(None).await?;
        self.prev = Some(page.prev);
        Ok(page.next)
    }

    /// Continues at another messenger over the same store. A cursor is valid at all of them.
    pub(crate) fn use_messenger(&mut self, messenger: &Messenger) {
        self.messenger = messenger.clone();
    }

    /// Catches up from another cursor.
    pub fn catch_up_from(&mut self, prev: Cursor) {
        self.prev = Some(prev);
    }

    /// Follows `next` to the end.
    ///
    /// # Errors
    ///
    /// If the walk does not end, or ends with an empty page.
    pub async fn walk(&mut self, next: Option<Cursor>) -> Result<(), Failure> {
        self.walk_to_the_end(next, false).await
    }

    /// Follows `next` to the end while others send. The last entries of an inbox may move to the top
    /// before their page is read, so that it is empty.
    ///
    /// # Errors
    ///
    /// If the walk does not end.
    pub async fn walk_while_others_send(&mut self, next: Option<Cursor>) -> Result<(), Failure> {
        self.walk_to_the_end(next, <L::Item as Item>::MOVES).await
    }

    async fn walk_to_the_end(
        &mut self,
        mut next: Option<Cursor>,
        last_may_be_empty: bool,
    ) -> Result<(), Failure> {
        for _ in 0..MAX_PAGES {
            if next.is_none() {
                return Ok(());
            }
            let page = self.page(next).await?;
            ensure!(
                !page.items.is_empty() || (last_may_be_empty && page.next.is_none()),
                "a walk ended with an empty page: `next` was present although nothing older exists"
            );
            next = page.next;
        }
        Err(Failure::new(format!(
            "a walk towards older items does not end: {MAX_PAGES} pages were read"
        )))
    }

    /// Reads the page of one `next` cursor. Returns the number of its items and its `next`.
    ///
    /// # Errors
    ///
    /// If the page cannot be read.
    pub async fn turn(&mut self, next: Cursor) -> Result<(usize, Option<Cursor>), Failure> {
        let page = self.page(Some(next)).await?;
        Ok((page.items.len(), page.next))
    }

    /// Follows `prev` until a page is not full. Returns what came, repeated or not, in the order of
    /// the log.
    ///
    /// # Errors
    ///
    /// If catching up does not end.
    pub async fn catch_up(&mut self) -> Result<Vec<L::Item>, Failure> {
        let mut came = Vec::new();
        let mut followed = HashSet::new();
        for _ in 0..MAX_PAGES {
            if let Some(prev) = self.prev
                && !followed.insert(prev)
            {
                return Err(does_not_end(&came, self.limit));
            }
            let page = self.page(self.prev).await?;
            self.prev = Some(page.prev);
            let full = page.items.len() >= self.limit.get();
            came.extend(page.items.into_iter().rev());
            if !full {
                return Ok(came);
            }
        }
        Err(does_not_end(&came, self.limit))
    }

    async fn page(&mut self, cursor: Option<Cursor>) -> Result<Page<L::Item>, Failure> {
        // A store that never waits would otherwise never let the time limit of the case act.
        tokio::task::consume_budget().await;
        let cursor = cursor.map(as_text_and_back).transpose()?;
        let page = self.list.page(&self.messenger, self.limit, cursor).await?;
        for item in &page.items {
            self.items
                .entry(item.identity())
                .and_modify(|known| known.merge(item))
                .or_insert_with(|| item.clone());
        }
        Ok(page)
    }
}

fn does_not_end<T: Describe>(came: &[T], limit: Limit) -> Failure {
    let last = came.iter().rev().take(limit.get().min(3)).rev();
    let names: Vec<_> = last.map(T::name).collect();
    Failure::new(format!(
        "catching up does not end: after {} items the log repeats {}",
        came.len(),
        names.join(", ")
    ))
}

/// Returns the cursor as a client has it that kept its text.
///
/// # Errors
///
/// If the text is not taken back.
pub fn as_text_and_back(cursor: Cursor) -> Result<Cursor, Failure> {
    let text = cursor.to_string();
    text.parse()
        .map_err(|_| Failure::new(format!("a page has a cursor that is refused: {text}")))
}
