//! The calls about messages.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};
use messenger_core::{ConversationId, Error, ErrorKind, HistoryQuery, Message, MessageId, Outcome};
use serde::Deserialize;
use serde_json::json;

use super::change::{ActingUser, UserIdInput, change};
use super::wait;
use crate::answer::{
    self, Answer, Code, HeaderDoc, LINK, List, Problem, header_value, message_path_of, page_schema,
    page_with_example,
};
use crate::request::{
    BEFORE_TIMESTAMP, CURSOR, IDEMPOTENCY_KEY, JsonBody, LIMIT, Query, Request, SENDER_ID,
    WAIT_PARAM, from_json, idempotency_key,
};
use crate::route::{Call, Content, Group, Success, Verb};
use crate::schema::{
    self, ALICE, BOB, CONTENT, CONVERSATION_ID, EXAMPLE_CONVERSATION, EXAMPLE_MESSAGE,
    EXAMPLE_TIME, MESSAGE_ID, REVISION, Schema, TIMESTAMP, USER_ID, USER_ID_INPUT, described,
    nullable, with_description,
};
use crate::state::Written;

pub(super) static SEND: Call = Call {
    id: "sendMessage",
    verb: Verb::Post,
    path: "/api/messages/",
    group: Group::Messages,
    summary: "Send a message",
    description: "Repeating the request makes a second message, unless both requests have the same \
                  Idempotency-Key: then the second one makes nothing and returns the message of \
                  the first. The conversation of two users begins with their first message.",
    query: &[],
    headers: &[&IDEMPOTENCY_KEY],
    body: Some(JsonBody {
        schema: &NEW_MESSAGE,
    }),
    success: Success {
        status: StatusCode::CREATED,
        description: "The message, sent by this request or an earlier one.",
        content: Content::Json(&MESSAGE),
        headers: &[&LOCATION, &IDEMPOTENT_REPLAYED],
    },
    problems: &[
        Code::InvalidIdempotencyKey,
        Code::ContentTooLarge,
        Code::InvalidUserId,
        Code::InvalidContent,
        Code::SelfMessage,
        Code::IdempotencyKeyReused,
        Code::Unavailable,
        Code::Timeout,
        Code::OutcomeUnknown,
    ],
    handler: |request| Box::pin(send(request)),
};

async fn send(request: Request<'_>) -> Result<Answer, Problem> {
    let key = idempotency_key(request.headers)?;
    let message: NewMessageJson<'_> = from_json(&request.body, NEW_MESSAGE_SHAPE)?;
    let sender = message.sender_id.actor(&request.caller, "sender_id")?;
    let receiver = message.receiver_id.parse("receiver_id")?;
    let content = messenger_core::Content::new(message.content).map_err(Problem::of_input)?;
    let conversation = ConversationId::direct(sender.user(), &receiver);
    let has_key = key.is_some();

    let state = request.state;
    let (id, written) = match key {
        Some(key) => {
            let work = async move {
                let sent = sender.send_once(receiver, content, key).await?;
                Ok((sent.message, sent.replayed))
            };
            (None, state.write(request.in_flight, work).await)
        }
        None => {
            // Known as soon as the policy has allowed the message: the one to look up if it is not
            // sent in time.
            let id = Arc::new(OnceLock::new());
            let known = Arc::clone(&id);
            let work = async move {
                let prepared = sender.prepare(receiver, content).await?;
                let _ = known.set(prepared.message().id());
                Ok((prepared.send().await?, false))
            };
            let written = state.write(request.in_flight, work).await;
            (id.get().copied(), written)
        }
    };
    match written {
        Written::Done(Ok((message, replayed))) => created(state.base(), &message, replayed),
        Written::Done(Err(error)) => Err(error.into()),
        Written::Panicked => Err(panicked(id)),
        Written::NotInTime => Err(Problem::outcome_unknown(id)),
    }
    .map_err(|problem: Problem| problem.of_send(conversation, has_key))
}

fn panicked(id: Option<MessageId>) -> Problem {
    let error = Error::new(ErrorKind::Internal, "sending panicked").with_outcome(Outcome::Unknown);
    Problem::from(match id {
        Some(id) => error.with_message_id(id),
        None => error,
    })
}

fn created(base: &str, message: &Message, replayed: bool) -> Result<Answer, Problem> {
    let mut answer = answer::json(StatusCode::CREATED, message);
    let location = message_path_of(base, message.conversation_id(), message.id());
    let headers = answer.headers_mut();
    headers.insert(header::LOCATION, header_value(location)?);
    if replayed {
        let name = HeaderName::from_static("idempotent-replayed");
        headers.insert(name, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

static LOCATION: HeaderDoc = HeaderDoc {
    name: "Location",
    description: "The path of the message.",
    required: true,
    schema: || json!({"type": "string", "format": "uri-reference"}),
};

static IDEMPOTENT_REPLAYED: HeaderDoc = HeaderDoc {
    name: "Idempotent-Replayed",
    description: "Present if an earlier request with the same key has sent the message.",
    required: false,
    schema: || json!({"type": "string", "enum": ["true"]}),
};

/// The body of a message to send.
#[derive(Deserialize)]
struct NewMessageJson<'a> {
    #[serde(default)]
    sender_id: ActingUser,
    receiver_id: UserIdInput,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

const NEW_MESSAGE_SHAPE: &str =
    r#"{"sender_id": "alice", "receiver_id": "bob", "content": "Hello"}"#;

static NEW_MESSAGE: Schema = Schema {
    name: "NewMessage",
    build: |components| {
        let user = components.refer(&USER_ID_INPUT);
        json!({
            "type": "object",
            "required": components.with_acting_user("sender_id", &["receiver_id", "content"]),
            "properties": {
                "sender_id": user.clone(),
                "receiver_id": described(user, "Another user than the sender."),
                "content": components.refer(&CONTENT),
            },
            "examples": [{"sender_id": ALICE, "receiver_id": BOB, "content": "Hello"}],
        })
    },
};

pub(super) static LIST: Call = Call {
    id: "listMessages",
    verb: Verb::Get,
    path: "/api/messages/conversation/{conversation_id}",
    group: Group::Messages,
    summary: "List the messages of a conversation",
    description: "Newest first. Follow next_cursor to older messages until it is null. Follow \
                  prev_cursor, now or later, to everything that changes: new, edited and unsent \
                  messages, the latest change first. It misses no change and may return a message \
                  again. An unsent message stays unsent; otherwise the greater revision wins.",
    query: &[&LIMIT, &CURSOR, &WAIT_PARAM],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "A page of messages.",
        content: Content::Json(&MESSAGE_PAGE),
        headers: &[&LINK],
    },
    problems: &[
        Code::InvalidCursor,
        Code::ForeignCursor,
        Code::InvalidLimit,
        Code::InvalidId,
        Code::ConversationNotFound,
        Code::Unavailable,
        Code::Timeout,
    ],
    handler: |request| Box::pin(list(request)),
};

async fn list(mut request: Request<'_>) -> Result<Answer, Problem> {
    let id: ConversationId = request.path.id("conversation_id")?;
    let wait = wait::wanted(&request)?;
    let query = history_query(&request.query);
    let mut page = request.caller.history(id, query).await?;
    if let Some(wait) = wait
        && page.items.is_empty()
    {
        let batches = request.caller.follow_history(id, Some(page.prev)).await?;
        wait::for_change(&mut request, wait, batches).await?;
        page = request
            .caller
            .history(id, query.with_cursor(page.prev))
            .await?;
    }
    let base = request.state.base();
    let list = List {
        path: format_args!("{base}/api/messages/conversation/{id}"),
        query: request.query,
    };
    answer::page(&page, &list, &list)
}

pub(super) static LIST_BEFORE: Call = Call {
    id: "listMessagesBefore",
    verb: Verb::Get,
    path: "/api/messages/conversation/{conversation_id}/before",
    group: Group::Messages,
    summary: "List the messages of a conversation before a time",
    description: "Messages whose created_at is strictly before before_timestamp, newest first. To \
                  read on, follow next_cursor and repeat before_timestamp: both bounds hold. \
                  prev_cursor leads to the newest messages of listMessages. The created_at of the \
                  last message is no substitute for a cursor, because several messages may have \
                  the same.",
    query: &[&BEFORE_TIMESTAMP, &LIMIT, &CURSOR],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "A page of messages.",
        content: Content::Json(&MESSAGE_PAGE),
        headers: &[&LINK],
    },
    problems: &[
        Code::InvalidCursor,
        Code::ForeignCursor,
        Code::InvalidLimit,
        Code::InvalidTimestamp,
        Code::InvalidId,
        Code::ConversationNotFound,
        Code::Unavailable,
        Code::Timeout,
    ],
    handler: |request| Box::pin(list_before(request)),
};

async fn list_before(request: Request<'_>) -> Result<Answer, Problem> {
    let id: ConversationId = request.path.id("conversation_id")?;
    if request.query.before.is_none() {
        return Err(Problem::with_detail(
            Code::InvalidTimestamp,
            "before_timestamp is missing. Send a time such as \
             before_timestamp=2026-11-23T09:30:00Z.",
        ));
    }
    let page = request
        .caller
        .history(id, history_query(&request.query))
        .await?;
    let base = request.state.base();
    let newer = List {
        path: format_args!("{base}/api/messages/conversation/{id}"),
        query: Query {
            before: None,
            ..request.query.clone()
        },
    };
    let older = List {
        path: format_args!("{base}/api/messages/conversation/{id}/before"),
        query: request.query,
    };
    answer::page(&page, &older, &newer)
}

fn history_query(query: &Query) -> HistoryQuery {
    HistoryQuery::new()
        .with_limit(query.limit.unwrap_or_default())
        .with_cursor(query.cursor)
        .with_before(query.before)
}

pub(super) static GET: Call = Call {
    id: "getMessage",
    verb: Verb::Get,
    path: "/api/messages/conversation/{conversation_id}/{message_id}",
    group: Group::Messages,
    summary: "Get one message",
    description: "The Location of a message that was sent leads here.",
    query: &[],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The message.",
        content: Content::Json(&MESSAGE),
        headers: &[],
    },
    problems: &[
        Code::InvalidId,
        Code::MessageNotFound,
        Code::Unavailable,
        Code::Timeout,
    ],
    handler: |request| Box::pin(get(request)),
};

async fn get(request: Request<'_>) -> Result<Answer, Problem> {
    let conversation: ConversationId = request.path.id("conversation_id")?;
    let id: MessageId = request.path.id("message_id")?;
    let message = request.caller.message(conversation, id).await?;
    Ok(answer::json(StatusCode::OK, &message))
}

pub(super) static EDIT: Call = Call {
    id: "editMessage",
    verb: Verb::Patch,
    path: "/api/messages/conversation/{conversation_id}/{message_id}",
    group: Group::Messages,
    summary: "Edit a message",
    description: "Replaces the content. Only the sender may edit a message, and only for a time \
                  after it was sent, 15 minutes by default. Earlier texts are not kept. Repeating \
                  the request is safe.",
    query: &[],
    headers: &[],
    body: Some(JsonBody { schema: &NEW_TEXT }),
    success: Success {
        status: StatusCode::OK,
        description: "The edited message.",
        content: Content::Json(&MESSAGE),
        headers: &[],
    },
    problems: &[
        Code::InvalidId,
        Code::NotSender,
        Code::MessageNotFound,
        Code::MessageUnsent,
        Code::ContentTooLarge,
        Code::InvalidUserId,
        Code::InvalidContent,
        Code::EditWindowOver,
        Code::Unavailable,
        Code::Timeout,
        Code::OutcomeUnknown,
    ],
    handler: |request| Box::pin(edit(request)),
};

async fn edit(request: Request<'_>) -> Result<Answer, Problem> {
    let conversation: ConversationId = request.path.id("conversation_id")?;
    let id: MessageId = request.path.id("message_id")?;
    let text: NewTextJson<'_> = from_json(&request.body, NEW_TEXT_SHAPE)?;
    let sender = text.sender_id.actor(&request.caller, "sender_id")?;
    let content = messenger_core::Content::new(text.content).map_err(Problem::of_input)?;
    change(request, Code::MessageNotFound, async move {
        sender.edit(conversation, id, content).await
    })
    .await
}

/// The body of an edit.
#[derive(Deserialize)]
struct NewTextJson<'a> {
    #[serde(default)]
    sender_id: ActingUser,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

const NEW_TEXT_SHAPE: &str = r#"{"sender_id": "alice", "content": "Hello!"}"#;

static NEW_TEXT: Schema = Schema {
    name: "NewText",
    build: |components| {
        json!({
            "type": "object",
            "required": components.with_acting_user("sender_id", &["content"]),
            "properties": {
                "sender_id": components.refer(&USER_ID_INPUT),
                "content": components.refer(&CONTENT),
            },
            "examples": [{"sender_id": ALICE, "content": "Hello!"}],
        })
    },
};

pub(super) static UNSEND: Call = Call {
    id: "unsendMessage",
    verb: Verb::Delete,
    path: "/api/messages/conversation/{conversation_id}/{message_id}",
    group: Group::Messages,
    summary: "Unsend a message",
    description: "Removes the content for everyone, for good. The message stays in its place with \
                  content null. Only the sender may unsend a message, at any time. Repeating the \
                  request is safe.",
    query: &[&SENDER_ID],
    headers: &[],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The unsent message.",
        content: Content::Json(&MESSAGE),
        headers: &[],
    },
    problems: &[
        Code::InvalidId,
        Code::NotSender,
        Code::MessageNotFound,
        Code::InvalidUserId,
        Code::Unavailable,
        Code::Timeout,
        Code::OutcomeUnknown,
    ],
    handler: |request| Box::pin(unsend(request)),
};

async fn unsend(request: Request<'_>) -> Result<Answer, Problem> {
    let conversation: ConversationId = request.path.id("conversation_id")?;
    let id: MessageId = request.path.id("message_id")?;
    let named = request.query.sender_id.clone();
    let sender = request.caller.actor(named)?.ok_or_else(|| {
        let detail = "sender_id is missing. Send the user who sent the message.";
        Problem::with_detail(Code::InvalidQuery, detail)
    })?;
    change(request, Code::MessageNotFound, async move {
        sender.unsend(conversation, id).await
    })
    .await
}

static MESSAGE: Schema = Schema {
    name: "Message",
    build: |components| {
        json!({
            "type": "object",
            "required": [
                "id", "conversation_id", "sender_id", "receiver_id", "content", "created_at",
                "revision",
            ],
            "properties": {
                "id": components.refer(&MESSAGE_ID),
                "conversation_id": components.refer(&CONVERSATION_ID),
                "sender_id": components.refer(&USER_ID),
                "receiver_id": components.refer(&USER_ID),
                "content": with_description(
                    nullable(schema::content()),
                    "Null if the message was unsent.",
                ),
                "created_at": components.refer(&TIMESTAMP),
                "edited_at": described(components.refer(&TIMESTAMP), "Present if it was edited."),
                "unsent_at": described(components.refer(&TIMESTAMP), "Present if it was unsent."),
                "revision": components.refer(&REVISION),
            },
            "examples": [example()],
        })
    },
};

static MESSAGE_PAGE: Schema = Schema {
    name: "MessagePage",
    build: |components| page_with_example(page_schema(components, &MESSAGE), json!([example()])),
};

fn example() -> serde_json::Value {
    json!({
        "id": EXAMPLE_MESSAGE,
        "conversation_id": EXAMPLE_CONVERSATION,
        "sender_id": ALICE,
        "receiver_id": BOB,
        "content": "Hello",
        "created_at": EXAMPLE_TIME,
        "revision": EXAMPLE_MESSAGE,
    })
}
