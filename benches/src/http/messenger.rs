//! The subject: the messenger's server, and requests to it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::FutureExt as _;
use messenger_core::{Message, UserId};
use messenger_http::{Access, MessengerService, ServerConfig, ServiceConfig, serve};
use messenger_memory::MemoryStore;
use metrics_exporter_prometheus::PrometheusHandle;

use super::server::ServerThread;
use crate::fill::{self, Order};
use crate::messages::TEXT;
use crate::page::ids;
use crate::recorder::recorder;

/// The number of messages in the history, and of conversations in the inbox.
const HISTORY: usize = 1_000;
const INBOX: usize = 300;

/// A server with a history and an inbox.
#[derive(Debug)]
pub(super) struct Messenger {
    pub(super) server: Arc<ServerThread>,
    store: Arc<MemoryStore>,
    reader: UserId,
    newest: Message,
}

impl Messenger {
    pub(super) async fn start() -> Result<Self> {
        let (store, interval) = (Arc::<MemoryStore>::default(), Duration::from_secs(1));
        let (_, messages) = fill::inbox(&store, "reader", ids(INBOX, interval)).await?;
        let received = messages.into_iter().next_back();
        let (_, messages) = fill::history(&store, HISTORY, interval, Order::OldestFirst).await?;
        let newest = messages.into_iter().next_back();
        Ok(Self {
            server: Arc::new(start(Arc::clone(&store), Access::Trusted).await?),
            store,
            reader: received.context("no inbox")?.receiver_id().clone(),
            newest: newest.context("no history")?,
        })
    }

    /// Starts another server with the same history, for callers with a credential.
    pub(super) async fn start_another(&self, access: Access) -> Result<ServerThread> {
        start(Arc::clone(&self.store), access).await
    }

    /// Returns a user who may read the history.
    pub(super) fn participant(&self) -> &UserId {
        self.newest.sender_id()
    }

    /// Requests the first page of the history.
    pub(super) fn history(&self) -> Vec<u8> {
        let conversation = self.newest.conversation_id();
        get(format_args!("/api/messages/conversation/{conversation}"))
    }

    /// Requests the first page of the inbox.
    pub(super) fn inbox(&self) -> Vec<u8> {
        get(format_args!("/api/conversations/user/{}", self.reader))
    }

    /// Requests one message.
    pub(super) fn message(&self) -> Vec<u8> {
        let (conversation, id) = (self.newest.conversation_id(), self.newest.id());
        get(format_args!(
            "/api/messages/conversation/{conversation}/{id}"
        ))
    }

    /// Sends a message to a conversation that no other request reads.
    pub(super) fn send(&self) -> Vec<u8> {
        let body = format!(r#"{{"sender_id":"carol","receiver_id":"dave","content":"{TEXT}"}}"#);
        let len = body.len();
        let request = format!(
            "POST /api/messages/ HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {len}\r\n\r\n{body}"
        );
        request.into_bytes()
    }

    /// Requests the health: the cost that every response has.
    pub(super) fn health(&self) -> Vec<u8> {
        get("/health/live")
    }
}

fn get(path: impl Display) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

async fn start(store: Arc<MemoryStore>, access: Access) -> Result<ServerThread> {
    let recorder = recorder()?;
    let render = recorder.clone();
    let mut config = ServiceConfig::default().with_metrics(move || render.render());
    config.access = access;
    let messenger = messenger_core::Messenger::new(store);
    let service = MessengerService::with_config(messenger, config);
    ServerThread::spawn("messenger-server", |listener, stop| async move {
        tokio::spawn(run_upkeep(recorder));
        // The sender is dropped, not used.
        let signals = stop.map(|_| ()).into_stream();
        serve(listener, service, ServerConfig::default(), signals).await;
    })
    .await
}

/// Moves measurements into their buckets while nobody asks for them, as the server does.
async fn run_upkeep(recorder: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        recorder.run_upkeep();
    }
}
