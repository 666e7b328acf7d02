//! Answers: bodies, pages, assets and problem documents.

mod asset;
mod body;
mod json;
mod page;
mod problem;

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use messenger_core::{Error, ErrorKind};
use serde_json::Value;

pub(crate) use asset::{Asset, CONTENT_SECURITY_POLICY, ETAG, POLICY_OF_TEXT};
pub use body::Body;
pub(crate) use body::Payload;
pub(crate) use json::WriteJson;
pub(crate) use page::{LINK, List, page, page_schema, page_with_example};
pub(crate) use problem::{
    Chain, Code, EXAMPLE_REQUEST, Info, PROBLEM, Problem, message_path_of, problem_type, sentence,
};

/// The answer of a call, before the pipeline adds what all answers have in common.
pub(crate) type Answer = Response<Payload>;

/// A response header, as the document describes it.
#[derive(Debug)]
pub(crate) struct HeaderDoc {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) required: bool,
    pub(crate) schema: fn() -> Value,
}

/// Answers with a value as JSON.
pub(crate) fn json(status: StatusCode, value: &impl WriteJson) -> Answer {
    let body = Payload::Owned(json::to_json(value));
    let mut answer = with_type("application/json", body);
    *answer.status_mut() = status;
    answer
}

/// Answers with a body of this media type.
pub(crate) fn with_type(media_type: &'static str, body: Payload) -> Answer {
    let mut answer = Response::new(body);
    let media_type = HeaderValue::from_static(media_type);
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    answer
}

/// Converts text to a header value. It is made of ids, cursors and checked paths, which are always
/// valid there.
pub(crate) fn header_value(text: String) -> Result<HeaderValue, Problem> {
    HeaderValue::try_from(text).map_err(|error| {
        let internal = Error::new(ErrorKind::Internal, "a header cannot be written");
        Problem::from(internal.with_source(error))
    })
}
