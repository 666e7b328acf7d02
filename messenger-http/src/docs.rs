//! docs
use crate::problem::{Code, Problem};
use bytes::Bytes;
use http::{HeaderMap, Response};
pub(crate) fn page(_: &HeaderMap) -> Result<Response<Bytes>, Problem> {
    Err(Problem::new(Code::NotFound))
}
pub(crate) fn file(_: &str, _: &HeaderMap) -> Result<Response<Bytes>, Problem> {
    Err(Problem::new(Code::NotFound))
}
