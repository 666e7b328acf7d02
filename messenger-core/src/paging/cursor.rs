//! Cursors: a position in a list, and its wire format.
//!
//! Pages are found by keyset: a cursor holds the *position* between two items, never a count of
//! items before it, so a page costs the same at any depth, and the item at the cursor may be gone. A
//! cursor is stateless: any server can continue from it at any time.
//!
//! # Older
//!
//! A `next` cursor holds one position: the page holds the items placed below it.
//!
//! # Newer
//!
//! A `prev` cursor follows the log of the list: the items at the keys of their changes. A log key is
//! made before its change becomes visible. Remembering "the newest key I saw" would therefore lose a
//! change with a smaller key that becomes visible later: within one process if two sends overlap,
//! and between servers by as much as their clocks differ. So a `prev` cursor holds two positions:
//!
//! - `settled`: everything at or below it was returned, and nothing new can appear there;
//! - `at`: how far this round of catching up has read.
//!
//! The module `step` says how a page moves them.
//!
//! # Wire format
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

use crate::error::{Error, ErrorKind, Subject};
use crate::ids::{ConversationId, Position, UserId};

/// A position in a history or an inbox from which to continue. It is opaque: the
/// [`Messenger`](crate::Messenger) returns it with each [`Page`](crate::Page), and accepts it in a
/// query.
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

/// The list that a cursor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    History(Uuid),
    Inbox(Uuid),
}

impl Scope {
    pub(super) fn history(conversation: ConversationId) -> Self {
        Self::History(conversation.as_uuid())
    }

    pub(super) fn inbox(user: &UserId) -> Self {
        const USERS: Uuid = Uuid::from_u128(0x5c1f3a52_7c1a_4f0c_9d8e_3b7f20c6a41b);
        Self::Inbox(Uuid::new_v5(&USERS, user.as_str().as_bytes()))
    }
}

/// The direction of a cursor, and its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Older { below: Position },
    Newer { settled: Position, at: Position },
}

impl Cursor {
    /// The greatest length of the wire format, in characters. Those made today have at most
    /// [`TYPICAL_LEN`](Self::TYPICAL_LEN); a client that stores cursors should reserve this many.
    pub const MAX_LEN: usize = 256;

    /// The length of the longest cursor that is made today, in characters.
    pub const TYPICAL_LEN: usize = 67;

    const VERSION: u8 = 1;
    const INBOX: u8 = 1;
    const NEWER: u8 = 2;
    const MAX_BYTES: usize = 2 + 3 * 16;

    pub(super) fn new(scope: Scope, target: Target) -> Self {
        Self { scope, target }
    }

    /// Returns the target if the cursor was made for this list.
    ///
    /// # Errors
    ///
    /// [`Subject::CursorScope`] if it was made for another list, conversation or user.
    pub(super) fn target_in(self, scope: Scope) -> Result<Target, Error> {
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

    /// Returns whether this is a `prev` cursor, which leads to newer items.
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
        bytes[18..34].copy_from_slice(first.as_uuid().as_bytes());
        if let Some(second) = second {
            bytes[34..50].copy_from_slice(second.as_uuid().as_bytes());
        }
        (bytes, if second.is_some() { 50 } else { 34 })
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[Self::VERSION, flags], rest) = bytes.split_first_chunk()? else {
            return None;
        };
        let chunks = rest.chunks_exact(16);
        if !chunks.remainder().is_empty() {
            return None;
        }
        let uuids: Vec<Uuid> = chunks
            .map(|bytes| Uuid::from_slice(bytes).ok())
            .collect::<Option<_>>()?;
        let position = Position::from_uuid;
        let (scope, target) = match (flags & Self::NEWER != 0, &uuids[..]) {
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
        let scope = match flags & !Self::NEWER {
            0 => Scope::History(scope),
            Self::INBOX => Scope::Inbox(scope),
            _ => return None,
        };
        Some(Self { scope, target })
    }

    /// Writes the wire format into the buffer and returns it.
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
                "this is not a cursor; use one from a page unchanged, or none for the first page",
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

    fn cursors() -> [Cursor; 2] {
        let user = UserId::new("u".repeat(128)).unwrap();
        [
            Cursor::new(
                Scope::inbox(&user),
                Target::Newer {
                    settled: Position::of_ticks(1, 2),
                    at: Position::of_ticks(3, 4),
                },
            ),
            Cursor::new(
                Scope::history(Uuid::from_u128(9).into()),
                Target::Older {
                    below: Position::of_ticks(5, 6),
                },
            ),
        ]
    }

    #[test]
    fn the_wire_format_round_trips() {
        for cursor in cursors() {
            let text = cursor.to_string();
            assert!(text.len() <= Cursor::TYPICAL_LEN);
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
}
