//! The calls of a [`Store`], whichever it is.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use messenger_core::{ConversationId, Message, Store, UserId};

use crate::calls::Calls;
use crate::pages::PageCall;
use crate::sends::Keyed;

/// Pages of a conversation's messages.
#[derive(Debug)]
pub struct History<S> {
    store: Arc<S>,
    conversation: ConversationId,
}

impl<S> History<S> {
    /// Those of this conversation.
    pub fn new(store: &Arc<S>, conversation: ConversationId) -> Self {
        Self {
            store: Arc::clone(store),
            conversation,
        }
    }

    /// Whose messages these are.
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }
}

impl<S: Store + 'static> Calls<PageCall> for History<S> {
    async fn call(&self, page: &PageCall) -> Result<()> {
        page.check(&S::history(&self.store, self.conversation, page.slice).await?)
    }
}

/// Pages of one conversation's messages and then of another's.
#[derive(Debug)]
pub struct Histories<S>(pub Arc<S>);

impl<S: Store + 'static> Calls<(ConversationId, PageCall)> for Histories<S> {
    async fn call(&self, (conversation, page): &(ConversationId, PageCall)) -> Result<()> {
        page.check(&S::history(&self.0, *conversation, page.slice).await?)
    }
}

/// Pages of a user's conversations.
#[derive(Debug)]
pub struct Inbox<S> {
    store: Arc<S>,
    user: UserId,
}

impl<S> Inbox<S> {
    /// Those of this user.
    pub fn new(store: &Arc<S>, user: &UserId) -> Self {
        Self {
            store: Arc::clone(store),
            user: user.clone(),
        }
    }

    /// Whose conversations these are.
    pub fn user(&self) -> &UserId {
        &self.user
    }
}

impl<S: Store + 'static> Calls<PageCall> for Inbox<S> {
    async fn call(&self, page: &PageCall) -> Result<()> {
        page.check(&S::inbox(&self.store, &self.user, page.slice).await?)
    }
}

/// Conversations by their ids.
#[derive(Debug)]
pub struct Conversations<S>(pub Arc<S>);

impl<S: Store + 'static> Calls<ConversationId> for Conversations<S> {
    async fn call(&self, &id: &ConversationId) -> Result<()> {
        let found = S::conversation(&self.0, id).await?;
        ensure!(found.context("no such conversation")?.id() == id);
        Ok(())
    }
}

/// Appends messages.
#[derive(Debug)]
pub struct Append<S>(pub Arc<S>);

impl<S: Store + 'static> Calls<Message> for Append<S> {
    async fn call(&self, message: &Message) -> Result<()> {
        Ok(S::append(&self.0, message).await?)
    }
}

/// Claims a key for each message, then appends it.
#[derive(Debug)]
pub struct KeyedAppend<S>(pub Arc<S>);

impl<S: Store + 'static> Calls<Keyed> for KeyedAppend<S> {
    async fn call(&self, keyed: &Keyed) -> Result<()> {
        let held = S::reserve(&self.0, &keyed.reservation).await?;
        ensure!(
            held == keyed.reservation.claim,
            "the key was claimed before"
        );
        Ok(S::append(&self.0, &keyed.message).await?)
    }
}
