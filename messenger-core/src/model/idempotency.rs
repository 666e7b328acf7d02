//! Idempotency keys: a send that is repeated under the same key is one message.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use uuid::Uuid;

use super::NewMessage;
use crate::error::{Error, ErrorKind, Subject};
use crate::ids::{MessageId, UserId};

/// A client's name for one send: 1 to 255 visible ASCII characters (`!` to `~`). Sends of one sender
/// under the same key are one message, for as long as the store keeps the key (24 hours by default).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(SmolStr);

impl IdempotencyKey {
    /// The greatest length, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Converts a text to a key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] if it is empty, too long, or contains another character.
    pub fn new(key: impl AsRef<str>) -> Result<Self, Error> {
        let key = key.as_ref();
        let well_formed = (1..=Self::MAX_LEN).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !well_formed {
            return Err(Error::about(
                ErrorKind::Malformed,
                Subject::IdempotencyKey,
                format!(
                    "an idempotency key must have 1 to {} visible ASCII characters, such as a UUID",
                    Self::MAX_LEN
                ),
            ));
        }
        Ok(Self(SmolStr::new(key)))
    }

    /// Returns the key as text.
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

impl AsRef<str> for IdempotencyKey {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<Uuid> for IdempotencyKey {
    fn from(key: Uuid) -> Self {
        let mut buffer = Uuid::encode_buffer();
        Self(SmolStr::new(key.hyphenated().encode_lower(&mut buffer)))
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

/// A hash of the payload of a keyed send, receiver and content, by which the same payload is
/// recognized. It is a UUIDv5, so 122 bits of SHA-1: a sender who makes two payloads collide gets a
/// replay of their own message, and of nobody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(Uuid);

impl Fingerprint {
    /// Returns the fingerprint of a message to be sent.
    pub fn of(message: &NewMessage) -> Self {
        const PAYLOADS: Uuid = Uuid::from_u128(0xe0a4c2d6_9b1f_4e0b_8f6d_1c2a7d5e9f30);
        let (receiver, content) = (message.receiver_id().as_str(), message.content().as_str());
        // No user id contains a NUL, so the two parts cannot be confused.
        let mut payload = Vec::with_capacity(receiver.len() + 1 + content.len());
        payload.extend_from_slice(receiver.as_bytes());
        payload.push(0);
        payload.extend_from_slice(content.as_bytes());
        Self(Uuid::new_v5(&PAYLOADS, &payload))
    }

    /// Returns the fingerprint as a UUID, for a store to keep.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for Fingerprint {
    fn from(fingerprint: Uuid) -> Self {
        Self(fingerprint)
    }
}

/// A request to claim a key of a sender for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reservation {
    /// The sender. Keys of different senders are independent.
    pub sender_id: UserId,
    /// The sender's key.
    pub key: IdempotencyKey,
    /// The message that the key stands for, if no earlier claim holds it.
    pub claim: Claim,
}

impl Reservation {
    /// Creates a reservation.
    pub fn new(sender_id: UserId, key: IdempotencyKey, claim: Claim) -> Self {
        Self {
            sender_id,
            key,
            claim,
        }
    }
}

/// The message that a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a store must be able to write it"
)]
pub struct Claim {
    /// The id of the message.
    pub message_id: MessageId,
    /// The payload of the message.
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
