//! A client as the contract has it in mind: it walks a list, catches up, and drops what it has.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::testing::Failure;
use crate::testing::failure::ensure;
use crate::{
    Conversation, ConversationId, Cursor, HistoryQuery, InboxQuery, Limit, Message, Messenger,
    Page, UserId,
};

/// More pages than any case has; a walk that goes on is a walk in a circle.
const MANY: usize = 10_000;

/// Reads one list, page by page. Its cursors go over the wire, as those of real clients do.
pub(crate) struct Client<L: List> {
    pub(crate) messenger: Messenger,
    pub(crate) list: L,
    pub(crate) limit: Limit,
    /// Each thing once, as it was seen last.
    pub(crate) seen: BTreeMap<Uuid, L::Item>,
    prev: Option<Cursor>,
}

/// What a client reads.
pub(crate) trait List: Sync {
    type Item: Clone + Send + Sync;

    /// Whether an item moves to the top when something is sent.
    const MOVES: bool;

    fn page(
        &self,
        messenger: &Messenger,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<Self::Item>, crate::Error>> + Send;

    /// By what a client knows an item again.
    fn key(item: &Self::Item) -> Uuid;
}

/// The messages of a conversation.
#[derive(Clone, Copy)]
pub(crate) struct History(pub(crate) ConversationId);

impl List for History {
    type Item = Message;
    const MOVES: bool = false;

    async fn page(
        &self,
        messenger: &Messenger,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Message>, crate::Error> {
        let query = HistoryQuery::new().with_limit(limit).with_cursor(cursor);
        messenger.history(self.0, query).await
    }

    fn key(item: &Message) -> Uuid {
        item.id().as_uuid()
    }
}

/// The conversations of a user.
#[derive(Clone)]
pub(crate) struct Inbox(pub(crate) UserId);

impl List for Inbox {
    type Item = Conversation;
    const MOVES: bool = true;

    async fn page(
        &self,
        messenger: &Messenger,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Conversation>, crate::Error> {
        let query = InboxQuery::new().with_limit(limit).with_cursor(cursor);
        messenger.inbox(&self.0, query).await
    }

    fn key(item: &Conversation) -> Uuid {
        item.id().as_uuid()
    }
}

impl<L: List> Client<L> {
    pub(crate) fn new(messenger: &Messenger, list: L, limit: u64) -> Result<Self, Failure> {
        Ok(Self {
            messenger: messenger.clone(),
            list,
            limit: Limit::new(limit)?,
            seen: BTreeMap::new(),
            prev: None,
        })
    }

    /// Reads the first page, and keeps where to catch up from. Gives the cursor to what is older.
    pub(crate) async fn open(&mut self) -> Result<Option<Cursor>, Failure> {
        let page = self.page(None).await?;
        self.prev = Some(page.prev);
        Ok(page.next)
    }

    /// Catches up from a page that somebody else read.
    pub(crate) fn catch_up_from(&mut self, prev: Cursor) {
        self.prev = Some(prev);
    }

    /// Walks to the end from a cursor that `open` gave. Every page has something on it.
    pub(crate) async fn walk(&mut self, next: Option<Cursor>) -> Result<(), Failure> {
        self.walk_to_the_end(next, false).await
    }

    /// Walks to the end while others send. Where items move to the top, the one that `next` was given
    /// for may be there before it is asked for, and then nothing older is.
    pub(crate) async fn walk_while_others_send(
        &mut self,
        next: Option<Cursor>,
    ) -> Result<(), Failure> {
        self.walk_to_the_end(next, L::MOVES).await
    }

    async fn walk_to_the_end(
        &mut self,
        mut next: Option<Cursor>,
        last_may_be_empty: bool,
    ) -> Result<(), Failure> {
        for _ in 0..MANY {
            if next.is_none() {
                return Ok(());
            }
            let page = self.page(next).await?;
            ensure!(
                !page.items.is_empty() || (last_may_be_empty && page.next.is_none()),
                "a walk came to an empty last page: `next` was there and nothing older is"
            );
            next = page.next;
        }
        Err(Failure::new("a walk towards older items does not end"))
    }

    /// Turns to one older page. Gives how many items it has and the cursor to the next.
    pub(crate) async fn turn(&mut self, next: Cursor) -> Result<(usize, Option<Cursor>), Failure> {
        let page = self.page(Some(next)).await?;
        Ok((page.items.len(), page.next))
    }

    /// Follows `prev` until a page is not full. Gives what came, repeated or not, oldest first.
    pub(crate) async fn catch_up(&mut self) -> Result<Vec<L::Item>, Failure> {
        let mut came = Vec::new();
        for _ in 0..MANY {
            let page = self.page(self.prev).await?;
            self.prev = Some(page.prev);
            let full = page.items.len() == self.limit.get();
            came.extend(page.items.into_iter().rev());
            if !full {
                return Ok(came);
            }
        }
        Err(Failure::new("catching up does not end"))
    }

    pub(crate) fn has(&self, key: impl Into<Uuid>) -> bool {
        self.seen.contains_key(&key.into())
    }

    async fn page(&mut self, cursor: Option<Cursor>) -> Result<Page<L::Item>, Failure> {
        let cursor = cursor.map(over_the_wire).transpose()?;
        let page = self.list.page(&self.messenger, self.limit, cursor).await?;
        for item in &page.items {
            self.seen.insert(L::key(item), item.clone());
        }
        Ok(page)
    }
}

/// The cursor as a client has it that kept its text.
pub(crate) fn over_the_wire(cursor: Cursor) -> Result<Cursor, Failure> {
    let text = cursor.to_string();
    text.parse()
        .map_err(|_| Failure::new(format!("a cursor was given that is not taken back: {text}")))
}
