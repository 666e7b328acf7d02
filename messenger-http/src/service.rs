//! The way of a request: named, measured, routed, limited, answered, and never lost to a panic.

use std::any::Any;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response};
use messenger_core::{Error, ErrorKind, Messenger};
use tokio_util::task::TaskTracker;
use tower_service::Service;
use tracing::Instrument as _;

use crate::config::ServiceConfig;
use crate::in_flight::{InFlight, Permit};
use crate::metrics::{self, Instruments, Measure, NO_ROUTE};
use crate::problem::{self, Code, Problem};
use crate::request::{self, Head, RequestId, X_REQUEST_ID};
use crate::routes::{self, Call, Found, Route};
use crate::wire::{self, Body};
use crate::{conversations, health, messages, openapi};

/// The calls of the messenger as a [`tower::Service`](tower_service::Service), for requests with
/// any body.
///
/// It is always ready and never fails: what goes wrong is an answer too, a panic of the store
/// included. Cloning is cheap, and clones share their limits. It must run within a tokio runtime.
///
/// ```
/// use http::Request;
/// use messenger_http::{Body, MessengerService};
/// use tower_service::Service as _;
///
/// # async fn example(messenger: messenger_core::Messenger) -> Result<(), Box<dyn std::error::Error>> {
/// let mut service = MessengerService::new(messenger);
/// let request = Request::get("/health/live").body(Body::default())?;
/// let response = service.call(request).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// # Dropped futures
///
/// When the future of an answer is dropped, as a server does when the client leaves, a read ends.
/// A send whose request was read goes on, in a task of its own; see [`drain`](Self::drain).
#[derive(Clone, Debug)]
pub struct MessengerService {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) messenger: Messenger,
    pub(crate) config: ServiceConfig,
    /// Sends, which outlive their requests.
    pub(crate) writes: TaskTracker,
    in_flight: InFlight,
    instruments: Arc<Instruments>,
    stopping: AtomicBool,
}

/// The answer to a request, to come.
type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl MessengerService {
    /// A service over this messenger, with the default limits.
    pub fn new(messenger: Messenger) -> Self {
        Self::with_config(messenger, ServiceConfig::default())
    }

    /// A service over this messenger, with limits of its own.
    pub fn with_config(messenger: Messenger, config: ServiceConfig) -> Self {
        let instruments = Arc::new(Instruments::default());
        Self {
            shared: Arc::new(Shared {
                messenger,
                in_flight: InFlight::new(config.max_in_flight, Arc::clone(&instruments)),
                instruments,
                config,
                writes: TaskTracker::new(),
                stopping: AtomicBool::new(false),
            }),
        }
    }

    /// From now on `/health/ready` says that the server is about to stop. Everything else is
    /// answered as before. [`serve`](crate::serve()) calls it by itself.
    pub fn begin_shutdown(&self) {
        self.shared.stopping.store(true, Ordering::Release);
    }

    /// Waits until no send is running whose client has left. Call it when no more requests come;
    /// [`serve`](crate::serve()) calls it by itself.
    pub async fn drain(&self) {
        self.shared.writes.close();
        self.shared.writes.wait().await;
    }

    /// How many sends are running.
    pub(crate) fn writes(&self) -> usize {
        self.shared.writes.len()
    }

    pub(crate) fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
    {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(shared.answer(request).await) })
    }
}

impl<B> Service<Request<B>> for MessengerService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        self.answer(request)
    }
}

impl Shared {
    async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
    {
        let mut measure = Measure::start(&self.instruments, request.method());
        let (parts, body) = request.into_parts();
        let id = RequestId::of(&parts.headers);
        let found = routes::find(&parts.method, parts.uri.path());
        let route = match found {
            Found::Route(route, _) => route.path,
            Found::OtherMethod(path, _) => path,
            Found::Nothing => NO_ROUTE,
        };
        measure.route(route);
        let span = tracing::info_span!(
            "request",
            method = parts.method.as_str(),
            route,
            request_id = id.as_str()
        );
        let dispatched = AssertUnwindSafe(self.dispatch(found, &parts, body)).catch_unwind();
        let result = dispatched
            .instrument(span.clone())
            .await
            .unwrap_or_else(|panic| Err(panicked(&*panic)));
        let _entered = span.entered();
        let response = finish(result, &parts.method, id);
        tracing::debug!(status = response.status().as_u16(), "answered");
        measure.answered(response.status());
        response
    }

    async fn dispatch<B>(
        &self,
        found: Found<'_>,
        parts: &Parts,
        body: B,
    ) -> Result<Response<Bytes>, Problem>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        let (route, params) = match found {
            Found::Route(route, params) => (route, params),
            Found::OtherMethod(_, allow) => return Err(Problem::method_not_allowed(allow)),
            Found::Nothing => return Err(Problem::new(Code::NotFound)),
        };
        let head = Head {
            route,
            params,
            parts,
        };
        let permit = match route.limited {
            true => Some(self.permit(route)?),
            false => None,
        };
        if route.call == Call::Send {
            return self.send(&head, body, permit).await;
        }
        let reading = self.read(&head);
        tokio::time::timeout(self.config.request_timeout, reading)
            .await
            .unwrap_or_else(|_| Err(not_in_time(route.call)))
    }

    fn permit(&self, route: &Route) -> Result<Permit, Problem> {
        self.in_flight.begin().ok_or_else(|| {
            metrics::shed(route.path);
            Problem::new(Code::Overloaded)
        })
    }

    /// The calls that only read.
    async fn read(&self, head: &Head<'_>) -> Result<Response<Bytes>, Problem> {
        let messenger = &self.messenger;
        match head.route.call {
            Call::History => messages::history(messenger, head).await,
            Call::HistoryBefore => messages::history_before(messenger, head).await,
            Call::Message => messages::message(messenger, head).await,
            Call::Inbox => conversations::inbox(messenger, head).await,
            Call::Conversation => conversations::conversation(messenger, head).await,
            Call::Ready => {
                head.query()?;
                health::ready(messenger, self.stopping.load(Ordering::Acquire)).await
            }
            call => {
                head.query()?;
                self.page(call, head)
            }
        }
    }

    /// The calls that ask no store.
    fn page(&self, call: Call, head: &Head<'_>) -> Result<Response<Bytes>, Problem> {
        match call {
            Call::Live => Ok(health::live()),
            Call::Metrics => metrics::page(self.config.metrics.as_ref()),
            Call::OpenApi => Ok(wire::with_type("application/json", openapi::document())),
            Call::Problem => problem::page(&head.text("code")?),
            #[cfg(feature = "docs")]
            Call::Docs => crate::docs::page(&head.parts.headers),
            #[cfg(feature = "docs")]
            Call::DocsFile => crate::docs::file(&head.text("file")?, &head.parts.headers),
            _ => Err(Problem::new(Code::NotFound)),
        }
    }

    async fn send<B>(
        &self,
        head: &Head<'_>,
        body: B,
        permit: Option<Permit>,
    ) -> Result<Response<Bytes>, Problem>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        head.query()?;
        let headers = &head.parts.headers;
        request::expect_json(headers)?;
        let key = request::idempotency_key(headers)?;
        let body = request::read_body(body, &self.config).await?;
        let message = wire::new_message(&body)?;
        messages::send(self, message, key, permit).await
    }
}

fn not_in_time(call: Call) -> Problem {
    if call == Call::Ready {
        return health::not_in_time();
    }
    Problem::from(Error::new(
        ErrorKind::Timeout,
        "reading took longer than request_timeout",
    ))
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Problem::from(Error::new(
        ErrorKind::Internal,
        format!("a handler panicked: {message}"),
    ))
}

/// Adds what every answer has.
fn finish(
    result: Result<Response<Bytes>, Problem>,
    method: &Method,
    id: RequestId,
) -> Response<Body> {
    let response = result.unwrap_or_else(|problem| {
        log(&problem);
        problem.into_response(id.as_str())
    });
    let (mut head, body) = response.into_parts();
    let headers = &mut head.headers;
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_REQUEST_ID, id.into_header());
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    if head.status != http::StatusCode::NOT_MODIFIED {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let body = if method == Method::HEAD {
        Body::default()
    } else {
        Body::from(body)
    };
    Response::from_parts(head, body)
}

fn log(problem: &Problem) {
    let code = problem.code().info().name;
    match (problem.code(), problem.cause()) {
        (Code::Internal, Some(cause)) => tracing::error!(code, cause = %Chain(cause)),
        (_, Some(cause)) => tracing::warn!(code, cause = %Chain(cause)),
        (_, None) => tracing::debug!(code),
    }
}

/// An error with its sources, in one line.
struct Chain<'a>(&'a dyn StdError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}
