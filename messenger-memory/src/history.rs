//! The messages of one conversation, in an ordered map.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use messenger_core::{
    Content, Conversation, ConversationId, LastMessage, Message, MessageId, MessageParts, Order,
    Participants, Slice, UserId,
};

/// One conversation: who takes part, and what was written.
#[derive(Debug)]
pub(crate) struct History {
    conversation_id: ConversationId,
    /// Sorted, as in [`Participants`].
    users: [UserId; 2],
    rows: BTreeMap<MessageId, Row>,
}

/// What tells the messages of a conversation apart. The rest of a message is in its history, so
/// that ten million messages do not keep the same two users and conversation ten million times.
#[derive(Debug)]
struct Row {
    from_first: bool,
    content: Content,
}

impl History {
    pub(crate) fn of(message: &Message) -> Self {
        let mut users = [message.sender_id().clone(), message.receiver_id().clone()];
        users.sort();
        Self {
            conversation_id: message.conversation_id(),
            users,
            rows: BTreeMap::new(),
        }
    }

    /// Adds a message; the same one again changes nothing.
    pub(crate) fn insert(&mut self, message: &Message) {
        if let Entry::Vacant(place) = self.rows.entry(message.id()) {
            place.insert(Row {
                from_first: self.users[0] == *message.sender_id(),
                content: message.content().clone(),
            });
        }
    }

    pub(crate) fn message(&self, id: MessageId) -> Option<Message> {
        self.rows.get(&id).map(|row| self.build(id, row))
    }

    pub(crate) fn slice(&self, slice: Slice) -> Vec<Message> {
        let Some(range) = slice.range() else {
            return Vec::new();
        };
        let rows = self.rows.range(range);
        let build = |(&id, row)| self.build(id, row);
        // A range does not know how many it holds, and growing would copy the page again and again.
        let mut page = Vec::with_capacity(slice.limit.min(self.rows.len()));
        match slice.order {
            Order::NewestFirst => page.extend(rows.rev().take(slice.limit).map(build)),
            Order::OldestFirst => page.extend(rows.take(slice.limit).map(build)),
        }
        page
    }

    /// The conversation as it is now; `None` before its first message.
    pub(crate) fn conversation(&self) -> Option<Conversation> {
        let (&id, row) = self.rows.last_key_value()?;
        let (sender, receiver) = self.sender_and_receiver(row);
        let last = LastMessage::from_parts(id, sender.clone(), row.content.preview());
        let participants = Participants::direct(sender.clone(), receiver.clone());
        Some(Conversation::from_parts(
            self.conversation_id,
            participants,
            last,
        ))
    }

    fn build(&self, id: MessageId, row: &Row) -> Message {
        let (sender, receiver) = self.sender_and_receiver(row);
        Message::from_parts(MessageParts {
            id,
            conversation_id: self.conversation_id,
            sender_id: sender.clone(),
            receiver_id: receiver.clone(),
            content: row.content.clone(),
        })
    }

    fn sender_and_receiver(&self, row: &Row) -> (&UserId, &UserId) {
        let [first, second] = &self.users;
        if row.from_first {
            (first, second)
        } else {
            (second, first)
        }
    }
}
