//! The messenger over HTTP: a [`tower`](tower_service) service above a
//! [`Messenger`], and a server for it.
//!
//! ```no_run
//! use messenger_http::{MessengerService, ServerConfig, serve};
//! # async fn example(messenger: messenger_core::Messenger) -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! let service = MessengerService::new(messenger);
//! let signals = futures_util::stream::pending(); // The first one stops, the second one cuts.
//! let drained = serve(listener, service, ServerConfig::default(), signals).await;
//! assert!(drained.is_complete());
//! # Ok(())
//! # }
//! ```
//!
//! | call | gives |
//! | --- | --- |
//! | `POST /api/messages/` | sends a message |
//! | `GET /api/messages/conversation/{conversation_id}` | a page of a conversation's messages |
//! | `GET /api/messages/conversation/{conversation_id}/before` | those before a time |
//! | `GET /api/messages/conversation/{conversation_id}/{message_id}` | one message |
//! | `GET /api/conversations/user/{user_id}` | a page of a user's conversations |
//! | `GET /api/conversations/{conversation_id}` | one conversation |
//! | `GET /health/live`, `/health/ready`, `/metrics`, `/openapi.json`, `/docs` | for those who run and call it |
//!
//! The document at `/openapi.json` says the rest, with every field, header and error.
//!
//! # Who may call it
//!
//! There is no authentication: the server trusts its caller, who may read every conversation and
//! write in any name. Listen on the loopback address, or put a gateway in front.
//!
//! # In a tower stack
//!
//! [`MessengerService`] answers requests with any body and never fails. It keeps the limits of its
//! [`ServiceConfig`] itself, so they hold wherever it is mounted; [`serve`] adds those of
//! connections. Its paths are absolute, so mount it at the root. Who runs it without [`serve`]
//! calls [`MessengerService::begin_shutdown`] and [`MessengerService::drain`] when stopping.
//!
//! # Metrics
//!
//! Measurements go to the [`metrics`](::metrics) facade, and this crate installs no recorder behind
//! anyone's back. With none installed they cost next to nothing, and `/metrics` is not found. With
//! one, installed before the service answers its first request, tell the service how to render it;
//! what stores measure is then on the same page:
//!
//! ```
//! # fn example(messenger: messenger_core::Messenger) -> Result<(), Box<dyn std::error::Error>> {
//! use messenger_http::{LATENCY_BUCKETS, MessengerService, ServiceConfig};
//!
//! let recorder = metrics_exporter_prometheus::PrometheusBuilder::new()
//!     .set_buckets(LATENCY_BUCKETS)?
//!     .install_recorder()?;
//! let config = ServiceConfig::default().with_metrics(move || recorder.render());
//! let service = MessengerService::with_config(messenger, config);
//! # let _ = service;
//! # Ok(())
//! # }
//! ```
//!
//! # Reading the code
//!
//! `routes` is the one table of calls, from which the service dispatches and `openapi` is written;
//! `service` is the way of a request through limits and handlers; `request`, `wire`, `json`
//! and `problem` turn HTTP into the types of [`messenger_core`] and back; `server` is the server around it.

mod config;
mod conversations;
#[cfg(feature = "docs")]
mod docs;
mod health;
mod in_flight;
mod json;
mod messages;
mod metrics;
mod openapi;
mod problem;
mod request;
mod routes;
mod server;
mod service;
mod wire;

pub use config::ServiceConfig;
pub use metrics::LATENCY_BUCKETS;
pub use openapi::openapi_json;
pub use server::{Drained, ServerConfig, serve, serve_operations};
pub use service::MessengerService;
pub use wire::Body;

#[cfg(doc)]
use messenger_core::Messenger;
