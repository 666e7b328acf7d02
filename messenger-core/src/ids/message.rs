use std::str::FromStr;

use uuid::Uuid;

use super::uuid_v7::{Ticks, is_v7, uuid_v7};
use super::{Position, as_hyphenated_text, parse_hyphenated};
use crate::error::{Error, ErrorKind, Subject};
use crate::time::Timestamp;

/// Defines an id that is a UUIDv7 made by the [`Clock`](crate::Clock).
macro_rules! uuid_v7_id {
    ($(#[$doc:meta])* $id:ident, $name:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $id(Uuid);

        impl $id {
            #[doc = concat!("Converts a UUID to a ", $name, ".")]
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Malformed`] if it is not a UUIDv7.
            pub fn from_uuid(id: Uuid) -> Result<Self, Error> {
                if is_v7(id) {
                    return Ok(Self(id));
                }
                Err(Error::about(
                    ErrorKind::Malformed,
                    Subject::MessageId,
                    concat!("a ", $name, " must be a UUIDv7 of 36 characters"),
                ))
            }

            /// Returns the id as a UUID.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            /// Returns the time the id was made at, rounded down to the millisecond.
            pub fn timestamp(self) -> Timestamp {
                Timestamp::saturating_from_millis(self.ticks().millis().into())
            }

            /// Returns the id's time in microseconds since the Unix epoch, rounded down. It is
            /// monotone in the id.
            pub fn as_micros(self) -> u64 {
                self.ticks().micros()
            }

            pub(crate) fn ticks(self) -> Ticks {
                Ticks::of(self.0)
            }
        }

        impl TryFrom<Uuid> for $id {
            type Error = Error;

            fn try_from(id: Uuid) -> Result<Self, Error> {
                Self::from_uuid(id)
            }
        }

        impl FromStr for $id {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                // The nil UUID is not a UUIDv7, so text of another form fails in the same way.
                Self::from_uuid(parse_hyphenated(text).unwrap_or_default())
            }
        }

        as_hyphenated_text!($id);
    };
}

uuid_v7_id! {
    /// The id of a message: a UUIDv7 (RFC 9562, section 5.7), made by the [`Clock`](crate::Clock).
    ///
    /// The id is the message's **place**: histories and inboxes are ordered by it. Its millisecond
    /// is the time the message was created at.
    MessageId, "message id"
}

uuid_v7_id! {
    /// The revision of a message: a UUIDv7 that tells its versions apart.
    ///
    /// The first version's revision is the message's id. Each edit, and the unsend, makes a
    /// greater one.
    Revision, "revision"
}

uuid_v7_id! {
    /// The place of a change in the log of a history or an inbox: a UUIDv7.
    ///
    /// The log key of a message that was sent on time is its id. That of an edit, an unsend or a
    /// read marker is made with the change. A message that is sent late (again, under its
    /// idempotency key) gets a fresh one, so that readers who caught up beyond its id find it.
    LogKey, "log key"
}

impl MessageId {
    pub(crate) fn from_ticks(ticks: Ticks, random: u64) -> Self {
        Self(uuid_v7(ticks, random))
    }

    pub(super) const fn from_position(position: Position) -> Self {
        Self(position.as_uuid())
    }
}

impl LogKey {
    pub(super) const fn from_position(position: Position) -> Self {
        Self(position.as_uuid())
    }
}

impl From<MessageId> for Revision {
    fn from(id: MessageId) -> Self {
        Self(id.0)
    }
}

impl From<MessageId> for LogKey {
    fn from(id: MessageId) -> Self {
        Self(id.0)
    }
}

impl From<Revision> for LogKey {
    fn from(revision: Revision) -> Self {
        Self(revision.0)
    }
}

impl From<LogKey> for Revision {
    fn from(key: LogKey) -> Self {
        Self(key.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micros_are_monotone_in_the_id() {
        let id = |ticks| MessageId::from_ticks(Ticks(ticks), 0).as_micros();
        assert_eq!(id(5 << 12), 5_000);
        assert_eq!(id((5 << 12) | 0xfff), 5_999);
        assert!((0..20_000).map(id).is_sorted());
    }

    #[test]
    fn only_uuid_v7_is_a_message_id() {
        for text in [
            "0190a5a0-0000-7000-8000-000000000000",
            "ffffffff-ffff-7fff-bfff-ffffffffffff",
        ] {
            assert!(text.parse::<MessageId>().is_ok(), "{text}");
        }
        for text in [
            "0190a5a0-0000-4000-8000-000000000000",
            "0190a5a0-0000-7000-c000-000000000000",
            "0190a5a0000070008000000000000000",
            "{0190a5a0-0000-7000-8000-00000000000}",
        ] {
            assert!(text.parse::<MessageId>().is_err(), "{text}");
        }
    }
}
