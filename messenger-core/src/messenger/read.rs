//! Reading.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::Messenger;
use crate::error::Error;
use crate::ids::{ConversationId, MessageId, Position, UserId};
use crate::model::{Conversation, InboxEntry, Message, Unread};
use crate::paging::{HistoryQuery, InboxQuery, Page, Step};

/// The number of unread counts of one page that are read at the same time.
const CONCURRENT_COUNTS: usize = 8;

impl Messenger {
    /// Returns a message; `None` if it does not exist in this conversation.
    ///
    /// # Errors
    ///
    /// The error of the store.
    pub async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let message = self.store().message(conversation, id).await?;
        if let Some(message) = &message {
            self.observe_message(message);
        }
        Ok(message)
    }

    /// Returns a page of a conversation's messages, newest first. A conversation that does not exist
    /// has an empty page, whose `prev` finds its first messages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for a cursor of another list, or a
    /// `prev` cursor together with a time, and the error of the store.
    pub async fn history(
        &self,
        conversation: ConversationId,
        query: HistoryQuery,
    ) -> Result<Page<Message>, Error> {
        let step = Step::of_history(conversation, query)?;
        let settled = self.settled();
        let page = match step {
            Step::Older(step) => {
                let (below, limit) = (step.below, step.limit());
                let messages = self.store().history(conversation, below, limit).await?;
                step.page(messages, settled)
            }
            Step::Newer(step) => {
                let (above, limit) = (step.from(settled), step.limit());
                let log = self.store().history_log(conversation, above, limit).await?;
                if let Some(last) = log.last() {
                    self.observe(last.key);
                }
                step.page(log, settled)
            }
        };
        for message in &page.items {
            self.observe_message(message);
        }
        Ok(page)
    }

    /// Returns a page of a user's inbox: conversations, those with the most recent messages first.
    /// Every user exists, so one who never sent or received a message has an empty page.
    ///
    /// A conversation that gets a message moves to the top. A walk towards older entries returns
    /// none twice; one that moves up meanwhile is missing from the walk, and is found through the
    /// `prev` of the first page.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for a cursor of another list, and the
    /// error of the store.
    pub async fn inbox(&self, user: &UserId, query: InboxQuery) -> Result<Page<InboxEntry>, Error> {
        let step = Step::of_inbox(user, query)?;
        let settled = self.settled();
        let mut page = match step {
            Step::Older(step) => {
                let (below, limit) = (step.below, step.limit());
                let entries = self.store().inbox(user, below, limit).await?;
                step.page(entries, settled)
            }
            Step::Newer(step) => {
                let (above, limit) = (step.from(settled), step.limit());
                let log = self.store().inbox_log(user, above, limit).await?;
                if let Some(last) = log.last() {
                    self.observe(last.key);
                }
                step.page(log, settled)
            }
        };
        for entry in &page.items {
            self.observe_entry(entry);
        }
        if query.unread {
            page.items = self.with_unread(user, page.items).await?;
        }
        Ok(page)
    }

    /// Returns a conversation as one of its users sees it, without its number of unread messages;
    /// `None` if it does not exist or the user takes no part in it.
    ///
    /// # Errors
    ///
    /// The error of the store.
    pub async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        let entry = self.store().entry(user, conversation).await?;
        if let Some(entry) = &entry {
            self.observe_entry(entry);
        }
        Ok(entry)
    }

    /// Returns a conversation; `None` until it has a message.
    ///
    /// # Errors
    ///
    /// The error of the store.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.store().conversation(id).await
    }

    /// Returns the number of messages that a user has not read in a conversation, counted up to
    /// [`Unread::CAP`]; `None` if the conversation does not exist or the user takes no part in it.
    ///
    /// # Errors
    ///
    /// The error of the store.
    pub async fn unread(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<Unread>, Error> {
        let Some(entry) = self.entry(user, conversation).await? else {
            return Ok(None);
        };
        Ok(Some(self.count_unread(user, &entry).await?))
    }

    async fn with_unread(
        &self,
        user: &UserId,
        entries: Vec<InboxEntry>,
    ) -> Result<Vec<InboxEntry>, Error> {
        stream::iter(entries)
            .map(|entry| async move {
                let unread = self.count_unread(user, &entry).await?;
                Ok(entry.with_unread(unread))
            })
            .buffered(CONCURRENT_COUNTS)
            .try_collect()
            .await
    }

    async fn count_unread(&self, user: &UserId, entry: &InboxEntry) -> Result<Unread, Error> {
        let read = entry.read_up_to();
        if read >= Some(entry.last_message().id()) {
            return Ok(Unread::of_count(0));
        }
        // One more than the cap shows whether there are more.
        let cap = Unread::CAP + 1;
        let above = read.map(Position::from);
        let count = self.store().unread(entry.id(), user, above, cap).await?;
        Ok(Unread::of_count(count))
    }

    fn observe_message(&self, message: &Message) {
        self.observe(message.id());
        self.observe(message.revision());
    }

    fn observe_entry(&self, entry: &InboxEntry) {
        self.observe(entry.last_message().id());
        self.observe(entry.last_message().revision());
    }
}
