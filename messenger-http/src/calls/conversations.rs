//! The calls about conversations.

use http::StatusCode;
use messenger_core::{Actor, ConversationId, InboxQuery, MessageId, Preview, Unread, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::change::{ActingUser, change};
use super::wait;
use crate::answer::{self, Answer, Code, LINK, List, Problem, page_schema, page_with_example};
use crate::request::{
    CURSOR, JsonBody, LIMIT, Request, UNREAD, USER_ID as USER_ID_PARAM, WAIT_PARAM, from_json,
};
use crate::route::{Call, Content, Group, Success, Verb};
use crate::schema::{
    ALICE, BOB, CONVERSATION_ID, Components, EXAMPLE_CONVERSATION, EXAMPLE_MESSAGE, EXAMPLE_TIME,
    MESSAGE_ID, REVISION, Schema, TIMESTAMP, USER_ID, USER_ID_INPUT, described, nullable,
    with_description,
};

pub(super) static LIST: Call = Call {
    id: "listConversations",
    verb: Verb::Get,
    path: "/api/conversations/user/{user_id}",
    group: Group::Conversations,
    summary: "List the conversations of a user",
    description: "The inbox of the user, with the most recent messages first. A conversation with a \
                  new message moves to the top: following next_cursor shows none twice, and \
                  following the prev_cursor of the first page finds everything that changes: new \
                  messages, edited and unsent ones, and read markers, the latest change first. It \
                  may return a conversation again: the greater last message wins, and read markers \
                  only move forward. Users are not registered, so a user who never wrote has an \
                  empty page.",
    query: &[&LIMIT, &CURSOR, &UNREAD, &WAIT_PARAM],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "A page of inbox entries.",
        content: Content::Json(&INBOX_PAGE),
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

async fn list(mut request: Request<'_>) -> Result<Answer, Problem> {
    let user = user_of(&request)?;
    let inbox = InboxQuery::new()
        .with_limit(request.query.limit.unwrap_or_default())
        .with_cursor(request.query.cursor)
        .with_unread(request.query.unread.unwrap_or_default());
    let wait = wait::wanted(&request)?;
    let mut page = user.inbox(inbox).await?;
    if let Some(wait) = wait
        && page.items.is_empty()
    {
        let batches = user.follow_inbox(Some(page.prev)).await?;
        wait::for_change(&mut request, wait, batches).await?;
        page = user.inbox(inbox.with_cursor(page.prev)).await?;
    }
    let (base, user) = (request.state.base(), user.user());
    let list = List {
        path: format_args!("{base}/api/conversations/user/{user}"),
        query: request.query,
    };
    answer::page(&page, &list, &list)
}

/// Returns the user whose inbox the path names.
pub(super) fn user_of(request: &Request<'_>) -> Result<Actor, Problem> {
    let user: UserId = request.path.id("user_id")?;
    request.caller.acting_as(user)
}

pub(super) static GET: Call = Call {
    id: "getConversation",
    verb: Verb::Get,
    path: "/api/conversations/{conversation_id}",
    group: Group::Conversations,
    summary: "Get one conversation",
    description: "Returns the conversation, or, with user_id, its entry in the inbox of that user. With \
                  authentication it is always the entry of the caller.",
    query: &[&USER_ID_PARAM],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The conversation.",
        content: Content::Json(&CONVERSATION_OR_ENTRY),
        headers: &[],
    },
    problems: &[
        Code::InvalidId,
        Code::InvalidUserId,
        Code::ConversationNotFound,
        Code::Unavailable,
        Code::Timeout,
    ],
    handler: |request| Box::pin(get(request)),
};

async fn get(request: Request<'_>) -> Result<Answer, Problem> {
    let id: ConversationId = request.path.id("conversation_id")?;
    let Some(user) = request.caller.actor(request.query.user_id)? else {
        let conversation = request.caller.conversation(id).await?;
        return Ok(answer::json(StatusCode::OK, &conversation));
    };
    let entry = user.entry(id).await?;
    let entry = entry.ok_or_else(|| Problem::new(Code::ConversationNotFound))?;
    Ok(answer::json(StatusCode::OK, &entry))
}

pub(super) static MARK_READ: Call = Call {
    id: "markRead",
    verb: Verb::Put,
    path: "/api/conversations/{conversation_id}/read",
    group: Group::Conversations,
    summary: "Mark messages as read",
    description: "Moves the read marker of the user forward to a message of the conversation. The \
                  other participant sees it as seen_up_to. A marker never moves back, and repeating \
                  the request is safe.",
    query: &[],
    headers: &[],
    body: Some(JsonBody {
        schema: &NEW_MARKER,
    }),
    success: Success {
        status: StatusCode::OK,
        description: "The conversation in the inbox of the user.",
        content: Content::Json(&ENTRY),
        headers: &[],
    },
    problems: &[
        Code::InvalidId,
        Code::InvalidUserId,
        Code::InvalidReadMarker,
        Code::ConversationNotFound,
        Code::MessageNotFound,
        Code::Unavailable,
        Code::Timeout,
        Code::OutcomeUnknown,
    ],
    handler: |request| Box::pin(mark_read(request)),
};

async fn mark_read(request: Request<'_>) -> Result<Answer, Problem> {
    let id: ConversationId = request.path.id("conversation_id")?;
    let marker: MarkerJson = from_json(&request.body, MARKER_SHAPE)?;
    let user = marker.user_id.actor(&request.caller, "user_id")?;
    let up_to: MessageId = marker
        .up_to
        .parse()
        .map_err(|error: messenger_core::Error| {
            let detail = format!("up_to: {}.", error.message());
            Problem::with_detail(Code::InvalidReadMarker, detail)
        })?;
    change(request, Code::ConversationNotFound, async move {
        user.mark_read(id, up_to).await
    })
    .await
}

#[derive(Deserialize)]
struct MarkerJson {
    #[serde(default)]
    user_id: ActingUser,
    up_to: String,
}

const MARKER_SHAPE: &str = r#"{"user_id": "bob", "up_to": "019e9c3f-a2da-7b6e-9f0d-2f4f3c8a9d11"}"#;

static NEW_MARKER: Schema = Schema {
    name: "NewReadMarker",
    build: |components| {
        json!({
            "type": "object",
            "required": components.with_acting_user("user_id", &["up_to"]),
            "properties": {
                "user_id": components.refer(&USER_ID_INPUT),
                "up_to": described(
                    components.refer(&MESSAGE_ID),
                    "The last message of the conversation that the user has read.",
                ),
            },
            "examples": [{"user_id": BOB, "up_to": EXAMPLE_MESSAGE}],
        })
    },
};

static CONVERSATION: Schema = Schema {
    name: "Conversation",
    build: |components| {
        json!({
            "type": "object",
            "required": ["id", "kind", "participants"],
            "properties": of_conversation(components),
            "examples": [{
                "id": EXAMPLE_CONVERSATION,
                "kind": "direct",
                "participants": [ALICE, BOB],
            }],
        })
    },
};

fn of_conversation(components: &mut Components) -> Value {
    json!({
        "id": components.refer(&CONVERSATION_ID),
        "kind": {
            "description": "direct: the conversation of two users.",
            "type": "string",
            "enum": ["direct"],
        },
        "participants": {
            "description": "Sorted by id.",
            "type": "array",
            "items": components.refer(&USER_ID),
            "minItems": 2,
            "uniqueItems": true,
        },
    })
}

static ENTRY: Schema = Schema {
    name: "InboxEntry",
    build: |components| {
        let mut properties = of_conversation(components);
        properties["last_message"] = components.refer(&LAST_MESSAGE);
        properties["read_up_to"] = marker("The message up to which the user has read.");
        properties["seen_up_to"] = marker("The message up to which the other user has read.");
        properties["unread"] = components.refer(&UNREAD_COUNT);
        json!({
            "description": "A conversation as one of its users sees it.",
            "type": "object",
            "required": [
                "id", "kind", "participants", "last_message", "read_up_to", "seen_up_to",
            ],
            "properties": properties,
            "examples": [example()],
        })
    },
};

fn marker(description: &str) -> Value {
    let shape = nullable(json!({"type": "string", "format": "uuid"}));
    with_description(shape, &format!("{description} Null if none."))
}

static UNREAD_COUNT: Schema = Schema {
    name: "Unread",
    build: |_| {
        json!({
            "description": "The number of unread messages. Present if it was asked for.",
            "type": "object",
            "required": ["count", "capped"],
            "properties": {
                "count": {"type": "integer", "minimum": 0, "maximum": Unread::CAP},
                "capped": {
                    "description": "Whether there are more than are counted.",
                    "type": "boolean",
                },
            },
        })
    },
};

static CONVERSATION_OR_ENTRY: Schema = Schema {
    name: "ConversationOrEntry",
    build: |components| json!({"anyOf": [components.refer(&ENTRY), components.refer(&CONVERSATION)]}),
};

static LAST_MESSAGE: Schema = Schema {
    name: "LastMessage",
    build: |components| {
        let max = Preview::MAX_LEN;
        json!({
            "type": "object",
            "required": ["id", "sender_id", "preview", "created_at", "revision"],
            "properties": {
                "id": components.refer(&MESSAGE_ID),
                "sender_id": components.refer(&USER_ID),
                "preview": {
                    "description": format!(
                        "The beginning of the content, at most {max} bytes; null if the message \
                         was unsent. It may end within text of one direction, so show it isolated \
                         (such as in a bdi element)."
                    ),
                    "type": ["string", "null"],
                    "maxLength": max,
                },
                "created_at": components.refer(&TIMESTAMP),
                "revision": components.refer(&REVISION),
            },
        })
    },
};

static INBOX_PAGE: Schema = Schema {
    name: "InboxPage",
    build: |components| page_with_example(page_schema(components, &ENTRY), json!([example()])),
};

fn example() -> Value {
    json!({
        "id": EXAMPLE_CONVERSATION,
        "kind": "direct",
        "participants": [ALICE, BOB],
        "last_message": {
            "id": EXAMPLE_MESSAGE,
            "sender_id": ALICE,
            "preview": "Hello",
            "created_at": EXAMPLE_TIME,
            "revision": EXAMPLE_MESSAGE,
        },
        "read_up_to": null,
        "seen_up_to": EXAMPLE_MESSAGE,
    })
}
