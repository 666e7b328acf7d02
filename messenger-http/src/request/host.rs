//! The `Host` header (RFC 9112, section 3.2).

use http::request::Parts;
use http::{Version, header};

use crate::answer::{Code, Problem};

/// Refuses a request with no valid host, or one for a host that is not allowed. `None` allows all.
pub(crate) fn check(parts: &Parts, allowed: Option<&[String]>) -> Result<(), Problem> {
    let host = host(parts)?;
    let (Some(host), Some(allowed)) = (host, allowed) else {
        return Ok(());
    };
    let is_allowed = allowed
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(host));
    is_allowed
        .then_some(())
        .ok_or_else(|| Problem::new(Code::MisdirectedRequest))
}

/// Returns the host that the request is for, which a request of HTTP/1.0 may leave out. A request
/// target in absolute form decides, but does not make up for a missing header.
fn host(parts: &Parts) -> Result<Option<&str>, Problem> {
    let mut values = parts.headers.get_all(header::HOST).iter();
    let named = match (values.next(), values.next()) {
        (Some(value), None) => Some(value.to_str().ok().and_then(parse).ok_or_else(invalid)?),
        (Some(_), Some(_)) => return Err(malformed("The request has more than one Host header.")),
        (None, _) if parts.version == Version::HTTP_11 => {
            return Err(malformed("The request has no Host header."));
        }
        (None, _) => None,
    };
    Ok(parts.uri.host().or(named))
}

/// Parses `uri-host [ ":" port ]` (RFC 3986, section 3.2.2) and returns the host. Without the copy that
/// `http::uri::Authority` makes, because every request is checked.
fn parse(value: &str) -> Option<&str> {
    let end = match value.strip_prefix('[') {
        Some(literal) => literal.find(']')? + 2,
        None => value.find(':').unwrap_or(value.len()),
    };
    let (host, port) = value.split_at(end);
    let is_host = match host.strip_prefix('[') {
        Some(literal) => literal
            .strip_suffix(']')?
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')),
        None => host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)),
    };
    let is_port = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits.is_empty() || digits.parse::<u16>().is_ok())
        }
        None => port.is_empty(),
    };
    (!host.is_empty() && host != "[]" && is_host && is_port).then_some(host)
}

fn invalid() -> Problem {
    malformed("The Host header is not a host with an optional port.")
}

fn malformed(detail: &'static str) -> Problem {
    Problem::with_detail(Code::MalformedRequest, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_name_and_perhaps_a_port() {
        for valid in [
            "localhost",
            "a.example:80",
            "127.0.0.1:",
            "[::1]",
            "[::1]:8000",
            "a_b",
        ] {
            assert!(parse(valid).is_some(), "{valid}");
        }
        for invalid in [
            "", ":80", "a b", "a@b", "a/b", "a:b", "a:1:2", "a:70000", "a:+1", "a, b", "[::1",
            "[]", "[x]", "[::1]a",
        ] {
            assert!(parse(invalid).is_none(), "{invalid}");
        }
    }
}
