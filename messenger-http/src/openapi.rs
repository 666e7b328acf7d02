//! The OpenAPI document.
use bytes::Bytes;
/// x
pub fn openapi_json() -> &'static str {
    ""
}
pub(crate) fn document() -> Bytes {
    Bytes::new()
}
