use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::{SmolStr, ToSmolStr};

use crate::error::{Error, ErrorKind, Subject};

/// The id of a user: 1 to 128 ASCII letters, digits and `-._~@:+=`, except `.` and `..`, which URL
/// clients rewrite (RFC 3986, section 6.2.2.3).
///
/// Users are not registered: every valid id exists. JSON accepts a string or an unsigned 64-bit
/// integer, so `7` and `"7"` are the same user, and always returns a string. Cloning copies at most
/// 24 bytes.
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
    /// The greatest length, in bytes.
    pub const MAX_LEN: usize = 128;

    /// The characters that an id may contain besides ASCII letters and digits.
    pub const PUNCTUATION: &'static str = "-._~@:+=";

    /// Parses a user id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] if it is empty, too long, `.` or `..`, or contains another
    /// character.
    pub fn new(id: impl AsRef<str>) -> Result<Self, Error> {
        let id = id.as_ref();
        let problem: Cow<'static, str> = if id.is_empty() {
            "a user id must not be empty".into()
        } else if id.len() > Self::MAX_LEN {
            format!("a user id must have at most {} characters", Self::MAX_LEN).into()
        } else if id == "." || id == ".." {
            "a user id must not be . or ..".into()
        } else if !id.bytes().all(is_user_id_byte) {
            format!(
                "a user id must consist of ASCII letters, digits and {}",
                Self::PUNCTUATION
            )
            .into()
        } else {
            return Ok(Self(SmolStr::new(id)));
        };
        Err(Error::about(ErrorKind::Malformed, Subject::UserId, problem))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_user_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || UserId::PUNCTUATION.as_bytes().contains(&byte)
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

impl TryFrom<String> for UserId {
    type Error = Error;

    fn try_from(id: String) -> Result<Self, Error> {
        Self::new(id)
    }
}

impl TryFrom<&str> for UserId {
    type Error = Error;

    fn try_from(id: &str) -> Result<Self, Error> {
        Self::new(id)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0.into()
    }
}

// `UserId` compares, sorts and hashes as its text does, which `Borrow` requires.
impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for UserId {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for UserId {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
