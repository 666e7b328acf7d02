//! Where a walk stands, and how that travels.
//!
//! Pages are found by keyset: a cursor holds the *position* between two items, never a count of
//! items before it, so a page costs the same at any depth, and the item that the cursor was made
//! at may be gone. A cursor is stateless: any server can go on from it at any time.
//!
//! # Older
//!
//! One position: the page holds the items below it.
//!
//! # Newer
//!
//! An id is made before its message can be seen. So "newer than the newest that I saw" would lose
//! a message whose id is smaller and which shows later, within one process and the more so between
//! servers. A newer cursor therefore holds two positions:
//!
//! - `settled`: everything at or below it has been given, and nothing more can come there;
//! - `at`: how far this round of catching up has read.
//!
//! A page goes on above `at`. One that is full leaves `settled` behind and moves `at`; one that is
//! not ends the round, and the next poll starts above `settled` again. So a poll may repeat the
//! newest items, and never misses one.
//!
//! # The wire form
//!
//! base64url without padding (RFC 4648, section 5) of: a version byte, a byte for list and
//! direction, 16 bytes of scope, and one or two positions of 16 bytes: 46 or 67 characters. The
//! scope says which history or inbox the cursor was made for; it is compared, and never used to
//! find data. Positions have the form of a UUIDv7, because Cassandra's `uuid` type compares the
//! version before the time.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::id::{RANDOM_BITS, Ticks, is_v7, uuid_v7};
use crate::{ConversationId, Error, ErrorKind, MessageId, Subject, Timestamp, UserId};

/// A place in the order of messages: that of a message id, or between two ids.
///
/// It has the form of a UUIDv7 and sorts as its bytes do, with the message ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(Uuid);

impl Position {
    /// The lowest position. No message has this id.
    pub const MIN: Self = Self(Uuid::from_u64_pair(0x7000, 1 << 63));

    /// The position below every message of this time and above every earlier one.
    pub fn start_of(time: Timestamp) -> Self {
        Self(uuid_v7(Ticks::start_of(time), 0))
    }

    pub(crate) fn end_of(ticks: Ticks) -> Self {
        Self(uuid_v7(ticks, RANDOM_BITS))
    }

    /// The position right below this one; the lowest is its own predecessor.
    #[must_use]
    pub fn pred(self) -> Self {
        let ticks = Ticks::of(self.0);
        match (self.0.as_u64_pair().1 & RANDOM_BITS, ticks.0) {
            (0, 0) => self,
            (0, tick) => Self(uuid_v7(Ticks(tick - 1), RANDOM_BITS)),
            (random, _) => Self(uuid_v7(ticks, random - 1)),
        }
    }

    /// The position as a UUIDv7, as stores compare it with message ids.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The position in the form of an id, to compare with. It need not be any message's.
    pub(crate) const fn as_bound(self) -> MessageId {
        MessageId::from_position(self)
    }

    /// The time of this position, rounded down to the millisecond.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::saturating_from_millis(Ticks::of(self.0).millis().into())
    }
}

impl From<MessageId> for Position {
    fn from(id: MessageId) -> Self {
        Self(id.as_uuid())
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({})", self.0)
    }
}

/// Where a walk through a history or an inbox stands. Opaque: made by the
/// [`Messenger`](crate::Messenger) with each [`Page`](crate::Page), and given back to it.
///
/// ```
/// # use messenger_core::{Cursor, ErrorKind, Subject};
/// let error = "not-a-cursor".parse::<Cursor>().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Malformed);
/// assert_eq!(error.subject(), Some(Subject::Cursor));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    scope: Scope,
    target: Target,
}

/// The list that a cursor walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    History(Uuid),
    Inbox(Uuid),
}

impl Scope {
    pub(crate) fn history(conversation: ConversationId) -> Self {
        Self::History(conversation.as_uuid())
    }

    pub(crate) fn inbox(user: &UserId) -> Self {
        const USERS: Uuid = Uuid::from_u128(0x5c1f3a52_7c1a_4f0c_9d8e_3b7f20c6a41b);
        Self::Inbox(Uuid::new_v5(&USERS, user.as_str().as_bytes()))
    }
}

/// Which way a cursor goes, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Older { below: Position },
    Newer { settled: Position, at: Position },
}

impl Cursor {
    /// The longest wire form that is read, in characters. (Those made today are shorter; a client
    /// that stores cursors should have room for this many.)
    pub const MAX_LEN: usize = 256;

    const VERSION: u8 = 1;
    const INBOX: u8 = 1;
    const NEWER: u8 = 2;
    const MAX_BYTES: usize = 2 + 3 * 16;

    pub(crate) fn new(scope: Scope, target: Target) -> Self {
        Self { scope, target }
    }

    /// Where to go on, if the cursor was made for this list.
    ///
    /// # Errors
    ///
    /// [`Subject::CursorScope`] when it was made for another list, conversation or user.
    pub(crate) fn target_in(self, scope: Scope) -> Result<Target, Error> {
        if self.scope == scope {
            return Ok(self.target);
        }
        let message = match (self.scope, scope) {
            (Scope::History(_), Scope::History(_)) => {
                "the cursor was made for another conversation; use one from a page of this \
                 conversation, or none for the first page"
            }
            (Scope::Inbox(_), Scope::Inbox(_)) => {
                "the cursor was made for another user's inbox; use one from a page of this inbox, \
                 or none for the first page"
            }
            (Scope::History(_), Scope::Inbox(_)) => {
                "the cursor was made for the messages of a conversation, not for an inbox"
            }
            (Scope::Inbox(_), Scope::History(_)) => {
                "the cursor was made for an inbox, not for the messages of a conversation"
            }
        };
        Err(Error::about(
            ErrorKind::Malformed,
            Subject::CursorScope,
            message,
        ))
    }

    /// Whether the cursor leads to newer items, rather than to older ones.
    pub fn is_newer(self) -> bool {
        matches!(self.target, Target::Newer { .. })
    }

    fn to_bytes(self) -> ([u8; Self::MAX_BYTES], usize) {
        let (list, scope) = match self.scope {
            Scope::History(scope) => (0, scope),
            Scope::Inbox(scope) => (Self::INBOX, scope),
        };
        let (direction, first, second) = match self.target {
            Target::Older { below } => (0, below, None),
            Target::Newer { settled, at } => (Self::NEWER, settled, Some(at)),
        };
        let mut bytes = [0; Self::MAX_BYTES];
        bytes[0] = Self::VERSION;
        bytes[1] = list | direction;
        bytes[2..18].copy_from_slice(scope.as_bytes());
        bytes[18..34].copy_from_slice(first.0.as_bytes());
        if let Some(second) = second {
            bytes[34..50].copy_from_slice(second.0.as_bytes());
        }
        (bytes, if second.is_some() { 50 } else { 34 })
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[Self::VERSION, flags], rest) = bytes.split_first_chunk()? else {
            return None;
        };
        let (chunks, []) = rest.as_chunks::<16>() else {
            return None;
        };
        let position = |bytes: [u8; 16]| {
            let uuid = Uuid::from_bytes(bytes);
            is_v7(uuid).then_some(Position(uuid))
        };
        let (scope, target) = match (flags & Self::NEWER != 0, chunks) {
            (false, &[scope, below]) => (
                scope,
                Target::Older {
                    below: position(below)?,
                },
            ),
            (true, &[scope, settled, at]) => {
                let (settled, at) = (position(settled)?, position(at)?);
                (
                    scope,
                    (settled <= at).then_some(Target::Newer { settled, at })?,
                )
            }
            _ => return None,
        };
        let scope = Uuid::from_bytes(scope);
        let scope = match flags & !Self::NEWER {
            0 => Scope::History(scope),
            Self::INBOX => Scope::Inbox(scope),
            _ => return None,
        };
        Some(Self { scope, target })
    }

    /// Writes the wire form into the buffer and returns it.
    fn encode(self, buffer: &mut [u8; Self::MAX_LEN]) -> &str {
        let (bytes, len) = self.to_bytes();
        URL_SAFE_NO_PAD
            .encode_slice(&bytes[..len], buffer)
            .ok()
            .and_then(|len| std::str::from_utf8(&buffer[..len]).ok())
            // 50 bytes make 67 characters of ASCII, and the buffer holds 256.
            .unwrap_or_default()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut [0; Self::MAX_LEN]))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            if text.len() > Self::MAX_LEN {
                return None;
            }
            let mut buffer = [0; Self::MAX_LEN];
            let len = URL_SAFE_NO_PAD.decode_slice(text, &mut buffer).ok()?;
            Self::from_bytes(&buffer[..len])
        };
        parse().ok_or_else(|| {
            Error::about(
                ErrorKind::Malformed,
                Subject::Cursor,
                "this is not a cursor; use one from a page as it was given, or none for the first \
                 page",
            )
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.encode(&mut [0; Self::MAX_LEN]))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(tick: u64, random: u64) -> Position {
        Position(uuid_v7(Ticks(tick), random))
    }

    fn cursors() -> [Cursor; 2] {
        let user = UserId::new("u".repeat(128)).unwrap();
        [
            Cursor::new(
                Scope::inbox(&user),
                Target::Newer {
                    settled: position(1, 2),
                    at: position(3, 4),
                },
            ),
            Cursor::new(
                Scope::history(Uuid::from_u128(9).into()),
                Target::Older {
                    below: position(5, 6),
                },
            ),
        ]
    }

    #[test]
    fn the_wire_form_gives_the_cursor_back() {
        for cursor in cursors() {
            let text = cursor.to_string();
            assert!(text.len() <= 67);
            assert_eq!(text.parse::<Cursor>().unwrap(), cursor);
        }
    }

    #[test]
    fn no_changed_length_or_flag_is_a_cursor() {
        for cursor in cursors() {
            let (bytes, len) = cursor.to_bytes();
            for cut in 0..len {
                assert_eq!(Cursor::from_bytes(&bytes[..cut]), None, "{cut} of {len}");
            }
            for flags in 4..=255 {
                let mut bytes = bytes;
                bytes[1] = flags;
                assert_eq!(Cursor::from_bytes(&bytes[..len]), None, "flags {flags}");
            }
            let text = cursor.to_string();
            for wrong in [
                format!("{text}="),
                format!("{text}A"),
                format!(" {text}"),
                text.replace('A', "+"),
            ] {
                assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
            }
            assert!("A".repeat(257).parse::<Cursor>().is_err());
        }
    }

    #[test]
    fn positions_step_down_through_the_whole_order() {
        assert_eq!(position(7, 1).pred(), position(7, 0));
        assert_eq!(position(7, 0).pred(), position(6, RANDOM_BITS));
        assert_eq!(Position::MIN.pred(), Position::MIN);
        assert!(is_v7(position(1 << 12, 0).pred().0));
    }
}
