//! Lists as server-sent events (HTML standard, section 9.2).
//!
//! A stream follows the log of a list. Its whole state is the cursor in the `id` of its events, so a
//! client that was cut off resumes on any server, with `Last-Event-ID`, and misses nothing. A client
//! that closes its connection, or only its writing side, ends the stream.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use messenger_core::{Batch, ConversationId, Cursor, Error, Timestamp};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::conversations;
use crate::answer::{Answer, Body, Chain, Code, Payload, Problem};
use crate::limits::Follower;
use crate::request::{CURSOR, HeaderParam, Request};
use crate::route::{Call, Content, Group, Success, Verb};

/// The time after which a comment shows that the stream is alive: to proxies, whose idle timeouts are
/// 30 to 60 seconds, and to this server, which notices a client that vanished without closing its
/// connection when it writes.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The time after which a client that was cut off connects again.
const RETRY: Duration = Duration::from_secs(1);

static LAST_EVENT_ID: HeaderParam = HeaderParam {
    name: "Last-Event-ID",
    description: || {
        "The id of the last event that the client has. The stream goes on after it. Browsers send \
         it when they connect again. It wins over cursor."
            .to_owned()
    },
    schema: || json!({"type": "string", "maxLength": Cursor::MAX_LEN}),
};

const DESCRIPTION_OF_EVENTS: &str = "Server-sent events. Each has the changed item as it is now in its data, as lists show it, and \
     a cursor in its id. With cursor or Last-Event-ID the stream begins with everything that has \
     changed since. Without, it begins now, with an event ready that has the first cursor. No \
     change is missed, and an item may come again. The server ends a stream with an event end, \
     whose data has the reason: max_age, shutting_down, unavailable, or unauthenticated when \
     the caller's token has expired; connect again then.";

pub(super) static OF_MESSAGES: Call = Call {
    id: "followMessages",
    verb: Verb::Get,
    path: "/api/messages/conversation/{conversation_id}/events",
    group: Group::Messages,
    summary: "Follow the messages of a conversation",
    description: DESCRIPTION_OF_EVENTS,
    query: &[&CURSOR],
    headers: &[&LAST_EVENT_ID],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "Events of type message: new, edited and unsent ones.",
        content: Content::Text(&["text/event-stream"]),
        headers: &[],
    },
    problems: &[
        Code::InvalidCursor,
        Code::ForeignCursor,
        Code::InvalidId,
        Code::ConversationNotFound,
        Code::Unavailable,
        Code::Timeout,
    ],
    handler: |request| Box::pin(of_messages(request)),
};

async fn of_messages(request: Request<'_>) -> Result<Answer, Problem> {
    let id: ConversationId = request.path.id("conversation_id")?;
    let follower = request.follow()?;
    let cursor = start(&request)?;
    let batches = request.caller.follow_history(id, cursor).await?;
    Ok(answer(&request, follower, "message", batches))
}

pub(super) static OF_CONVERSATIONS: Call = Call {
    id: "followConversations",
    verb: Verb::Get,
    path: "/api/conversations/user/{user_id}/events",
    group: Group::Conversations,
    summary: "Follow the conversations of a user",
    description: DESCRIPTION_OF_EVENTS,
    query: &[&CURSOR],
    headers: &[&LAST_EVENT_ID],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "Events of type conversation: entries of the inbox whose messages or read \
                      markers have changed.",
        content: Content::Text(&["text/event-stream"]),
        headers: &[],
    },
    problems: &[
        Code::InvalidCursor,
        Code::ForeignCursor,
        Code::InvalidId,
        Code::Unavailable,
        Code::Timeout,
    ],
    handler: |request| Box::pin(of_conversations(request)),
};

async fn of_conversations(request: Request<'_>) -> Result<Answer, Problem> {
    let user = conversations::user_of(&request)?;
    let follower = request.follow()?;
    let cursor = start(&request)?;
    let batches = user.follow_inbox(cursor).await?;
    Ok(answer(&request, follower, "conversation", batches))
}

/// Returns the cursor to start from.
fn start(request: &Request<'_>) -> Result<Option<Cursor>, Problem> {
    match last_event_id(request.headers)? {
        Some(cursor) => Ok(Some(cursor)),
        None => Ok(request.query.cursor),
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Cursor>, Problem> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    // Bytes that are not text are not a cursor either.
    let text = value.to_str().unwrap_or_default();
    text.parse().map(Some).map_err(Problem::of_input)
}

fn answer<T: Serialize + Send + 'static>(
    request: &Request<'_>,
    follower: Follower,
    event: &'static str,
    batches: impl Stream<Item = Result<Batch<T>, Error>> + Send + Unpin + 'static,
) -> Answer {
    let state = request.state;
    let max_age = Instant::now() + with_jitter(state.config.max_follow_time);
    let end = (max_age, "max_age");
    let expiry = request.caller.expires_at().map(instant_of);
    let expiry = expiry.map(|at| (at, "unauthenticated"));
    let events = Events {
        event,
        batches: Box::pin(batches),
        heartbeat: Instant::now() + HEARTBEAT,
        end: expiry.map_or(end, |expiry| expiry.min(end)),
        stopping: Box::pin(state.stopping().cancelled_owned()),
        has_begun: false,
        has_ended: false,
        _follower: follower,
    };
    let chunks = stream::unfold(events, |mut events| async move {
        let chunk = events.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(chunk)), events))
    });
    let mut answer = Response::new(Payload::Stream(Body::stream(StreamBody::new(chunks))));
    let headers = answer.headers_mut();
    let media_type = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, media_type);
    // nginx buffers answers otherwise.
    let accel = HeaderName::from_static("x-accel-buffering");
    headers.insert(accel, HeaderValue::from_static("no"));
    answer
}

/// Returns the instant of a time of the system's clock.
fn instant_of(time: Timestamp) -> Instant {
    Instant::now() + time.saturating_duration_since(Timestamp::now())
}

/// Shortens a time by up to a tenth, so that streams that began together do not end together.
fn with_jitter(time: Duration) -> Duration {
    time.mul_f64(1.0 - rand::random::<f64>() / 10.0)
}

type Batches<T> = Pin<Box<dyn Stream<Item = Result<Batch<T>, Error>> + Send>>;

/// A stream of events.
struct Events<T> {
    event: &'static str,
    batches: Batches<T>,
    heartbeat: Instant,
    /// The time at which the server ends the stream, and the code of the event that says so.
    end: (Instant, &'static str),
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    has_begun: bool,
    has_ended: bool,
    _follower: Follower,
}

impl<T: Serialize> Events<T> {
    /// Returns the next piece of the body, or `None` after the end.
    ///
    /// If the future is dropped, nothing is lost: a batch is taken and written without an await in
    /// between.
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        if !self.has_begun {
            self.has_begun = true;
            return Some(format!("retry: {}\n\n", RETRY.as_millis()).into());
        }
        tokio::select! {
            biased;
            () = &mut self.stopping => Some(self.finish("shutting_down")),
            () = tokio::time::sleep_until(self.end.0) => Some(self.finish(self.end.1)),
            batch = self.batches.next() => Some(self.write(batch)),
            () = tokio::time::sleep_until(self.heartbeat) => {
                self.heartbeat = Instant::now() + HEARTBEAT;
                Some(Bytes::from_static(b":\n\n"))
            }
        }
    }

    fn write(&mut self, batch: Option<Result<Batch<T>, Error>>) -> Bytes {
        self.heartbeat = Instant::now() + HEARTBEAT;
        let batch = match batch {
            Some(Ok(batch)) => batch,
            Some(Err(error)) => {
                tracing::warn!(cause = %Chain(&error), "a stream of events has ended");
                return self.finish("unavailable");
            }
            None => return self.finish("unavailable"),
        };
        let mut text = BytesMut::new();
        let Some((last, others)) = batch.items.split_last() else {
            let cursor = json!({"cursor": batch.cursor});
            write_event(&mut text, "ready", Some(batch.cursor), &cursor);
            return text.freeze();
        };
        // The cursor stands behind the whole batch, so only its last event has it: a client that is
        // cut off before gets the batch again.
        for item in others {
            write_event(&mut text, self.event, None, item);
        }
        write_event(&mut text, self.event, Some(batch.cursor), last);
        text.freeze()
    }

    fn finish(&mut self, code: &str) -> Bytes {
        self.has_ended = true;
        let mut text = BytesMut::new();
        write_event(&mut text, "end", None, &json!({"code": code}));
        text.freeze()
    }
}

fn write_event(text: &mut BytesMut, event: &str, id: Option<Cursor>, data: &impl Serialize) {
    if let Some(id) = id {
        text.put_slice(format!("id: {id}\n").as_bytes());
    }
    text.put_slice(format!("event: {event}\ndata: ").as_bytes());
    // JSON has no raw line break, so it is one line of data. Items always serialize.
    let _ = serde_json::to_writer(text.writer(), data);
    text.put_slice(b"\n\n");
}
