//! The subject: the messenger's server as the example makes it, and requests to it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::FutureExt as _;
use messenger_core::{Message, NewMessage, Store as _, UserId};
use messenger_http::{MessengerService, ServerConfig, ServiceConfig, serve};
use messenger_memory::MemoryStore;

use super::observed;
use super::thread::ServerThread;
use crate::pages;
use crate::sends::{TEXT, user};

/// How many messages the history has, and how many conversations the inbox.
const HISTORY: usize = 1_000;
const INBOX: usize = 300;

/// A server, and what can be read from it.
#[derive(Debug)]
pub(super) struct Messenger {
    pub(super) server: Arc<ServerThread>,
    reader: UserId,
    newest: Message,
}

impl Messenger {
    /// Starts it, with a history and an inbox.
    pub(super) async fn start() -> Result<Self> {
        let (store, reader) = (MemoryStore::new(), UserId::new("reader")?);
        for (number, id) in pages::ids(INBOX, Duration::from_secs(1))
            .into_iter()
            .enumerate()
        {
            let message = NewMessage::new(user("writer", number)?, reader.clone(), TEXT)?;
            store.append(&message.with_id(id)).await?;
        }
        let mut newest = None;
        for id in pages::ids(HISTORY, Duration::from_secs(1)) {
            let message = NewMessage::new(UserId::new("alice")?, UserId::new("bob")?, TEXT)?;
            let message = newest.insert(message.with_id(id));
            store.append(message).await?;
        }
        Ok(Self {
            server: Arc::new(start(store)?),
            reader,
            newest: newest.context("a history has a message")?,
        })
    }

    /// The newest page of a history.
    pub(super) fn history(&self) -> Vec<u8> {
        let conversation = self.newest.conversation_id();
        get(format_args!("/api/messages/conversation/{conversation}"))
    }

    /// The first page of an inbox.
    pub(super) fn inbox(&self) -> Vec<u8> {
        get(format_args!("/api/conversations/user/{}", self.reader))
    }

    /// One message.
    pub(super) fn message(&self) -> Vec<u8> {
        let (conversation, id) = (self.newest.conversation_id(), self.newest.id());
        get(format_args!(
            "/api/messages/conversation/{conversation}/{id}"
        ))
    }

    /// A message to a conversation that nothing else is read from.
    pub(super) fn send(&self) -> Result<Vec<u8>> {
        let json = serde_json::json!({
            "sender_id": "carol",
            "receiver_id": "dave",
            "content": TEXT,
        });
        let body = serde_json::to_string(&json)?;
        let len = body.len();
        Ok(format!(
            "POST /api/messages/ HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {len}\r\n\r\n{body}"
        )
        .into_bytes())
    }

    /// Whether it lives: what every answer costs.
    pub(super) fn health(&self) -> Vec<u8> {
        get("/health/live")
    }
}

fn get(path: impl Display) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

fn start(store: MemoryStore) -> Result<ServerThread> {
    let recorder = observed::recorder()?;
    let render = recorder.clone();
    let config = ServiceConfig::default().with_metrics(move || render.render());
    let messenger = messenger_core::Messenger::new(store);
    let service = MessengerService::with_config(messenger, config);
    ServerThread::spawn("messenger-server", |listener, stop| async move {
        tokio::spawn(observed::keep_up(recorder));
        // Its sender is dropped rather than used.
        let signals = stop.map(|_| ()).into_stream();
        serve(listener, service, ServerConfig::default(), signals).await;
    })
}
