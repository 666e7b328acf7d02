//! The `Host` header (RFC 9112, section 3.2).

use http::request::Parts;
use http::uri::Authority;
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
        .any(|allowed| allowed.eq_ignore_ascii_case(host.host()));
    is_allowed
        .then_some(())
        .ok_or_else(|| Problem::new(Code::MisdirectedRequest))
}

/// Returns the host that the request is for, which a request of HTTP/1.0 may leave out. A request
/// target in absolute form decides, but does not make up for a missing header.
fn host(parts: &Parts) -> Result<Option<Authority>, Problem> {
    let mut values = parts.headers.get_all(header::HOST).iter();
    let named = match (values.next(), values.next()) {
        (Some(value), None) => Some(authority(value.as_bytes()).ok_or_else(invalid)?),
        (Some(_), Some(_)) => return Err(malformed("The request has more than one Host header.")),
        (None, _) if parts.version == Version::HTTP_11 => {
            return Err(malformed("The request has no Host header."));
        }
        (None, _) => None,
    };
    Ok(parts.uri.authority().cloned().or(named))
}

/// Parses `uri-host [ ":" port ]`.
fn authority(value: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(value).ok()?;
    let port = authority.as_str().strip_prefix(authority.host())?;
    let port_is_valid = match port.strip_prefix(':') {
        Some(port) => port.is_empty() || authority.port_u16().is_some(),
        // Anything else that follows, or user information that comes first, is no host.
        None => port.is_empty(),
    };
    (port_is_valid && !authority.host().is_empty()).then_some(authority)
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
            assert!(authority(valid.as_bytes()).is_some(), "{valid}");
        }
        for invalid in [
            "", ":80", "a b", "a@b", "a/b", "a:b", "a:1:2", "a:70000", "a, b", "[::1",
        ] {
            assert!(authority(invalid.as_bytes()).is_none(), "{invalid}");
        }
    }
}
