//! The log: what is in it, and a log that cannot be written.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use http_body_util::{BodyExt as _, Full};
use messenger_core::{ErrorKind, Messenger, MessengerOptions};
use messenger_http::MessengerService;
use messenger_memory::MemoryStore;
use tower_service::Service as _;
use tracing::field::Field;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::auth::Nothing;
use crate::client::message;
use crate::faulty::{Fault, Faulty};
use crate::user;

/// A subscriber that sees the spans and events of this crate.
struct Observer {
    span: fn(&Attributes<'_>),
    event: fn(&Event<'_>),
}

impl Subscriber for Observer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("messenger_http")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        (self.span)(span);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        (self.event)(event);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn requests_are_answered_without_a_log() {
    let _broken = tracing::subscriber::set_default(Observer {
        span: |_| {},
        event: |_| panic!("the log cannot be written"),
    });
    let store = Faulty::new().reads(Fault::Fail(ErrorKind::Unavailable, None));
    let service = MessengerService::new(store.messenger());
    let request = |method: &str, path: &str, body: String| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "test")
            .header("content-type", "application/json")
            .body(Full::<bytes::Bytes>::from(body))
            .unwrap()
    };
    let inbox = format!("/api/conversations/user/{}", user());
    for (method, path, body, status) in [
        ("GET", "/health/live", String::new(), 200),
        (
            "POST",
            "/api/messages/",
            message(&user(), &user(), "x"),
            201,
        ),
        // A failing store is logged as a warning.
        ("GET", "/health/ready", String::new(), 503),
        ("GET", &inbox, String::new(), 503),
    ] {
        let Ok(response) = service.clone().call(request(method, path, body)).await;
        assert_eq!(response.status(), status, "{path}");
        assert!(response.headers().contains_key("x-request-id"));
        assert!(response.into_body().collect().await.is_ok());
    }
}

#[tokio::test]
async fn a_long_method_does_not_fill_the_log() {
    /// The length of the longest value of any field of a span.
    static LONGEST: AtomicUsize = AtomicUsize::new(0);
    let _observed = tracing::subscriber::set_default(Observer {
        span: |span| {
            span.record(&mut |_: &Field, value: &dyn std::fmt::Debug| {
                LONGEST.fetch_max(format!("{value:?}").len(), Ordering::Relaxed);
            });
        },
        event: |_| {},
    });
    let service = MessengerService::new(Faulty::new().messenger());
    let request = Request::builder()
        .method(&*"M".repeat(10_000))
        .uri("/health/live")
        .header("host", "test")
        .body(Full::<bytes::Bytes>::default())
        .unwrap();
    let Ok(response) = service.clone().call(request).await;
    assert_eq!(response.status(), 405);
    let longest = LONGEST.load(Ordering::Relaxed);
    assert!((10..100).contains(&longest), "{longest}");
}

/// A policy that denies is at work, and nobody has to look into it. One that fails is another matter.
#[tokio::test]
async fn a_write_that_a_policy_denies_is_no_warning() {
    /// The number of warnings and errors.
    static WARNINGS: AtomicUsize = AtomicUsize::new(0);
    let _observed = tracing::subscriber::set_default(Observer {
        span: |_| {},
        event: |event| {
            if *event.metadata().level() <= Level::WARN {
                WARNINGS.fetch_add(1, Ordering::Relaxed);
            }
        },
    });
    let options = MessengerOptions::new().with_policy(Nothing);
    let service = MessengerService::new(Messenger::with_options(MemoryStore::new(), options));
    for (content, status, warnings) in [("x", 403, 0), ("fail", 503, 1)] {
        let request = Request::post("/api/messages/")
            .header("host", "test")
            .header("content-type", "application/json")
            .body(Full::<bytes::Bytes>::from(message(
                &user(),
                &user(),
                content,
            )))
            .unwrap();
        let Ok(response) = service.clone().call(request).await;
        assert_eq!(response.status(), status);
        assert_eq!(WARNINGS.load(Ordering::Relaxed), warnings, "{content}");
    }
}
