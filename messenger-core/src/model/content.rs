//! The text of a message, and the beginning of it that lists show.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::error::{Error, ErrorKind, Subject};

/// The text of a message: 1 to 20,000 bytes of UTF-8, not only white space. Cloning shares it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Content(Arc<str>);

impl Content {
    /// The greatest length, in bytes.
    pub const MAX_LEN: usize = 20_000;

    /// Converts a text to content.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if it is empty or only white space (`char::is_whitespace`),
    /// [`ErrorKind::TooLarge`] beyond [`MAX_LEN`](Self::MAX_LEN).
    pub fn new(text: impl Into<Arc<str>> + AsRef<str>) -> Result<Self, Error> {
        let len = text.as_ref().len();
        if len > Self::MAX_LEN {
            return Err(Error::about(
                ErrorKind::TooLarge,
                Subject::Content,
                format!(
                    "content must have at most {} bytes of UTF-8, not {len}",
                    Self::MAX_LEN
                ),
            ));
        }
        if text.as_ref().trim().is_empty() {
            return Err(Error::about(
                ErrorKind::Invalid,
                Subject::Content,
                "content must not be empty or only white space",
            ));
        }
        Ok(Self(text.into()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the beginning of the text, from the first character that is not white space.
    pub fn preview(&self) -> Preview {
        let visible = self.0.trim_start();
        let cut = preview_len(visible);
        if cut == self.0.len() {
            return Preview(Arc::clone(&self.0));
        }
        Preview(visible[..cut].into())
    }
}

/// The beginning of a message's text: at most 200 bytes, cut at the end of a character as people see
/// it (an extended grapheme cluster, UAX #29). A first cluster longer than that is cut between code
/// points.
///
/// A text that sets its own direction (Unicode bidi controls) may be cut before it resets it: a
/// client should isolate previews.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Preview(Arc<str>);

impl Preview {
    /// The greatest length, in bytes.
    pub const MAX_LEN: usize = 200;

    /// Converts a preview that a store has kept. A longer text is cut.
    pub fn from_stored(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let cut = preview_len(&text);
        if cut == text.len() {
            Self(text)
        } else {
            Self(text[..cut].into())
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn preview_len(text: &str) -> usize {
    if text.len() <= Preview::MAX_LEN {
        return text.len();
    }
    // The last cluster looked at is the one that crosses the limit, so a long text costs no more
    // than a short one. A text that is one cluster is looked at only up to a bound.
    let head = &text[..floor_char_boundary(text, 4 * Preview::MAX_LEN)];
    let cut = head
        .grapheme_indices(true)
        .map(|(start, cluster)| start + cluster.len())
        .take_while(|&end| end <= Preview::MAX_LEN)
        .last();
    cut.unwrap_or_else(|| floor_char_boundary(text, Preview::MAX_LEN))
}

/// Returns the greatest char boundary at or below an index. (`str::floor_char_boundary` needs Rust
/// 1.91.)
fn floor_char_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or_default()
}

/// Implements the conversions that both text types have.
macro_rules! text {
    ($type:ident) => {
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

text!(Content);
text!(Preview);

impl FromStr for Content {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl TryFrom<String> for Content {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl From<Content> for Arc<str> {
    fn from(content: Content) -> Self {
        content.0
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Preview {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_stored(String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_has_its_bounds() {
        assert!(Content::new("x".repeat(20_000)).is_ok());
        assert_eq!(
            Content::new("x".repeat(20_001)).unwrap_err().kind(),
            ErrorKind::TooLarge
        );
        // U+3000 and U+00A0 are white space, and so is a tab.
        for text in ["", " ", "\t\n", "\u{3000}\u{a0}"] {
            assert_eq!(
                Content::new(text).unwrap_err().kind(),
                ErrorKind::Invalid,
                "{text:?}"
            );
        }
        assert_eq!(Content::new(" x ").unwrap().as_str(), " x ");
    }

    #[test]
    fn a_preview_never_cuts_a_grapheme() {
        let family = "👨‍👩‍👧‍👦"; // 25 bytes, one cluster
        let text = format!("{}{family}", "x".repeat(180));
        assert_eq!(
            Content::new(text).unwrap().preview().as_str(),
            "x".repeat(180)
        );

        let accents = "e\u{301}".repeat(100); // 300 bytes, three to a cluster
        let preview = Content::new(accents).unwrap().preview();
        assert_eq!(preview.as_str().len(), 198);
    }

    #[test]
    fn one_endless_grapheme_is_cut_between_code_points() {
        let text = format!("e{}", "\u{301}".repeat(9_000));
        let preview = Content::new(text).unwrap().preview();
        assert_eq!(preview.as_str().len(), 199);
    }

    #[test]
    fn a_short_text_is_shared_with_its_preview() {
        let content = Content::new("hello").unwrap();
        assert!(Arc::ptr_eq(&content.0, &content.preview().0));
    }

    #[test]
    fn a_preview_starts_at_the_first_visible_character() {
        for blank in ["\n".repeat(200), " ".repeat(250), "\u{3000}".repeat(100)] {
            let preview = Content::new(format!("{blank}hello")).unwrap().preview();
            assert_eq!(preview.as_str(), "hello");
        }
    }
}
