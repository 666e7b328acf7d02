//! The service as hyper calls it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::{Activity, State};
use crate::{Body, MessengerService};

/// The calls that a listener answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    /// Health and metrics.
    Operations,
}

impl Scope {
    fn contains(self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Operations => {
                let path = path.strip_suffix('/').unwrap_or(path);
                matches!(path, "/health/live" | "/health/ready" | "/metrics")
            }
        }
    }
}

/// The service on one connection. It notes when a request begins and when its answer ends.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) service: MessengerService,
    pub(super) scope: Scope,
    pub(super) activity: Arc<Activity>,
}

/// The future of an answer of the service.
type Answer = <MessengerService as tower_service::Service<Request<Arriving>>>::Future;

impl hyper::service::Service<Request<Incoming>> for Calls {
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let request = request.map(|body| Arriving::new(body, Arc::clone(&self.activity)));
        let answer = if self.scope.contains(request.uri().path()) {
            self.service.answer(request)
        } else {
            Box::pin(std::future::ready(Ok(not_found())))
        };
        Answering {
            answer,
            activity: Arc::clone(&self.activity),
        }
    }
}

fn not_found() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The body of a request. It notes when all of it has arrived.
#[derive(Debug)]
struct Arriving {
    body: Incoming,
    activity: Arc<Activity>,
}

impl Arriving {
    fn new(body: Incoming, activity: Arc<Activity>) -> Self {
        activity.enter(match body.is_end_stream() {
            true => State::Busy,
            false => State::Body,
        });
        Self { body, activity }
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let has_ended = frame.is_none() || self.body.is_end_stream();
        if has_ended && self.activity.state() == State::Body {
            self.activity.enter(State::Busy);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The future of an answer on a connection.
pub(super) struct Answering {
    answer: Answer,
    activity: Arc<Activity>,
}

impl Future for Answering {
    type Output = Result<Response<Tracked>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ok(response) = ready!(self.answer.as_mut().poll(cx));
        if response.body().is_stream() {
            self.activity.enter(State::Streaming);
        }
        let mut response = response.map(|body| Tracked {
            body,
            activity: Arc::clone(&self.activity),
        });
        if self.activity.closes_after_answer() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Poll::Ready(Ok(response))
    }
}

/// The body of an answer. hyper drops it when it has the last of it.
#[derive(Debug)]
pub(super) struct Tracked {
    body: Body,
    activity: Arc<Activity>,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.activity.enter(State::Answered);
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
