//! Ways to slice a list wrongly, and rows to spoil.

use messenger_core::{
    Content, Conversation, ConversationId, Error, Message, MessageId, MessageParts, NewMessage,
    Order, Participants, Position, Slice, UserId,
};

use crate::mistake::Mistake;

/// Everything, oldest first.
pub(crate) const WHOLE: Slice = Slice {
    above: None,
    below: None,
    order: Order::OldestFirst,
    limit: usize::MAX,
};

pub(crate) trait Placed {
    fn id(&self) -> MessageId;

    fn position(&self) -> Position {
        self.id().into()
    }
}

impl Placed for Message {
    fn id(&self) -> MessageId {
        self.id()
    }
}

impl Placed for Conversation {
    fn id(&self) -> MessageId {
        self.last_message().id()
    }
}

/// Whether the mistake shows in how histories are read.
pub(crate) fn in_history(mistake: Mistake) -> bool {
    matches!(
        mistake,
        Mistake::AppendedTwiceShowsTwice
            | Mistake::BoundAboveInclusive
            | Mistake::BoundBelowInclusive
            | Mistake::BoundsByMillisecond
            | Mistake::TiesTheWrongWayRound
            | Mistake::TiesAsSignedBytes
            | Mistake::OldestTakenFromTheWrongEnd
            | Mistake::OrderIgnored
            | Mistake::HistoryLostInARace
            | Mistake::PageEndsWithItsBucket
            | Mistake::AtMostAHundred
            | Mistake::WholeHistoryRead
    )
}

/// Whether the mistake shows in how inboxes are read.
pub(crate) fn in_inbox(mistake: Mistake) -> bool {
    matches!(
        mistake,
        Mistake::AppendedAgainMovesUp
            | Mistake::ReceiversInboxForgotten
            | Mistake::PreviewOfTheMessageBefore
            | Mistake::LastWriteIsTheHead
            | Mistake::InboxByArrival
            | Mistake::StaleInboxRowsStay
            | Mistake::InboxBoundInclusive
            | Mistake::InboxTiesByConversation
            | Mistake::HalfAnAppendWhenDropped
            | Mistake::InboxPageEndsWithItsEpoch
            | Mistake::WholeInboxRead
    )
}

/// A fixed window of ten days, as stores cut time into partitions.
pub(crate) fn epoch(id: MessageId) -> u64 {
    id.created_at().as_millis() / (10 * 86_400_000)
}

/// A slice of a list that is given whole and oldest first, with the mistake made.
pub(crate) fn slice<T: Placed>(mistake: Mistake, mut list: Vec<T>, slice: Slice) -> Vec<T> {
    match mistake {
        Mistake::TiesTheWrongWayRound => {
            list.sort_by_key(|item| (item.id().created_at(), std::cmp::Reverse(item.id())));
        }
        Mistake::TiesAsSignedBytes => list.sort_by_key(|item| {
            let bytes = item.id().as_uuid().into_bytes();
            (item.id().created_at(), bytes.map(u8::cast_signed))
        }),
        _ => {}
    }
    list.retain(|item| within(mistake, item, slice));
    if slice.order == Order::NewestFirst && mistake != Mistake::OrderIgnored {
        list.reverse();
    }
    if mistake == Mistake::OldestTakenFromTheWrongEnd && slice.order == Order::OldestFirst {
        let extra = list.len().saturating_sub(slice.limit);
        list.drain(..extra);
    }
    if matches!(
        mistake,
        Mistake::PageEndsWithItsBucket | Mistake::InboxPageEndsWithItsEpoch
    ) && let Some(first) = list.first().map(|first| epoch(first.id()))
    {
        list.retain(|item| epoch(item.id()) == first);
    }
    let limit = match mistake {
        Mistake::AtMostAHundred => slice.limit.min(100),
        _ => slice.limit,
    };
    list.truncate(limit);
    list
}

fn within<T: Placed>(mistake: Mistake, item: &T, slice: Slice) -> bool {
    let (above, below, at) = (slice.above, slice.below, item.position());
    match mistake {
        Mistake::BoundAboveInclusive => {
            above.is_none_or(|above| above <= at) && below.is_none_or(|below| at < below)
        }
        Mistake::BoundBelowInclusive | Mistake::InboxBoundInclusive => {
            above.is_none_or(|above| above < at) && below.is_none_or(|below| at <= below)
        }
        Mistake::BoundsByMillisecond => {
            let time = |position: Position| position.timestamp();
            above.is_none_or(|above| time(above) < time(at))
                && below.is_none_or(|below| time(at) < time(below))
        }
        _ => slice.contains(at),
    }
}

/// The message with at most 1,000 bytes of its content.
pub(crate) fn cut(message: &Message) -> Result<Message, Error> {
    let text = message.content().as_str();
    with_content(message, &text[..text.floor_char_boundary(1_000)])
}

/// The message without white space around its content.
pub(crate) fn trimmed(message: &Message) -> Result<Message, Error> {
    with_content(message, message.content().as_str().trim())
}

fn with_content(message: &Message, text: &str) -> Result<Message, Error> {
    Ok(Message::from_parts(MessageParts {
        id: message.id(),
        conversation_id: message.conversation_id(),
        sender_id: message.sender_id().clone(),
        receiver_id: message.receiver_id().clone(),
        content: Content::new(text)?,
    }))
}

/// A conversation that does not exist.
pub(crate) fn nobodys(id: ConversationId) -> Result<Conversation, Error> {
    let (one, other) = (UserId::from(0), UserId::from(1));
    let placeholder = NewMessage::new(one.clone(), other.clone(), "-")?;
    let first = MessageId::from_uuid(Position::MIN.as_uuid())?;
    let last = Conversation::of(&placeholder.with_id(first));
    let participants = Participants::direct(one, other);
    Ok(Conversation::from_parts(
        id,
        participants,
        last.last_message().clone(),
    ))
}
