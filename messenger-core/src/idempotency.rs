//! Idempotency keys: sending once, however often a client asks.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use uuid::Uuid;

use crate::{Error, ErrorKind, MessageId, NewMessage, Subject, UserId};

/// A client's name for one send: 1 to 255 visible ASCII characters (`!` to `~`). Two sends of one
/// sender under the same key are one message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(SmolStr);

impl IdempotencyKey {
    /// The longest key, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Takes a text as a key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] when it is empty, too long, or holds another character.
    pub fn new(key: impl AsRef<str>) -> Result<Self, Error> {
        let key = key.as_ref();
        let well_formed = (1..=Self::MAX_LEN).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !well_formed {
            return Err(Error::about(
                ErrorKind::Malformed,
                Subject::IdempotencyKey,
                "an idempotency key must have 1 to 255 visible ASCII characters, such as a UUID",
            ));
        }
        Ok(Self(SmolStr::new(key)))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for IdempotencyKey {
    type Err = Error;

    fn from_str(key: &str) -> Result<Self, Error> {
        Self::new(key)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({})", self.0)
    }
}

impl Serialize for IdempotencyKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for IdempotencyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(key).map_err(serde::de::Error::custom)
    }
}

/// What a send under a key says: a hash of receiver and content, by which the same payload is
/// known again. A UUIDv5, so 122 bits of SHA-1: whoever makes two payloads collide gets a replay
/// of their own message, and nobody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(Uuid);

impl Fingerprint {
    /// The fingerprint of a message to be sent.
    pub fn of(message: &NewMessage) -> Self {
        const PAYLOADS: Uuid = Uuid::from_u128(0xe0a4c2d6_9b1f_4e0b_8f6d_1c2a7d5e9f30);
        let (receiver, content) = (message.receiver_id().as_str(), message.content().as_str());
        // No user id holds a NUL, so the two cannot run into each other.
        let mut payload = Vec::with_capacity(receiver.len() + 1 + content.len());
        payload.extend_from_slice(receiver.as_bytes());
        payload.push(0);
        payload.extend_from_slice(content.as_bytes());
        Self(Uuid::new_v5(&PAYLOADS, &payload))
    }

    /// The fingerprint as a UUID, for a store to keep.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for Fingerprint {
    fn from(fingerprint: Uuid) -> Self {
        Self(fingerprint)
    }
}

/// A claim to a key: "under this key of mine I send the message with this id and payload".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reservation {
    /// Who sends. Keys of different senders have nothing to do with each other.
    pub sender_id: UserId,
    /// The sender's key.
    pub key: IdempotencyKey,
    /// What the key is to stand for.
    pub claim: Claim,
}

impl Reservation {
    /// A claim of this sender to this key.
    pub fn new(sender_id: UserId, key: IdempotencyKey, claim: Claim) -> Self {
        Self {
            sender_id,
            key,
            claim,
        }
    }
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a store must be able to write it"
)]
pub struct Claim {
    /// The id of the one message under the key.
    pub message_id: MessageId,
    /// That message's payload.
    pub fingerprint: Fingerprint,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_holds_receiver_and_content() {
        let of = |receiver: &str, content: &str| {
            let message = NewMessage::new(
                UserId::new("a").unwrap(),
                UserId::new(receiver).unwrap(),
                content,
            );
            Fingerprint::of(&message.unwrap())
        };
        assert_eq!(of("b", "x"), of("b", "x"));
        assert_ne!(of("b", "x"), of("c", "x"));
        assert_ne!(of("b", "x"), of("b", "y"));
        assert_ne!(of("b", "cx"), of("bc", "x"));
    }

    #[test]
    fn keys_are_visible_ascii() {
        assert!(IdempotencyKey::new("!".repeat(255)).is_ok());
        for key in ["", "a b", "é", "\u{7f}", &"x".repeat(256)] {
            assert!(IdempotencyKey::new(key).is_err(), "{key:?}");
        }
    }
}
