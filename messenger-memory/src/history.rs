//! The messages of one conversation, in an ordered map.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use messenger_core::{
    Content, Conversation, Message, MessageId, MessageParts, Order, Slice, UserId,
};

/// One conversation: who takes part, what was written, and what was written last.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The conversation as it is now, as both inboxes list it; `None` before its first message.
    conversation: Option<Arc<Conversation>>,
    rows: BTreeMap<MessageId, Row>,
}

/// What tells the messages of a conversation apart. The rest of a message is in its history, so
/// that ten million messages do not keep the same two users and conversation ten million times.
#[derive(Debug)]
struct Row {
    /// Whether the first of the participants wrote it.
    from_first: bool,
    content: Content,
}

/// What became of a conversation by a message that is its last one now.
#[derive(Debug)]
pub(crate) struct Risen {
    /// The last message before; `None` for the first one.
    pub(crate) from: Option<MessageId>,
    pub(crate) conversation: Arc<Conversation>,
}

impl History {
    /// Adds a message; the same one again changes nothing. Says so when it is the last one now: a
    /// message may also come after later ones.
    pub(crate) fn add(&mut self, message: &Message) -> Option<Risen> {
        let from = self.rows.last_key_value().map(|(&id, _)| id);
        let Entry::Vacant(place) = self.rows.entry(message.id()) else {
            return None;
        };
        place.insert(Row {
            from_first: message.sender_id() < message.receiver_id(),
            content: message.content().clone(),
        });
        if from > Some(message.id()) {
            return None;
        }
        let conversation = Arc::new(Conversation::of(message));
        self.conversation = Some(Arc::clone(&conversation));
        Some(Risen { from, conversation })
    }

    pub(crate) fn message(&self, id: MessageId) -> Option<Message> {
        let conversation = self.conversation.as_ref()?;
        self.rows.get(&id).map(|row| build(conversation, id, row))
    }

    pub(crate) fn slice(&self, slice: Slice) -> Vec<Message> {
        let (Some(conversation), Some(range)) = (&self.conversation, slice.range()) else {
            return Vec::new();
        };
        let rows = self.rows.range(range);
        let build = |(&id, row)| build(conversation, id, row);
        // A range does not know how many it holds, and growing would copy the page again and again.
        let mut page = Vec::with_capacity(slice.limit.min(self.rows.len()));
        match slice.order {
            Order::NewestFirst => page.extend(rows.rev().take(slice.limit).map(build)),
            Order::OldestFirst => page.extend(rows.take(slice.limit).map(build)),
        }
        page
    }

    pub(crate) fn conversation(&self) -> Option<Conversation> {
        self.conversation.as_deref().cloned()
    }
}

fn build(conversation: &Conversation, id: MessageId, row: &Row) -> Message {
    // Only `add` sets it, to the conversation of a message, which is one of sender and receiver.
    let [first, second] = conversation.participants() else {
        unreachable!("a direct conversation has two participants");
    };
    let (sender, receiver): (&UserId, &UserId) = if row.from_first {
        (first, second)
    } else {
        (second, first)
    };
    Message::from_parts(MessageParts {
        id,
        conversation_id: conversation.id(),
        sender_id: sender.clone(),
        receiver_id: receiver.clone(),
        content: row.content.clone(),
    })
}
