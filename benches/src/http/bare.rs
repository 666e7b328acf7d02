//! The baseline: hyper returning the same bytes for every request.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::client::Response;
use super::server::ServerThread;

type HyperResponse = http::Response<Full<Bytes>>;

/// Starts a server that returns this response.
pub(super) async fn start(response: &Response) -> Result<ServerThread> {
    let response = Arc::new(parse(response)?);
    ServerThread::spawn("bare-server", |listener, stop| async move {
        tokio::select! {
            () = accept(listener, response) => {}
            _ = stop => {}
        }
    })
    .await
}

/// Converts a response for hyper, without the date, which hyper writes itself.
fn parse(response: &Response) -> Result<HyperResponse> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    head.parse(response.head().as_bytes())?;
    let mut parsed = HyperResponse::new(Full::from(response.body().to_vec()));
    *parsed.status_mut() = head.code.context("no status")?.try_into()?;
    for line in head.headers {
        let name = HeaderName::try_from(line.name)?;
        if name != header::DATE {
            let value = HeaderValue::from_bytes(line.value)?;
            parsed.headers_mut().append(name, value);
        }
    }
    Ok(parsed)
}

async fn accept(listener: TcpListener, response: Arc<HyperResponse>) {
    // An error ends the server, and thereby the measurement.
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&response)));
    }
}

async fn serve(stream: TcpStream, response: Arc<HyperResponse>) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = HyperResponse::clone(&response);
        async move {
            // Reads and drops the body.
            let _ = request.into_body().collect().await;
            Ok::<_, Infallible>(response)
        }
    });
    // As the messenger does; without it responses are only slower.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that leaves is not an error here.
    let _ = connection.await;
}
