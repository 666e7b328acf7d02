//! Waiting for a change to a list: the long-poll form of following it.

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use messenger_core::{Batch, Error};

use crate::answer::{Code, Problem};
use crate::request::Request;

/// Returns how long a request waits if there is nothing newer; `None` if it does not wait.
pub(super) fn wanted(request: &Request<'_>) -> Result<Option<Duration>, Problem> {
    let Some(wait) = request.query.wait else {
        return Ok(None);
    };
    match request.query.cursor {
        Some(cursor) if cursor.is_newer() => Ok(Some(wait)),
        _ => Err(Problem::with_detail(
            Code::InvalidQuery,
            "wait is for what is newer: send it with the prev_cursor of a page.",
        )),
    }
}

/// Waits for the first change of a list, for this long at most, or until the server begins to stop.
///
/// While it waits, the request counts as a follower and not as in flight, so waiting requests do not
/// block others.
///
/// If the future is dropped, nothing is lost: the caller's cursor still stands before the change.
pub(super) async fn for_change<T>(
    request: &mut Request<'_>,
    wait: Duration,
    batches: impl Stream<Item = Result<Batch<T>, Error>>,
) -> Result<(), Problem> {
    let _follower = request.follow()?;
    request.in_flight = None;
    let mut batches = pin!(batches);
    tokio::select! {
        () = request.state.stopping().cancelled_owned() => {}
        () = tokio::time::sleep(wait) => {}
        batch = batches.next() => {
            batch.transpose()?;
        }
    }
    request.begin()
}
