//! The load tool against servers that keep, lose and refuse messages.

use std::io;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use messenger_core::Messenger;
use messenger_http::{Body, MessengerService};
use messenger_memory::MemoryStore;
use tokio::net::TcpListener;
use tower_service::Service as _;

/// The treatment of a request by a server.
enum Treatment {
    Keep,
    /// Acknowledged by the service of another store.
    Lose,
    /// Answered with this status.
    Refuse(StatusCode),
    /// The connection is closed without a response.
    Close,
}

/// Starts a server; `treat` sees each request, its number in the run and on its connection.
async fn serve(
    treat: impl Fn(&Request<Incoming>, u32, u32) -> Treatment + Send + Sync + 'static,
) -> SocketAddr {
    let service = || MessengerService::new(Messenger::new(MemoryStore::new()));
    let (store, elsewhere, treat) = (service(), service(), Arc::new(treat));
    let total = Arc::new(AtomicU32::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (store, elsewhere) = (store.clone(), elsewhere.clone());
            let (treat, total) = (Arc::clone(&treat), Arc::clone(&total));
            let on_connection = AtomicU32::new(0);
            let service = service_fn(move |request| {
                let number = total.fetch_add(1, Ordering::Relaxed);
                let own = on_connection.fetch_add(1, Ordering::Relaxed);
                let treatment = treat(&request, number, own);
                let (mut store, mut elsewhere) = (store.clone(), elsewhere.clone());
                async move {
                    let Ok(response) = match treatment {
                        Treatment::Keep => store.call(request).await,
                        Treatment::Lose => elsewhere.call(request).await,
                        Treatment::Refuse(status) => Ok(refusal(status)),
                        Treatment::Close => return Err(io::Error::other("closed")),
                    };
                    Ok(response)
                }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    address
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

async fn load(servers: &[SocketAddr]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    command.args(["--seconds", "1", "--workers", "3", "--verify"]);
    command.args(servers.iter().map(|address| format!("http://{address}")));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_everything_passes() {
    let server = serve(|_, _, _| Treatment::Keep).await;
    let (output, text) = load(&[server]).await;
    assert!(text.ends_with("0 repeated, 0 failed, 0 lost\n"), "{text}");
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_message_is_found() {
    let lost = AtomicU32::new(0);
    let server = serve(move |request, _, _| {
        if request.method() == Method::POST && lost.fetch_add(1, Ordering::Relaxed) == 20 {
            Treatment::Lose
        } else {
            Treatment::Keep
        }
    });
    let (output, text) = load(&[server.await]).await;
    assert!(text.ends_with("0 failed, 1 lost\n"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_request_is_reported() {
    let server = serve(|_, number, _| match number {
        20 => Treatment::Refuse(StatusCode::SERVICE_UNAVAILABLE),
        _ => Treatment::Keep,
    });
    let (output, text) = load(&[server.await]).await;
    assert!(text.ends_with("1 failed, 0 lost\n"), "{text}");
    let failure = String::from_utf8(output.stderr).unwrap();
    assert!(failure.contains("503 Service Unavailable"), "{failure}");
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_accepts_no_message_fails() {
    let server = serve(|_, _, _| Treatment::Refuse(StatusCode::NOT_FOUND)).await;
    let (output, _) = load(&[server]).await;
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_servers_that_are_ready_get_requests() {
    let ready = serve(|_, _, _| Treatment::Keep).await;
    let refuse = |_: &Request<Incoming>, _, _| Treatment::Refuse(StatusCode::SERVICE_UNAVAILABLE);
    let not_ready = serve(refuse).await;
    let (output, text) = load(&[not_ready, ready]).await;
    assert!(text.ends_with("0 failed, 0 lost\n"), "{text}");
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_a_connection_that_closes_is_repeated() {
    let server = serve(|_, _, on_connection| match on_connection {
        10 => Treatment::Close,
        _ => Treatment::Keep,
    });
    let (output, text) = load(&[server.await]).await;
    assert!(text.ends_with("0 failed, 0 lost\n"), "{text}");
    assert!(!text.contains(" 0 repeated"), "{text}");
    assert_eq!(output.status.code(), Some(0));
}
