//! The calls about conversations.

use bytes::Bytes;
use http::{Response, StatusCode};
use messenger_core::{Conversation, ConversationId, InboxQuery, Messenger, UserId};

use crate::messages::page_response;
use crate::problem::{Code, Problem};
use crate::request::Head;
use crate::wire;

/// A page of a user's conversations.
pub(crate) async fn inbox(
    messenger: &Messenger,
    head: &Head<'_>,
) -> Result<Response<Bytes>, Problem> {
    let user: UserId = head.id("user_id")?;
    let query = head.query()?;
    let inbox = InboxQuery::new()
        .with_limit(query.limit.unwrap_or_default())
        .with_cursor(query.cursor);
    let page = messenger.inbox(&user, inbox).await?;
    let path = format_args!("/api/conversations/user/{user}");
    page_response(path, query, &page)
}

/// A conversation.
pub(crate) async fn conversation(
    messenger: &Messenger,
    head: &Head<'_>,
) -> Result<Response<Bytes>, Problem> {
    let id: ConversationId = head.id("conversation_id")?;
    head.query()?;
    let conversation = existing(messenger, id).await?;
    Ok(wire::json(StatusCode::OK, &conversation))
}

/// The conversation with this id; 404 before its first message.
pub(crate) async fn existing(
    messenger: &Messenger,
    id: ConversationId,
) -> Result<Conversation, Problem> {
    let conversation = messenger.conversation(id).await?;
    conversation.ok_or_else(|| Problem::new(Code::ConversationNotFound))
}
