//! The calls about conversations.

use http::StatusCode;
use messenger_core::{Conversation, ConversationId, InboxQuery, Messenger, Preview, UserId};
use serde_json::{Value, json};

use crate::answer::{self, Answer, Code, LINK, Problem, page_schema, page_with_example};
use crate::request::{CURSOR, LIMIT, Request};
use crate::route::{Call, Content, Group, Success, Verb};
use crate::schema::{
    ALICE, BOB, CONVERSATION_ID, EXAMPLE_CONVERSATION, EXAMPLE_MESSAGE, EXAMPLE_TIME, MESSAGE_ID,
    Schema, TIMESTAMP, USER_ID,
};

pub(super) static LIST: Call = Call {
    id: "listConversations",
    verb: Verb::Get,
    path: "/api/conversations/user/{user_id}",
    group: Group::Conversations,
    summary: "List the conversations of a user",
    description: "Most recent activity first. A conversation with a new message moves to the top: \
                  following next_cursor shows none twice, and following the prev_cursor of the \
                  first page finds those that moved meanwhile. Users are not registered, so a user \
                  who never wrote has an empty page.",
    query: &[&LIMIT, &CURSOR],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "A page of conversations.",
        content: Content::Json(&CONVERSATION_PAGE),
        headers: &[&LINK],
    },
    problems: &[
        Code::InvalidCursor,
        Code::ForeignCursor,
        Code::InvalidLimit,
        Code::InvalidId,
        Code::Unavailable,
        Code::Timeout,
    ],
    handler: |request| Box::pin(list(request)),
};

async fn list(request: Request<'_>) -> Result<Answer, Problem> {
    let user: UserId = request.path.id("user_id")?;
    let inbox = InboxQuery::new()
        .with_limit(request.query.limit.unwrap_or_default())
        .with_cursor(request.query.cursor);
    let page = request.state.messenger.inbox(&user, inbox).await?;
    let base = request.state.base();
    let path = format_args!("{base}/api/conversations/user/{user}");
    answer::page(&page, path, request.query)
}

pub(super) static GET: Call = Call {
    id: "getConversation",
    verb: Verb::Get,
    path: "/api/conversations/{conversation_id}",
    group: Group::Conversations,
    summary: "Get one conversation",
    description: "Returns its participants and its last message, as lists show it.",
    query: &[],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The conversation.",
        content: Content::Json(&CONVERSATION),
        headers: &[],
    },
    problems: &[
        Code::InvalidId,
        Code::ConversationNotFound,
        Code::Unavailable,
        Code::Timeout,
    ],
    handler: |request| Box::pin(get(request)),
};

async fn get(request: Request<'_>) -> Result<Answer, Problem> {
    let id: ConversationId = request.path.id("conversation_id")?;
    let conversation = existing(&request.state.messenger, id).await?;
    answer::json(StatusCode::OK, &conversation)
}

/// Returns the conversation with this id, or 404 before its first message.
pub(super) async fn existing(
    messenger: &Messenger,
    id: ConversationId,
) -> Result<Conversation, Problem> {
    let conversation = messenger.conversation(id).await?;
    conversation.ok_or_else(|| Problem::new(Code::ConversationNotFound))
}

static CONVERSATION: Schema = Schema {
    name: "Conversation",
    build: |components| {
        json!({
            "type": "object",
            "required": ["id", "participants", "last_message"],
            "properties": {
                "id": components.refer(&CONVERSATION_ID),
                "participants": {
                    "description": "Sorted by id.",
                    "type": "array",
                    "items": components.refer(&USER_ID),
                    "minItems": 2,
                    "uniqueItems": true,
                },
                "last_message": components.refer(&LAST_MESSAGE),
            },
            "examples": [example()],
        })
    },
};

static LAST_MESSAGE: Schema = Schema {
    name: "LastMessage",
    build: |components| {
        let max = Preview::MAX_LEN;
        json!({
            "type": "object",
            "required": ["id", "sender_id", "preview", "created_at"],
            "properties": {
                "id": components.refer(&MESSAGE_ID),
                "sender_id": components.refer(&USER_ID),
                "preview": {
                    "description": format!(
                        "The beginning of the content, at most {max} bytes. It may end within \
                         text of one direction, so show it isolated (such as in a bdi element)."
                    ),
                    "type": "string",
                    "maxLength": max,
                },
                "created_at": components.refer(&TIMESTAMP),
            },
        })
    },
};

static CONVERSATION_PAGE: Schema = Schema {
    name: "ConversationPage",
    build: |components| {
        page_with_example(page_schema(components, &CONVERSATION), json!([example()]))
    },
};

fn example() -> Value {
    json!({
        "id": EXAMPLE_CONVERSATION,
        "participants": [ALICE, BOB],
        "last_message": {
            "id": EXAMPLE_MESSAGE,
            "sender_id": ALICE,
            "preview": "Hello",
            "created_at": EXAMPLE_TIME,
        },
    })
}
