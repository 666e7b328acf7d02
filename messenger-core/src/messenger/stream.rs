//! Whole lists as streams.

use futures_core::Stream;
use futures_util::stream::{self, TryStreamExt as _};

use super::Messenger;
use crate::error::Error;
use crate::ids::{ConversationId, UserId};
use crate::model::{InboxEntry, Message};
use crate::paging::{Cursor, HistoryQuery, InboxQuery, Limit, Page};

impl Messenger {
    /// Returns a stream of all messages of a conversation, newest first. It reads page by page as it
    /// is polled, and ends after an error.
    ///
    /// ```
    /// # async fn example(messenger: messenger_core::Messenger, id: messenger_core::ConversationId) -> Result<(), messenger_core::Error> {
    /// use futures_util::TryStreamExt as _;
    ///
    /// let mut messages = messenger.history_stream(id);
    /// while let Some(message) = messages.try_next().await? {
    ///     println!("{}", message.created_at());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn history_stream(
        &self,
        conversation: ConversationId,
    ) -> impl Stream<Item = Result<Message, Error>> + Send + Unpin + use<> {
        let messenger = self.clone();
        pages(move |cursor| {
            let messenger = messenger.clone();
            async move {
                let query = HistoryQuery::new()
                    .with_limit(Limit::MAX)
                    .with_cursor(cursor);
                messenger.history(conversation, query).await
            }
        })
    }

    /// Returns a stream of all entries of a user's inbox, those with the most recent messages first.
    /// It reads page by page as it is polled, and ends after an error. A conversation that moves up
    /// meanwhile may be missing, as for [`inbox`](Self::inbox).
    pub fn inbox_stream(
        &self,
        user: UserId,
    ) -> impl Stream<Item = Result<InboxEntry, Error>> + Send + Unpin + use<> {
        let messenger = self.clone();
        pages(move |cursor| {
            let (messenger, user) = (messenger.clone(), user.clone());
            async move {
                let query = InboxQuery::new().with_limit(Limit::MAX).with_cursor(cursor);
                messenger.inbox(&user, query).await
            }
        })
    }
}

/// Follows `next` from the first page to the last.
pub(super) fn pages<T, F, R>(read: F) -> impl Stream<Item = Result<T, Error>> + Send + Unpin
where
    T: Send,
    F: Fn(Option<Cursor>) -> R + Send,
    R: Future<Output = Result<Page<T>, Error>> + Send,
{
    enum At {
        Start,
        After(Cursor),
        End,
    }
    // Boxed, so that callers need not pin it.
    Box::pin(
        stream::try_unfold((At::Start, read), |(at, read)| async move {
            let cursor = match at {
                At::Start => None,
                At::After(cursor) => Some(cursor),
                At::End => return Ok(None),
            };
            let page = read(cursor).await?;
            let at = page.next.map_or(At::End, At::After);
            let items = stream::iter(page.items.into_iter().map(Ok));
            Ok::<_, Error>(Some((items, (at, read))))
        })
        .try_flatten(),
    )
}
