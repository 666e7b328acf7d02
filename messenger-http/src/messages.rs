//! The calls about messages.

use std::fmt::{self, Write as _};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use messenger_core::{
    ConversationId, Error, ErrorKind, HistoryQuery, IdempotencyKey, Message, MessageId, Messenger,
    NewMessage, Outcome, Page,
};
use tracing::Instrument as _;

use crate::conversations;
use crate::in_flight::Permit;
use crate::json::WriteJson;
use crate::problem::{Code, Problem};
use crate::request::{Head, Query};
use crate::service::Shared;
use crate::wire;

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A page of a conversation's messages.
pub(crate) async fn history(
    messenger: &Messenger,
    head: &Head<'_>,
) -> Result<Response<Bytes>, Problem> {
    let id = head.id("conversation_id")?;
    let query = head.query()?;
    let page = read(messenger, id, query).await?;
    let path = format_args!("/api/messages/conversation/{id}");
    page_response(path, query, &page)
}

/// A page of a conversation's messages before a time.
pub(crate) async fn history_before(
    messenger: &Messenger,
    head: &Head<'_>,
) -> Result<Response<Bytes>, Problem> {
    let id = head.id("conversation_id")?;
    let query = head.query()?;
    if query.before.is_none() {
        return Err(Problem::with_detail(
            Code::InvalidTimestamp,
            "before_timestamp is missing; send a time such as \
             before_timestamp=2026-11-23T09:30:00Z.",
        ));
    }
    let page = read(messenger, id, query).await?;
    let path = format_args!("/api/messages/conversation/{id}/before");
    page_response(path, query, &page)
}

async fn read(
    messenger: &Messenger,
    id: ConversationId,
    query: Query,
) -> Result<Page<Message>, Problem> {
    let history = HistoryQuery::new()
        .with_limit(query.limit.unwrap_or_default())
        .with_cursor(query.cursor)
        .with_before(query.before);
    let page = messenger.history(id, history).await?;
    if page.items.is_empty() {
        // Only now is it open whether there is a conversation at all.
        conversations::existing(messenger, id).await?;
    }
    Ok(page)
}

/// One message.
pub(crate) async fn message(
    messenger: &Messenger,
    head: &Head<'_>,
) -> Result<Response<Bytes>, Problem> {
    let conversation = head.id("conversation_id")?;
    let id: MessageId = head.id("message_id")?;
    head.query()?;
    let message = messenger.message(conversation, id).await?;
    let message = message.ok_or_else(|| Problem::new(Code::MessageNotFound))?;
    Ok(wire::json(StatusCode::OK, &message))
}

/// A message that was sent, and whether an earlier request had sent it.
struct Sent {
    message: Message,
    replayed: bool,
}

/// Sends a message, in a task of its own: it goes on when the client leaves, or when its time is
/// over. The task holds the permit, so that it counts as in flight until it is done.
pub(crate) async fn send(
    shared: &Shared,
    message: NewMessage,
    key: Option<IdempotencyKey>,
    permit: Option<Permit>,
) -> Result<Response<Bytes>, Problem> {
    let known_id = Arc::new(OnceLock::new());
    let (messenger, tell) = (shared.messenger.clone(), Arc::clone(&known_id));
    let work = async move {
        let _permit = permit;
        match key {
            Some(key) => messenger.send_once(message, key).await.map(|sent| Sent {
                message: sent.message,
                replayed: sent.replayed,
            }),
            None => {
                let tell = move |id| {
                    // It is told once.
                    let _ = tell.set(id);
                };
                let message = messenger.send_telling(message, tell).await;
                message.map(|message| Sent {
                    message,
                    replayed: false,
                })
            }
        }
    };
    let task = shared.writes.spawn(work.in_current_span());
    match tokio::time::timeout(shared.config.request_timeout, task).await {
        Ok(Ok(sent)) => created(&sent?),
        Ok(Err(_)) => Err(panicked(known_id.get().copied())),
        Err(_) => Err(Problem::outcome_unknown(known_id.get().copied())),
    }
}

/// The answer when the store has panicked. The panic itself is in the log by its hook.
fn panicked(message_id: Option<MessageId>) -> Problem {
    let error = Error::new(ErrorKind::Internal, "sending panicked").with_outcome(Outcome::Unknown);
    Problem::from(match message_id {
        Some(id) => error.with_message_id(id),
        None => error,
    })
}

fn created(sent: &Sent) -> Result<Response<Bytes>, Problem> {
    let message = &sent.message;
    let mut response = wire::json(StatusCode::CREATED, message);
    let (conversation, id) = (message.conversation_id(), message.id());
    let location = format!("/api/messages/conversation/{conversation}/{id}");
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, header_value(location)?);
    if sent.replayed {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Answers with a page and its `Link` header (RFC 8288): the same call with the page's cursors.
///
/// Nothing in it needs percent-encoding: ids, cursors and times in UTC are made of characters that
/// a URL takes as they are.
pub(crate) fn page_response<T: WriteJson>(
    path: fmt::Arguments<'_>,
    query: Query,
    page: &Page<T>,
) -> Result<Response<Bytes>, Problem> {
    let mut link = String::with_capacity(512);
    let cursors = [(page.next, "next"), (Some(page.prev), "prev")];
    for (cursor, rel) in cursors {
        let Some(cursor) = cursor else { continue };
        let comma = if link.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(link, "{comma}<{path}?cursor={cursor}");
        if let Some(limit) = query.limit {
            let _ = write!(link, "&limit={limit}");
        }
        if let Some(before) = query.before {
            let _ = write!(link, "&before_timestamp={before}");
        }
        let _ = write!(link, ">; rel=\"{rel}\"");
    }
    let mut response = wire::json(StatusCode::OK, page);
    let link = header_value(link)?;
    response.headers_mut().insert(header::LINK, link);
    Ok(response)
}

/// A header out of characters that are known to be fit for it.
fn header_value(text: String) -> Result<HeaderValue, Problem> {
    HeaderValue::try_from(text).map_err(|error| {
        let internal = Error::new(ErrorKind::Internal, "a header cannot be written");
        Problem::from(internal.with_source(error))
    })
}
