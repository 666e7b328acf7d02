//! `&S`, `Box<S>` and `Arc<S>` are stores if `S` is one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Logged, Store};
use crate::error::Error;
use crate::ids::{ConversationId, LogKey, MessageId, Position, Revision, UserId};
use crate::model::{Claim, Conversation, InboxEntry, Message, ReadMarker, Reservation};

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        // If the trait ever gets a default method, a wrapper that forgets it would change the
        // behaviour of the store.
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<S: Store + ?Sized> Store for $pointer {
            async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
                (**self).put(key, message).await
            }

            async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
                (**self).mark(key, marker).await
            }

            async fn message(&self, conversation: ConversationId, id: MessageId) -> Result<Option<Message>, Error> {
                (**self).message(conversation, id).await
            }

            async fn history(&self, conversation: ConversationId, below: Option<Position>, limit: usize) -> Result<Vec<Message>, Error> {
                (**self).history(conversation, below, limit).await
            }

            async fn history_log(&self, conversation: ConversationId, above: Position, limit: usize) -> Result<Vec<Logged<Message>>, Error> {
                (**self).history_log(conversation, above, limit).await
            }

            async fn inbox(&self, user: &UserId, below: Option<Position>, limit: usize) -> Result<Vec<InboxEntry>, Error> {
                (**self).inbox(user, below, limit).await
            }

            async fn inbox_log(&self, user: &UserId, above: Position, limit: usize) -> Result<Vec<Logged<InboxEntry>>, Error> {
                (**self).inbox_log(user, above, limit).await
            }

            async fn entry(&self, user: &UserId, conversation: ConversationId) -> Result<Option<InboxEntry>, Error> {
                (**self).entry(user, conversation).await
            }

            async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
                (**self).conversation(id).await
            }

            async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
                (**self).users(after, limit).await
            }

            async fn unread(&self, conversation: ConversationId, reader: &UserId, above: Option<Position>, cap: usize) -> Result<usize, Error> {
                (**self).unread(conversation, reader, above, cap).await
            }

            async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
                (**self).reserve(reservation).await
            }

            async fn health(&self) -> Result<(), Error> {
                (**self).health().await
            }

            fn settle(&self) -> Duration {
                (**self).settle()
            }

            fn in_flight(&self) -> Option<LogKey> {
                (**self).in_flight()
            }

            fn newest(&self) -> Option<Revision> {
                (**self).newest()
            }
        }
    )*};
}

forward!(&S, Box<S>, Arc<S>);
