//! The conversations of one user, ordered by their last message.

use std::collections::btree_map::Range;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use messenger_core::{Conversation, ConversationId, MessageId, Order, Slice};

/// One user's conversations. Both participants share each [`Conversation`].
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// The last message of each conversation: where in `by_head` it is listed.
    heads: HashMap<ConversationId, MessageId>,
    by_head: BTreeMap<MessageId, Arc<Conversation>>,
}

impl Inbox {
    /// Lists the conversation with this last message, unless a later one is listed already: so
    /// appends may come in any order.
    pub(crate) fn raise(&mut self, conversation: &Arc<Conversation>) {
        let head = conversation.last_message().id();
        if let Some(listed) = self.heads.get_mut(&conversation.id()) {
            if *listed >= head {
                return;
            }
            self.by_head.remove(listed);
            *listed = head;
        } else {
            self.heads.insert(conversation.id(), head);
        }
        self.by_head.insert(head, Arc::clone(conversation));
    }

    pub(crate) fn slice(&self, slice: Slice) -> Vec<Conversation> {
        let Some(range) = slice.range() else {
            return Vec::new();
        };
        let listed: Range<'_, _, Arc<Conversation>> = self.by_head.range(range);
        let listed = listed.map(|(_, conversation)| Conversation::clone(conversation));
        let mut page = Vec::with_capacity(slice.limit.min(self.by_head.len()));
        match slice.order {
            Order::NewestFirst => page.extend(listed.rev().take(slice.limit)),
            Order::OldestFirst => page.extend(listed.take(slice.limit)),
        }
        page
    }
}
