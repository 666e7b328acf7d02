//! The request pipeline: id, metrics, host, routing, body, limits, handler, panic guard.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use messenger_core::{Error, ErrorKind, Messenger};
use tower_service::Service;
use tracing::Instrument as _;

use crate::answer::{Answer, Asset, Body, Chain, Code, Problem};
use crate::auth::{Access, Caller};
use crate::calls::{CALLS, ROUTER};
use crate::config::ServiceConfig;
use crate::cors::Cors;
use crate::limits::{HeldBytes, Limits};
use crate::metrics::{self, Instruments, Measure, NO_ROUTE, Shed};
use crate::openapi;
use crate::request::{self, PathParams, Query, RequestBody, RequestId, X_REQUEST_ID};
use crate::route::{Call, Found};
use crate::state::{Document, State, panicked};

/// The calls of the messenger as a [`tower::Service`](tower_service::Service), for requests with
/// any body.
///
/// It is always ready and never fails: errors are answers, too, and so is a panic of the store.
/// Cloning is cheap, and clones share their limits. It must run within a tokio runtime.
///
/// ```
/// use http::Request;
/// use messenger_http::{Body, MessengerService};
/// use tower_service::Service as _;
///
/// # async fn example(messenger: messenger_core::Messenger) -> Result<(), Box<dyn std::error::Error>> {
/// let mut service = MessengerService::new(messenger);
/// let request = Request::get("/health/live")
///     .header("host", "localhost")
///     .body(Body::default())?;
/// let response = service.call(request).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// # Dropped futures
///
/// When the future of an answer is dropped, as a server does when the client leaves, a read ends. A
/// write whose request was read goes on in a task of its own; see [`drain`](Self::drain).
#[derive(Clone, Debug)]
pub struct MessengerService {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: State,
    instruments: Arc<Instruments>,
}

/// The future of an answer.
type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// The part of an answer that the pipeline itself adds.
#[derive(Debug, Default)]
struct Held(Option<HeldBytes>);

impl MessengerService {
    /// Creates a service over this messenger with the default settings.
    pub fn new(messenger: Messenger) -> Self {
        Self::with_config(messenger, ServiceConfig::default())
    }

    /// Creates a service over this messenger.
    pub fn with_config(messenger: Messenger, config: ServiceConfig) -> Self {
        let instruments = Arc::new(instruments());
        let limits = Limits::new(
            config.max_in_flight,
            config.max_response_bytes,
            config.max_followers,
            Arc::clone(&instruments),
        );
        let base = config.base_path.clone();
        let is_authenticated = matches!(config.access, Access::Authenticated(_));
        let document = Document::new(move || {
            let document = openapi::document(base.as_str(), is_authenticated);
            Asset::new("application/json", document)
        });
        let state = State::new(messenger, config, limits, document);
        Self {
            shared: Arc::new(Shared { state, instruments }),
        }
    }

    /// Makes `/health/ready` say that the server is stopping, and ends all streams of events, whose
    /// clients connect again elsewhere. Everything else is answered as before.
    /// [`serve`](crate::serve()) calls it.
    pub fn begin_shutdown(&self) {
        self.shared.state.stop();
    }

    /// Waits for all writes whose client has left. Call it when no more requests come;
    /// [`serve`](crate::serve()) calls it.
    pub async fn drain(&self) {
        self.shared.state.writes.close();
        self.shared.state.writes.wait().await;
    }

    /// Returns the number of writes that are running.
    pub(crate) fn writes(&self) -> usize {
        self.shared.state.writes.len()
    }

    pub(crate) fn answer<B>(&self, request: Request<B>) -> Answering
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
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        self.answer(request)
    }
}

fn instruments() -> Instruments {
    let of_success = CALLS.iter().map(|call| call.success.status);
    let of_problems = Code::ALL.iter().map(|code| code.info().status);
    let mut statuses: Vec<_> = of_success
        .chain([StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED])
        .chain(of_problems)
        .collect();
    statuses.sort_unstable();
    statuses.dedup();
    Instruments::new(CALLS.iter().map(|call| call.labels()).collect(), statuses)
}

impl Shared {
    async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
    {
        let (parts, body) = request.into_parts();
        let id = RequestId::of(&parts.headers);
        let body = pin!(body);
        let guarded = AssertUnwindSafe(self.measured(&parts, body, id.clone()));
        // A handler that panics is caught below, so this is a defect of the pipeline, or a log that
        // cannot be written.
        guarded.catch_unwind().await.unwrap_or_else(|panic| {
            let problem = Problem::from(panicked(&*panic));
            let answer = problem.into_answer(self.state.base(), id.as_str());
            finish(answer, None, &parts.method, id)
        })
    }

    async fn measured<B>(&self, parts: &Parts, body: Pin<&mut B>, id: RequestId) -> Response<Body>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        let mut measure = Measure::start(&self.instruments, &parts.method);
        let path = request::normalize(parts.uri.path());
        let found = self.find(&parts.method, &path);
        let route = match found {
            Found::Call(call, _) => call.path,
            Found::OtherMethod { route, .. } => route,
            Found::Nothing => NO_ROUTE,
        };
        measure.route(route);
        let method = parts.method.as_str();
        let span = tracing::info_span!(
            "request",
            // A client may invent a method of any length.
            method = &method[..method.len().min(16)],
            route,
            request_id = id.as_str(),
            user = tracing::field::Empty
        );
        let mut body = RequestBody::new(body, &parts.headers);
        let cors = Cors::of(&parts.headers, &self.state.config.cors_origins);
        let handling = AssertUnwindSafe(self.handle(found, parts, &mut body, &cors));
        let result = handling
            .catch_unwind()
            .instrument(span.clone())
            .await
            .unwrap_or_else(|panic| Err(panicked(&*panic).into()));
        let (answer, held) = result.unwrap_or_else(|problem| {
            span.in_scope(|| log(&problem));
            let answer = problem.into_answer(self.state.base(), id.as_str());
            (answer, Held::default())
        });
        let config = &self.state.config;
        let is_read = body.drain(config.max_body_size, config.body_timeout).await;
        let mut response = finish(answer, held.0, &parts.method, id);
        cors.apply(response.headers_mut());
        if !is_read && parts.version < Version::HTTP_2 {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        let status = response.status();
        span.in_scope(|| quietly(|| tracing::debug!(status = status.as_u16(), "answered")));
        measure.answered(status);
        response
    }

    /// Looks a request up, with and without the path under which the service is mounted.
    ///
    /// A path that begins with the base path may be the path of a call itself, if a router has removed
    /// the base path already: under `/chat`, `/chat/docs` is `/docs`, `/chat/chat.js` is a file of the
    /// chat page, and `/chat/` is the chat page, to which the root leads anyway.
    fn find<'a>(&self, method: &Method, path: &'a str) -> Found<'a> {
        let as_it_is = ROUTER.find(method, path);
        let base = self.state.base();
        let rest = match path.strip_prefix(base) {
            _ if base.is_empty() => return as_it_is,
            Some("" | "/") if !matches!(as_it_is, Found::Nothing) => return as_it_is,
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => return as_it_is,
        };
        match ROUTER.find(method, rest) {
            Found::Nothing => as_it_is,
            found => found,
        }
    }

    async fn handle<B>(
        &self,
        found: Found<'_>,
        parts: &Parts,
        body: &mut RequestBody<'_, B>,
        cors: &Cors,
    ) -> Result<(Answer, Held), Problem>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        let (state, config) = (&self.state, &self.state.config);
        if !body.has_ended() {
            request::check_transfer_encoding(&parts.headers).inspect_err(|_| body.abandon())?;
        }
        let is_operation = matches!(found, Found::Call(call, _) if !call.is_limited());
        let allowed_hosts = config.allowed_hosts.as_deref().filter(|_| !is_operation);
        request::check_host(parts, allowed_hosts)?;
        let (call, params) = match found {
            Found::Call(call, params) => (call, params),
            Found::OtherMethod { allow, .. } => return self.other_method(parts, allow, cors),
            Found::Nothing => return Err(self.not_found()),
        };
        let caller = self.caller(call, parts).await?;
        let query = Query::parse(parts.uri.query().unwrap_or_default(), call.query)?;
        let bytes = match call.body {
            Some(_) => {
                request::expect_json(&parts.headers)?;
                body.read(config.max_body_size, config.body_timeout).await?
            }
            None => Bytes::new(),
        };
        let mut request = request::Request {
            state,
            route: call.path,
            caller,
            path: PathParams(params),
            query,
            headers: &parts.headers,
            body: bytes,
            in_flight: None,
        };
        // Only now does the request count: clients that send slowly must not shut others out.
        if call.is_limited() {
            request.begin()?;
        }
        match call.is_write() {
            true => self.write(call, request).await,
            false => self.read(call, request, &parts.method).await,
        }
    }

    /// Authenticates a request before reading anything else of it.
    async fn caller(&self, call: &Call, parts: &Parts) -> Result<Caller, Problem> {
        let (state, config) = (&self.state, &self.state.config);
        if !call.is_api() {
            return Ok(Caller::Trusted(state.messenger.clone()));
        }
        let time = config.request_timeout;
        let caller = Caller::of(parts, &config.access, &state.messenger, time).await?;
        if let Some(user) = caller.user() {
            quietly(|| {
                tracing::Span::current().record("user", user.as_str());
            });
            state.rates.check(user, call.is_write()).map_err(|wait| {
                metrics::shed(call.path, Shed::User);
                // Rounded up: the time after which a request is not refused.
                let seconds = HeaderValue::from(wait.as_secs() + 1);
                Problem::new(Code::TooManyRequests).with_header(header::RETRY_AFTER, seconds)
            })?;
        }
        Ok(caller)
    }

    async fn read(
        &self,
        call: &Call,
        request: request::Request<'_>,
        method: &Method,
    ) -> Result<(Answer, Held), Problem> {
        // A request that waits for a change takes that much longer.
        let time = self.state.config.request_timeout + request.query.wait.unwrap_or_default();
        let handling = (call.handler)(request);
        if !call.is_limited() {
            return Ok((handling.await?, Held::default()));
        }
        let answer = tokio::time::timeout(time, handling)
            .await
            .unwrap_or_else(|_| Err(not_in_time()))?;
        let held = answer.body().held();
        if held == 0 || method == Method::HEAD {
            return Ok((answer, Held::default()));
        }
        let held = request::or_shed(call.path, Shed::Bytes, self.state.limits.hold(held))?;
        Ok((answer, Held(Some(held))))
    }

    /// A write that was made cannot be refused any more, so the bytes of its answer are counted
    /// before: the answer repeats the body at most.
    async fn write(
        &self,
        call: &Call,
        request: request::Request<'_>,
    ) -> Result<(Answer, Held), Problem> {
        const BESIDES_BODY: usize = 2 * 1024;
        let bytes = BESIDES_BODY + request.body.len();
        let held = request::or_shed(call.path, Shed::Bytes, self.state.limits.hold(bytes))?;
        let answer = (call.handler)(request).await?;
        Ok((answer, Held(Some(held))))
    }

    fn other_method(
        &self,
        parts: &Parts,
        allow: &HeaderValue,
        cors: &Cors,
    ) -> Result<(Answer, Held), Problem> {
        match cors.preflight(parts, allow) {
            Some(answer) => Ok((answer, Held::default())),
            None => {
                Err(Problem::new(Code::MethodNotAllowed).with_header(header::ALLOW, allow.clone()))
            }
        }
    }

    fn not_found(&self) -> Problem {
        let base = self.state.base();
        let mut detail = format!("See {base}/openapi.json for the list of calls.");
        if cfg!(feature = "docs") {
            detail = format!("See {base}/docs or {base}/openapi.json for the list of calls.");
        }
        Problem::with_detail(Code::NotFound, detail)
    }
}

fn not_in_time() -> Problem {
    Problem::from(Error::new(
        ErrorKind::Timeout,
        "reading took longer than request_timeout",
    ))
}

/// Adds what all answers have in common.
fn finish(
    answer: Answer,
    held: Option<HeldBytes>,
    method: &Method,
    id: RequestId,
) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    let headers = &mut head.headers;
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_REQUEST_ID, id.into_header());
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    let has_length = !matches!(
        head.status,
        StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT
    );
    if let Some(length) = body.len().filter(|_| has_length) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let body = match *method {
        Method::HEAD => Body::default(),
        _ => body.into_body(held),
    };
    Response::from_parts(head, body)
}

fn log(problem: &Problem) {
    let code = problem.code().info().name;
    quietly(|| match (problem.code(), problem.cause()) {
        (Code::Internal, Some(cause)) => tracing::error!(code, cause = %Chain(cause)),
        (_, Some(cause)) => tracing::warn!(code, cause = %Chain(cause)),
        (_, None) => tracing::debug!(code),
    });
}

/// Writes to the log. A subscriber may panic, for instance when its output is gone: then the line is
/// lost, and nothing else.
fn quietly(write: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(write));
}
