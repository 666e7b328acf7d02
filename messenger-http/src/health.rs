//! Whether the server runs, and whether it should get requests.

use bytes::Bytes;
use http::{Response, StatusCode};
use messenger_core::{Error, ErrorKind, Messenger};
use serde::Serialize;

use crate::problem::{Code, Problem};
use crate::wire;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

fn ok() -> Result<Response<Bytes>, Problem> {
    wire::json(StatusCode::OK, &Health { status: "ok" }, 16)
}

/// Answers `/health/live`.
pub(crate) fn live() -> Result<Response<Bytes>, Problem> {
    ok()
}

/// Answers `/health/ready`.
pub(crate) async fn ready(
    messenger: &Messenger,
    stopping: bool,
) -> Result<Response<Bytes>, Problem> {
    if stopping {
        return Err(Problem::with_detail(
            Code::NotReady,
            "The server is about to stop. Send requests to another one.",
        ));
    }
    messenger.health().await.map_err(Problem::not_ready)?;
    ok()
}

/// The answer when the store has not said in time how it is.
pub(crate) fn not_in_time() -> Problem {
    Problem::not_ready(Error::new(
        ErrorKind::Timeout,
        "the store's health did not come in time",
    ))
}
