//! The messenger inside an axum application with users of its own: `cargo run --example axum`.
//!
//! The service is mounted under `/chat`, so its documentation page is `/chat/docs`. The application
//! signs users in with a cookie, which authenticates calls of the messenger too, and lets them block
//! each other.
//!
//! ```sh
//! curl -c alice -X POST localhost:8000/sign-in/alice
//! curl -b alice localhost:8000/chat/api/messages/ -H 'Content-Type: application/json' \
//!   -d '{"receiver_id": "bob", "content": "Hello"}'
//! curl -c bob -X POST localhost:8000/sign-in/bob
//! curl -b bob localhost:8000/chat/api/conversations/user/bob
//! curl -b bob -X POST localhost:8000/block/alice
//! ```

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::routing::post;
use axum::{Router, serve};
use messenger_core::{Action, Decision, Messenger, MessengerOptions, Policy, UserId};
use messenger_http::{
    Access, Authenticate, AuthenticationError, Identity, MessengerService, ServiceConfig,
};
use messenger_memory::MemoryStore;
use parking_lot::Mutex;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8000".to_owned());

    let app = App::default();
    let options = MessengerOptions::new().with_policy(app.clone());
    let messenger = Messenger::with_options(MemoryStore::new(), options);
    // Links that the service writes begin with its path.
    let mut config = ServiceConfig::default().with_base_path("/chat")?;
    config.access = Access::authenticated(app.clone());
    let service = MessengerService::with_config(messenger, config);
    let router = Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/block/{user}", post(block))
        .with_state(app)
        .nest_service("/chat", service.clone());

    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async move {
        let _ = tokio::signal::ctrl_c().await;
        service.begin_shutdown();
    };
    serve(listener, router).with_graceful_shutdown(stop).await?;
    Ok(())
}

/// The state of the application. A real one would keep it in a database.
#[derive(Clone, Debug, Default)]
struct App {
    /// The user of each session.
    sessions: Arc<Mutex<HashMap<String, UserId>>>,
    /// Pairs of a user and another one whom this user has blocked.
    blocked: Arc<Mutex<HashSet<(UserId, UserId)>>>,
}

impl App {
    fn user(&self, headers: &HeaderMap) -> Option<UserId> {
        let cookie = headers.get(header::COOKIE)?.to_str().ok()?;
        let mut cookies = cookie.split("; ");
        let session = cookies.find_map(|cookie| cookie.strip_prefix("session="))?;
        self.sessions.lock().get(session).cloned()
    }
}

#[async_trait]
impl Authenticate for App {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let user = self.user(&request.headers);
        user.map(Identity::new).ok_or(AuthenticationError::Missing)
    }
}

#[async_trait]
impl Policy for App {
    async fn decide(
        &self,
        user: &UserId,
        action: Action<'_>,
    ) -> Result<Decision, Box<dyn Error + Send + Sync>> {
        let Action::Send { receiver, .. } = action else {
            return Ok(Decision::Allow);
        };
        let pair = (receiver.clone(), user.clone());
        Ok(match self.blocked.lock().contains(&pair) {
            true => Decision::Deny,
            false => Decision::Allow,
        })
    }
}

/// Signs a user in. A real application would ask for a password.
async fn sign_in(State(app): State<App>, Path(user): Path<UserId>) -> [(HeaderName, String); 1] {
    let session = format!("{:032x}", rand::random::<u128>());
    app.sessions.lock().insert(session.clone(), user);
    // SameSite keeps pages of other sites from using it.
    let cookie = format!("session={session}; HttpOnly; SameSite=Strict; Path=/");
    [(header::SET_COOKIE, cookie)]
}

/// Blocks messages from a user.
async fn block(
    State(app): State<App>,
    Path(other): Path<UserId>,
    headers: HeaderMap,
) -> StatusCode {
    let Some(user) = app.user(&headers) else {
        return StatusCode::UNAUTHORIZED;
    };
    app.blocked.lock().insert((user, other));
    StatusCode::NO_CONTENT
}
