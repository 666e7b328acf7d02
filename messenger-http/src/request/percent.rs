//! Percent-encoding (RFC 3986, section 2.1). Strict, which the crates for it are not.

use std::borrow::Cow;

/// The meaning of a `+`: a space in a query, as HTML forms write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plus {
    IsPlus,
    IsSpace,
}

/// Decodes percent-encoding. Returns `None` if the text is not an encoding of UTF-8.
pub(super) fn decode(raw: &str, plus: Plus) -> Option<Cow<'_, str>> {
    let is_special = |byte| byte == b'%' || byte == b'+' && plus == Plus::IsSpace;
    if !raw.bytes().any(is_special) {
        return Some(Cow::Borrowed(raw));
    }
    let mut bytes = raw.bytes();
    let mut text = Vec::with_capacity(raw.len());
    while let Some(byte) = bytes.next() {
        text.push(match (byte, plus) {
            (b'%', _) => escaped(bytes.next()?, bytes.next()?)?,
            (b'+', Plus::IsSpace) => b' ',
            _ => byte,
        });
    }
    String::from_utf8(text).ok().map(Cow::Owned)
}

/// Decodes the unreserved characters of a path, which mean the same encoded and not (RFC 3986,
/// section 6.2.2.2). Everything else stays as it is.
pub(crate) fn normalize(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let escape = after.as_bytes().first_chunk();
        match escape.and_then(|&[high, low]| escaped(high, low)) {
            Some(byte) if is_unreserved(byte) => {
                text.push(char::from(byte));
                rest = &after[2..];
            }
            Some(_) => {
                text.push('%');
                text.push_str(&after[..2]);
                rest = &after[2..];
            }
            None => {
                text.push('%');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn escaped(high: u8, low: u8) -> Option<u8> {
    // A hexadecimal digit is less than 16.
    let digit = |digit| char::from(digit).to_digit(16).map(|value| value as u8);
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_is_strict() {
        let path = |raw| decode(raw, Plus::IsPlus);
        assert_eq!(path("a%40b").as_deref(), Some("a@b"));
        assert_eq!(path("a+b").as_deref(), Some("a+b"));
        assert_eq!(decode("a+b%2B", Plus::IsSpace).as_deref(), Some("a b+"));
        assert_eq!(path("%C3%A9").as_deref(), Some("é"));
        for raw in ["%", "%4", "%zz", "%+4", "%ff", "a%C3"] {
            assert_eq!(path(raw), None, "{raw}");
        }
    }

    #[test]
    fn only_unreserved_characters_are_normalized() {
        for (raw, normal) in [
            ("/%68ealth/live", "/health/live"),
            ("/%7Euser%2d%5F%2E", "/~user-_."),
            ("/a%2Fb%40%25", "/a%2Fb%40%25"),
            // Not decoded twice.
            ("/%2541", "/%2541"),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%zz%41", "/%zzA"),
            ("/%é", "/%é"),
        ] {
            assert_eq!(normalize(raw), normal, "{raw}");
        }
    }
}
