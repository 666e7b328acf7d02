//! Identifiers. One that exists is valid: they are parsed once, at the edge, and never checked
//! again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::{SmolStr, ToSmolStr};
use uuid::{Uuid, Variant, Version};

use crate::{Error, ErrorKind, Position, Subject, Timestamp};

/// A user: 1 to 128 ASCII characters out of letters, digits and `-._~@:+=`, but not `.` or `..`,
/// which URL clients rewrite (RFC 3986, section 6.2.2.3).
///
/// Users are not registered: every valid id exists. In JSON it is read from a string or from an
/// unsigned 64-bit integer, so `7` and `"7"` are the same user, and is always written as a string.
/// Cloning never copies more than 24 bytes.
///
/// ```
/// use messenger_core::UserId;
///
/// let alice = UserId::new("alice@example.org")?;
/// assert_eq!(UserId::from(7), UserId::new("7")?);
/// assert!(UserId::new("..").is_err());
/// # assert_eq!(alice.as_str(), "alice@example.org");
/// # Ok::<(), messenger_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(SmolStr);

impl UserId {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Parses a user id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] when it is empty, too long, `.` or `..`, or holds another
    /// character.
    pub fn new(id: impl AsRef<str>) -> Result<Self, Error> {
        let id = id.as_ref();
        let problem = if id.is_empty() {
            "a user id must not be empty"
        } else if id.len() > Self::MAX_LEN {
            "a user id must have at most 128 characters"
        } else if id == "." || id == ".." {
            "a user id must not be . or .."
        } else if !id.bytes().all(is_user_id_byte) {
            "a user id must consist of ASCII letters, digits and -._~@:+="
        } else {
            return Ok(Self(SmolStr::new(id)));
        };
        Err(Error::about(ErrorKind::Malformed, Subject::UserId, problem))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_user_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~@:+=".contains(&byte)
}

impl From<u64> for UserId {
    fn from(number: u64) -> Self {
        Self(number.to_smolstr())
    }
}

impl FromStr for UserId {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self, Error> {
        Self::new(id)
    }
}

impl AsRef<str> for UserId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({})", self.as_str())
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = UserId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a user id as a string or an unsigned 64-bit integer")
            }

            fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<UserId, E> {
                UserId::new(id).map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<UserId, E> {
                Ok(UserId::from(number))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// A conversation.
///
/// That of two users is a UUIDv5 of both (RFC 9562, section 5.5), so each side, and any number of
/// servers at once, comes to the same id with no read, no lock and no transaction. Any other UUID
/// is well-formed too: it names a conversation that does not exist.
///
/// ```
/// use messenger_core::{ConversationId, UserId};
///
/// let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
/// assert_eq!(ConversationId::direct(&alice, &bob), ConversationId::direct(&bob, &alice));
/// # Ok::<(), messenger_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId(Uuid);

impl ConversationId {
    /// The project's namespace: changing it would lose every conversation.
    const NAMESPACE: Uuid = Uuid::from_u128(0x817e9029_868d_4f03_b646_6b9435d3742e);

    /// The conversation of two users, in whichever order they are named.
    pub fn direct(one: &UserId, other: &UserId) -> Self {
        let (first, second) = if one <= other {
            (one, other)
        } else {
            (other, one)
        };
        // Each id behind its length, so that no two pairs give the same name.
        let mut name = [0; 2 * (1 + UserId::MAX_LEN)];
        let mut len = 0;
        for id in [first.as_str(), second.as_str()] {
            // At most 128: see `UserId::MAX_LEN`.
            name[len] = id.len() as u8;
            name[len + 1..][..id.len()].copy_from_slice(id.as_bytes());
            len += 1 + id.len();
        }
        Self(Uuid::new_v5(&Self::NAMESPACE, &name[..len]))
    }

    /// The id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for ConversationId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<ConversationId> for Uuid {
    fn from(id: ConversationId) -> Self {
        id.0
    }
}

impl FromStr for ConversationId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_hyphenated(text).map(Self).ok_or_else(|| {
            Error::about(
                ErrorKind::Malformed,
                Subject::ConversationId,
                "a conversation id must be a UUID of 36 characters",
            )
        })
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConversationId({})", self.0)
    }
}

/// A message: a UUIDv7 (RFC 9562, section 5.7), made by the [`Clock`](crate::Clock).
///
/// The id is the order, of histories, of inboxes and in cursors, and its millisecond is the
/// message's [`created_at`](MessageId::created_at).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Uuid);

impl MessageId {
    /// Takes a UUID as a message id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] when it is not a UUIDv7, or lies after the year 9999.
    pub fn from_uuid(id: Uuid) -> Result<Self, Error> {
        if is_v7(id) {
            return Ok(Self(id));
        }
        Err(malformed_message_id())
    }

    pub(crate) fn from_ticks(ticks: Ticks, random: u64) -> Self {
        Self(uuid_v7(ticks, random))
    }

    pub(crate) const fn from_position(position: Position) -> Self {
        Self(position.as_uuid())
    }

    /// The id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// When the message was made: the id's millisecond.
    pub fn created_at(self) -> Timestamp {
        Timestamp::saturating_from_millis(self.ticks().millis().into())
    }

    /// The id's time in microseconds since the Unix epoch, monotone in the id: the millisecond,
    /// and the 12 bits of its fraction (RFC 9562, section 6.2, method 3).
    pub fn as_micros(self) -> u64 {
        let ticks = self.ticks();
        ticks.millis() * 1000 + ((ticks.fraction() * 1000) >> Ticks::FRACTION_BITS)
    }

    pub(crate) fn ticks(self) -> Ticks {
        Ticks::of(self.0)
    }
}

impl TryFrom<Uuid> for MessageId {
    type Error = Error;

    fn try_from(id: Uuid) -> Result<Self, Error> {
        Self::from_uuid(id)
    }
}

impl From<MessageId> for Uuid {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

impl FromStr for MessageId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_uuid(parse_hyphenated(text).ok_or_else(malformed_message_id)?)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", self.0)
    }
}

/// Ids read from and written as their hyphenated text, in lower case, with no allocation.
macro_rules! serde_as_text {
    ($id:ident) => {
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = Uuid::encode_buffer();
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_text!(ConversationId);
serde_as_text!(MessageId);

fn malformed_message_id() -> Error {
    Error::about(
        ErrorKind::Malformed,
        Subject::MessageId,
        "a message id must be a UUIDv7 of 36 characters",
    )
}

/// Only the hyphenated form: one id has one spelling in a URL, but for upper and lower case.
fn parse_hyphenated(text: &str) -> Option<Uuid> {
    (text.len() == 36)
        .then(|| Uuid::try_parse(text).ok())
        .flatten()
}

/// The 60 bits of a UUIDv7 that hold its time: 48 of milliseconds, 12 of their fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(pub(crate) u64);

impl Ticks {
    pub(crate) const FRACTION_BITS: u32 = 12;

    pub(crate) const fn start_of(time: Timestamp) -> Self {
        Self(time.as_millis() << Self::FRACTION_BITS)
    }

    pub(crate) fn of(uuid: Uuid) -> Self {
        let high = uuid.as_u64_pair().0;
        Self(high >> 16 << Self::FRACTION_BITS | high & 0xfff)
    }

    pub(crate) const fn millis(self) -> u64 {
        self.0 >> Self::FRACTION_BITS
    }

    const fn fraction(self) -> u64 {
        self.0 & 0xfff
    }
}

/// The random bits of a UUIDv7: the low 62.
pub(crate) const RANDOM_BITS: u64 = u64::MAX >> 2;

pub(crate) fn uuid_v7(ticks: Ticks, random: u64) -> Uuid {
    let high = ticks.millis() << 16 | 0x7000 | ticks.fraction();
    Uuid::from_u64_pair(high, 1 << 63 | random & RANDOM_BITS)
}

pub(crate) fn is_v7(uuid: Uuid) -> bool {
    uuid.get_version() == Some(Version::SortRand)
        && uuid.get_variant() == Variant::RFC4122
        && Ticks::of(uuid).millis() <= Timestamp::MAX.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_pairs_share_a_name() {
        let id = |text| UserId::new(text).unwrap();
        assert_ne!(
            ConversationId::direct(&id("ab"), &id("c")),
            ConversationId::direct(&id("a"), &id("bc")),
        );
    }

    #[test]
    fn a_conversation_keeps_its_id_for_ever() {
        let (alice, bob) = (UserId::new("alice").unwrap(), UserId::new("bob").unwrap());
        // Stored data depends on this value: it must never change.
        assert_eq!(
            ConversationId::direct(&alice, &bob).to_string(),
            "4030e32d-d786-54ef-9e6c-e538bcff2f0f"
        );
    }

    #[test]
    fn the_longest_ids_make_a_conversation() {
        let a = UserId::new("a".repeat(128)).unwrap();
        let b = UserId::new("b".repeat(128)).unwrap();
        assert_eq!(
            ConversationId::direct(&a, &b),
            ConversationId::direct(&b, &a)
        );
    }

    #[test]
    fn user_ids_in_json_are_strings_or_plain_integers() {
        let parse = |text: &str| serde_json::from_str::<UserId>(text);
        assert_eq!(parse("7").unwrap(), parse("\"7\"").unwrap());
        assert_eq!(
            parse("18446744073709551615").unwrap().as_str(),
            "18446744073709551615"
        );
        for text in [
            "-1",
            "7.0",
            "7e0",
            "18446744073709551616",
            "null",
            "\"\"",
            "\"a b\"",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::to_string(&UserId::from(7)).unwrap(), "\"7\"");
    }

    #[test]
    fn micros_are_monotone_in_the_id() {
        let id = |ticks| MessageId::from_ticks(Ticks(ticks), 0).as_micros();
        assert_eq!(id(5 << 12), 5_000);
        assert_eq!(id((5 << 12) | 0xfff), 5_999);
        assert!((0..20_000).map(id).is_sorted());
    }

    #[test]
    fn only_uuid_v7_is_a_message_id() {
        assert!(
            "0190a5a0-0000-7000-8000-000000000000"
                .parse::<MessageId>()
                .is_ok()
        );
        for text in [
            "0190a5a0-0000-4000-8000-000000000000",
            "0190a5a0-0000-7000-c000-000000000000",
            "ffffffff-ffff-7000-8000-000000000000",
            "0190a5a0000070008000000000000000",
            "{0190a5a0-0000-7000-8000-00000000000}",
        ] {
            assert!(text.parse::<MessageId>().is_err(), "{text}");
        }
    }
}
