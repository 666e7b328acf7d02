//! The messenger over HTTP: a [`tower`](tower_service) service over a
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
// Generated: `UPDATE_GOLDEN=1 cargo test -p messenger-http document`.
#![doc = include_str!("calls/table.md")]
//!
//! The OpenAPI document at `/openapi.json` describes every field, header and error.
//!
//! # Access
//!
//! By default ([`Access::Trusted`]) anyone who reaches the service can read every conversation and
//! send as any user: listen on the loopback address and set [`ServiceConfig::allowed_hosts`], or put
//! a gateway in front.
//!
//! With [`Access::Authenticated`], each call of the API needs a credential: a token, or the session of
//! your application. Implement [`Authenticate`] to say whose it is, or use the module `jwt` for tokens
//! of an identity provider. The caller then acts as an
//! [`Actor`](messenger_core::Actor): only as themself, and only in their own conversations.
//!
//! ```
//! # use messenger_http::Authenticate;
//! # fn example(messenger: messenger_core::Messenger, sessions: impl Authenticate + 'static) {
//! use messenger_http::{Access, MessengerService, ServiceConfig};
//!
//! let mut config = ServiceConfig::default();
//! config.access = Access::authenticated(sessions);
//! let service = MessengerService::with_config(messenger, config);
//! # let _ = service;
//! # }
//! ```
//!
//! Without a valid credential a call is refused with 401 before its query and body are read. Health
//! checks, metrics and the pages need none. An application that authenticates by cookies must keep
//! other sites from using them: `SameSite=Strict`, and no origin in
//! [`ServiceConfig::cors_origins`] that it does not trust. (Every call that writes is either of a
//! method or of a media type for which browsers ask first.)
//!
//! # In a tower stack
//!
//! [`MessengerService`] answers requests with any body and never fails. It keeps the limits of its
//! [`ServiceConfig`] itself, so they hold wherever it is mounted; [`serve`] adds those of
//! connections. To mount it under a path, for instance with axum's `nest_service("/chat", service)`,
//! set [`ServiceConfig::with_base_path`]. Without [`serve`], call
//! [`MessengerService::begin_shutdown`] and [`MessengerService::drain`] when the server stops.
//!
//! # Metrics
//!
//! Measurements go to the [`metrics`](::metrics) facade; this crate installs no recorder. Without
//! one they cost next to nothing, and `/metrics` is not found. With one, installed before the service
//! answers its first request, tell the service how to render it. What stores measure is then on the
//! same page:
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
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `chat` | yes | the page at `/chat/`: a small client to try the API with |
//! | `docs` | yes | the page at `/docs`: Swagger UI, served from memory |
//! | `jwt` | no | the module `jwt`: authentication by JWT bearer tokens. It needs a C compiler, for `aws-lc-rs` |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod auth;
mod calls;
mod config;
mod cors;
mod limits;
mod metrics;
mod openapi;
mod pipeline;
mod request;
mod route;
mod schema;
mod server;
mod state;

pub use answer::Body;
#[cfg(feature = "jwt")]
pub use auth::jwt;
pub use auth::{Access, Authenticate, AuthenticationError, Identity, bearer_token};
pub use config::ServiceConfig;
pub use metrics::LATENCY_BUCKETS;
pub use openapi::openapi_json;
pub use pipeline::MessengerService;
pub use server::{Drained, ServerConfig, serve, serve_operations};

#[cfg(doc)]
use messenger_core::Messenger;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
