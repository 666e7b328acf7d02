use std::fmt;

use uuid::Uuid;

use super::uuid_v7::{RANDOM_BITS, Ticks, is_v7, uuid_v7};
use super::{LogKey, MessageId, Revision};
use crate::time::Timestamp;

/// A position in a list: that of an id, or between two ids.
///
/// It has the form of a UUIDv7 and sorts as its bytes do, together with the ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(Uuid);

impl Position {
    /// The lowest position. No id has it.
    pub const MIN: Self = Self(Uuid::from_u64_pair(0x7000, 1 << 63));

    /// Returns the position below every id of this time and above every earlier one.
    pub fn start_of(time: Timestamp) -> Self {
        Self(uuid_v7(Ticks::start_of(time), 0))
    }

    pub(crate) fn end_of(ticks: Ticks) -> Self {
        Self(uuid_v7(ticks, RANDOM_BITS))
    }

    pub(crate) fn from_uuid(uuid: Uuid) -> Option<Self> {
        is_v7(uuid).then_some(Self(uuid))
    }

    #[cfg(test)]
    pub(crate) fn of_ticks(ticks: u64, random: u64) -> Self {
        Self(uuid_v7(Ticks(ticks), random))
    }

    /// Returns the position directly below this one; the lowest is its own predecessor.
    #[must_use]
    pub fn pred(self) -> Self {
        let ticks = Ticks::of(self.0);
        match (self.0.as_u64_pair().1 & RANDOM_BITS, ticks.0) {
            (0, 0) => self,
            (0, tick) => Self(uuid_v7(Ticks(tick - 1), RANDOM_BITS)),
            (random, _) => Self(uuid_v7(ticks, random - 1)),
        }
    }

    /// Returns the position as a UUIDv7, as stores compare it with ids.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Returns the position in the form of a message id, as a bound in an ordered map. No message
    /// need have it.
    pub const fn as_message_id(self) -> MessageId {
        MessageId::from_position(self)
    }

    /// Returns the position in the form of a log key, as a bound in an ordered map. No change need
    /// have it.
    pub const fn as_log_key(self) -> LogKey {
        LogKey::from_position(self)
    }

    /// Returns the time of this position, rounded down to the millisecond.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::saturating_from_millis(Ticks::of(self.0).millis().into())
    }
}

impl From<MessageId> for Position {
    fn from(id: MessageId) -> Self {
        Self(id.as_uuid())
    }
}

impl From<Revision> for Position {
    fn from(revision: Revision) -> Self {
        Self(revision.as_uuid())
    }
}

impl From<LogKey> for Position {
    fn from(key: LogKey) -> Self {
        Self(key.as_uuid())
    }
}

impl From<Position> for Uuid {
    fn from(position: Position) -> Self {
        position.0
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_step_down_through_the_whole_order() {
        let position = Position::of_ticks;
        assert_eq!(position(7, 1).pred(), position(7, 0));
        assert_eq!(position(7, 0).pred(), position(6, RANDOM_BITS));
        assert_eq!(Position::MIN.pred(), Position::MIN);
        assert!(is_v7(position(1 << 12, 0).pred().0));
    }
}
