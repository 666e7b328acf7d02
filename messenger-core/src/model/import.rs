//! Past messages from another system.

use uuid::Uuid;

use super::{Message, NewMessage};
use crate::ids::MessageId;
use crate::ids::uuid_v7::{RANDOM_BITS, Ticks};
use crate::time::Timestamp;

/// A message with a past timestamp; it sorts by that timestamp.
///
/// If each one has its id in the other system ([`with_source_id`](Self::with_source_id)), an import
/// that was interrupted can be repeated: each message is stored once.
///
/// ```
/// use messenger_core::{Import, NewMessage};
///
/// let message = NewMessage::new("alice".parse()?, "bob".parse()?, "Happy new year")?;
/// let import = Import::new(message, "2024-01-01T00:00:00Z".parse()?).with_source_id("irc:4711");
/// # let _ = import;
/// # Ok::<(), messenger_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Import {
    message: NewMessage,
    created_at: Timestamp,
    sequence: u16,
    random: u64,
}

impl Import {
    /// Creates an import of a message that was created at this time.
    pub fn new(message: NewMessage, created_at: Timestamp) -> Self {
        Self {
            message,
            created_at,
            sequence: 0,
            random: rand::random(),
        }
    }

    /// Sets the order among messages of the same millisecond, 0 (the default) to 4095; greater
    /// values count as 4095. Messages with the same time and number sort at random, or by a hash of
    /// their source id.
    pub fn with_sequence(mut self, sequence: u16) -> Self {
        self.sequence = sequence.min(Self::MAX_SEQUENCE);
        self
    }

    /// Derives the message's id from its conversation and this name, so that importing it again
    /// changes nothing. The name must be unique within the conversation.
    pub fn with_source_id(mut self, source_id: impl AsRef<[u8]>) -> Self {
        let conversation = self.message.conversation_id().as_uuid();
        let hash = Uuid::new_v5(&conversation, source_id.as_ref());
        self.random = hash.as_u64_pair().1;
        self
    }

    const MAX_SEQUENCE: u16 = 0xfff;

    pub(crate) fn into_message(self) -> Message {
        let ticks = Ticks(Ticks::start_of(self.created_at).0 | u64::from(self.sequence));
        // Never zero: the lowest position lies below every id.
        let random = (self.random & RANDOM_BITS).max(1);
        self.message.with_id(MessageId::from_ticks(ticks, random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(source_id: &str) -> Import {
        let message = NewMessage::new("a".parse().unwrap(), "b".parse().unwrap(), "hello").unwrap();
        Import::new(message, Timestamp::from_millis(1_000).unwrap()).with_source_id(source_id)
    }

    #[test]
    fn a_source_id_gives_the_same_message_again() {
        assert_eq!(import("1").into_message(), import("1").into_message());
        assert_ne!(
            import("1").into_message().id(),
            import("2").into_message().id()
        );
    }

    #[test]
    fn the_sequence_orders_a_millisecond() {
        let ids: Vec<_> = [0, 1, 2, 4_095]
            .map(|sequence| import("x").with_sequence(sequence).into_message().id())
            .into();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.timestamp().as_millis() == 1_000));
    }
}
