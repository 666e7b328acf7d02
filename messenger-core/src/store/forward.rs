//! `&S`, `Box<S>` and `Arc<S>` are stores where `S` is one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Slice, Store};
use crate::{Claim, Conversation, ConversationId, Error, Message, MessageId, Reservation, UserId};

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        // Should the trait ever get a default method, a wrapper that forgets it would change what
        // the store does.
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<S: Store + ?Sized> Store for $pointer {
            async fn append(&self, message: &Message) -> Result<(), Error> {
                (**self).append(message).await
            }

            async fn message(
                &self,
                conversation: ConversationId,
                id: MessageId,
            ) -> Result<Option<Message>, Error> {
                (**self).message(conversation, id).await
            }

            async fn history(
                &self,
                conversation: ConversationId,
                slice: Slice,
            ) -> Result<Vec<Message>, Error> {
                (**self).history(conversation, slice).await
            }

            async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
                (**self).inbox(user, slice).await
            }

            async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
                (**self).conversation(id).await
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
        }
    )*};
}

forward!(&S, Box<S>, Arc<S>);
