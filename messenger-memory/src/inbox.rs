//! The conversations of one user, ordered by their last message.

use std::collections::BTreeMap;
use std::sync::Arc;

use messenger_core::{Conversation, MessageId, Order, Slice};

use crate::history::Risen;

/// One user's conversations by their last message. Both participants share each [`Conversation`].
#[derive(Debug, Default)]
pub(crate) struct Inbox(BTreeMap<MessageId, Arc<Conversation>>);

impl Inbox {
    /// Lists a conversation at its last message, and no longer at the one before. The history knows
    /// that one, as long as its lock is held: so an inbox needs no map of where conversations are.
    pub(crate) fn raise(&mut self, risen: &Risen) {
        if let Some(from) = risen.from {
            self.0.remove(&from);
        }
        let at = risen.conversation.last_message().id();
        self.0.insert(at, Arc::clone(&risen.conversation));
    }

    pub(crate) fn slice(&self, slice: Slice) -> Vec<Conversation> {
        let Some(range) = slice.range() else {
            return Vec::new();
        };
        let listed = self.0.range(range);
        let listed = listed.map(|(_, conversation)| Conversation::clone(conversation));
        let mut page = Vec::with_capacity(slice.limit.min(self.0.len()));
        match slice.order {
            Order::NewestFirst => page.extend(listed.rev().take(slice.limit)),
            Order::OldestFirst => page.extend(listed.take(slice.limit)),
        }
        page
    }
}
