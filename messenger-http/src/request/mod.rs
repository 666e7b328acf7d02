//! From HTTP to the types of core: paths, queries, headers and bodies.
//!
//! Everything is parsed here, once. An error says what would be right instead.

mod body;
mod host;
mod idempotency_key;
mod path;
mod percent;
mod query;
mod request_id;
mod transfer;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

pub(crate) use body::{JsonBody, RequestBody, expect_json, from_json};
pub(crate) use host::check as check_host;
pub(crate) use idempotency_key::{IDEMPOTENCY_KEY, idempotency_key};
pub(crate) use path::{PathParams, document as document_path};
pub(crate) use percent::normalize;
pub(crate) use query::{
    BEFORE_TIMESTAMP, CURSOR, LIMIT, Param, Query, Required, SENDER_ID, UNREAD, USER_ID, WAIT_PARAM,
};
pub(crate) use request_id::{RequestId, X_REQUEST_ID};
pub(crate) use transfer::check as check_transfer_encoding;

use crate::answer::{Code, Problem};
use crate::auth::Caller;
use crate::limits::{Follower, InFlight};
use crate::metrics::{self, Shed};
use crate::state::State;

/// A request, as a call gets it: routed, within all limits, its query and body read.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) state: &'a State,
    /// The path of the call's route.
    pub(crate) route: &'static str,
    pub(crate) caller: Caller,
    pub(crate) path: PathParams<'a>,
    pub(crate) query: Query,
    pub(crate) headers: &'a HeaderMap,
    /// Empty for calls that take no body.
    pub(crate) body: Bytes,
    /// Counts the request as in flight. A write takes it along.
    pub(crate) in_flight: Option<InFlight>,
}

impl Request<'_> {
    /// Counts the request as a follower, or refuses it if there are too many.
    pub(crate) fn follow(&self) -> Result<Follower, Problem> {
        or_shed(self.route, Shed::Followers, self.state.limits.follow())
    }

    /// Counts the request as in flight, or refuses it if too many are.
    pub(crate) fn begin(&mut self) -> Result<(), Problem> {
        let in_flight = or_shed(self.route, Shed::Requests, self.state.limits.begin())?;
        self.in_flight = Some(in_flight);
        Ok(())
    }
}

/// Returns what a limit has granted. A request that it did not is refused, and counted as shed.
pub(crate) fn or_shed<T>(
    route: &'static str,
    limit: Shed,
    granted: Option<T>,
) -> Result<T, Problem> {
    granted.ok_or_else(|| {
        metrics::shed(route, limit);
        Problem::new(Code::Overloaded)
    })
}

/// A request header that a call reads, as the document describes it.
#[derive(Debug)]
pub(crate) struct HeaderParam {
    pub(crate) name: &'static str,
    pub(crate) description: fn() -> String,
    pub(crate) schema: fn() -> Value,
}

pub(crate) static IF_NONE_MATCH: HeaderParam = HeaderParam {
    name: "If-None-Match",
    description: || "The ETag of the file that the client has.".to_owned(),
    schema: || serde_json::json!({"type": "string"}),
};
