//! Whether the server runs, and whether it should get requests.

use bytes::Bytes;
use http::Response;
use messenger_core::{Error, ErrorKind, Messenger};

use crate::problem::{Code, Problem};
use crate::wire;

/// Answers `/health/live`.
pub(crate) fn live() -> Response<Bytes> {
    wire::with_type(
        "application/json",
        Bytes::from_static(b"{\"status\":\"ok\"}"),
    )
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
    Ok(live())
}

/// The answer when the store has not said in time how it is.
pub(crate) fn not_in_time() -> Problem {
    Problem::not_ready(Error::new(
        ErrorKind::Timeout,
        "the store's health did not come in time",
    ))
}
