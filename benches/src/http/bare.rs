//! The baseline: hyper that answers every request with the same bytes.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::client::Answer;
use super::thread::ServerThread;

/// A server that gives this answer.
pub(super) fn start(answer: &Answer) -> Result<ServerThread> {
    let response = Arc::new(response(answer)?);
    ServerThread::spawn("bare-server", |listener, stop| async move {
        tokio::select! {
            () = accept(listener, response) => {}
            _ = stop => {}
        }
    })
}

/// The answer as hyper takes it. It writes the date by itself.
fn response(answer: &Answer) -> Result<Response<Full<Bytes>>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    head.parse(answer.head().as_bytes())?;
    let mut response = Response::new(Full::from(answer.body().to_vec()));
    *response.status_mut() = head.code.context("no status")?.try_into()?;
    for line in head.headers {
        let name = HeaderName::try_from(line.name)?;
        if name != header::DATE {
            let value = HeaderValue::from_bytes(line.value)?;
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

async fn accept(listener: TcpListener, response: Arc<Response<Full<Bytes>>>) {
    // An error ends the server, and with it the measurement.
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&response)));
    }
}

async fn serve(stream: TcpStream, response: Arc<Response<Full<Bytes>>>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let response = Response::clone(&response);
        async move {
            // What was sent is read, and thrown away.
            let _ = request.into_body().collect().await;
            Ok::<_, Infallible>(response)
        }
    });
    // As the messenger does; where it cannot be set, answers are only slower.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    // Clients leave: that is no error here.
    let _ = connection.await;
}
