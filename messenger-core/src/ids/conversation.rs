use std::str::FromStr;

use uuid::Uuid;

use super::{UserId, as_hyphenated_text, parse_hyphenated};
use crate::error::{Error, ErrorKind, Subject};

/// The id of a conversation.
///
/// The id of a direct conversation is a UUIDv5 of its two user ids (RFC 9562, section 5.5). Any
/// number of servers derive the same id without reading, locking or a transaction. Any other UUID is
/// well-formed too: it names a conversation that does not exist.
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
    /// The project's namespace. Changing it would lose every conversation.
    const NAMESPACE: Uuid = Uuid::from_u128(0x817e9029_868d_4f03_b646_6b9435d3742e);

    /// Returns the id of the direct conversation of two users, in either order.
    pub fn direct(one: &UserId, other: &UserId) -> Self {
        let (first, second) = if one <= other {
            (one, other)
        } else {
            (other, one)
        };
        // Each id follows its length, so that no two pairs have the same name.
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

    /// Returns the id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for ConversationId {
    fn from(id: Uuid) -> Self {
        Self(id)
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

as_hyphenated_text!(ConversationId);

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
    fn a_conversation_keeps_its_id() {
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
}
