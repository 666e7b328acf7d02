//! The `Transfer-Encoding` header (RFC 9112, section 6.1).

use http::HeaderMap;
use http::header::TRANSFER_ENCODING;

use crate::answer::{Code, Problem};

/// Refuses every transfer coding but a single `chunked`. A server and a proxy that read such a list
/// in different ways disagree on where the request ends.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let mut chunked = 0;
    for value in headers.get_all(TRANSFER_ENCODING) {
        let codings = value.to_str().unwrap_or("?").split(',').map(str::trim);
        for coding in codings.filter(|coding| !coding.is_empty()) {
            if !coding.eq_ignore_ascii_case("chunked") {
                return Err(Problem::new(Code::UnsupportedTransferCoding));
            }
            chunked += 1;
        }
    }
    if chunked > 1 {
        return Err(Problem::with_detail(
            Code::MalformedRequest,
            "The body must be chunked only once.",
        ));
    }
    Ok(())
}
