//! The listener: accepts connections, and waits while the system has no sockets left.

use std::io;

use tokio::net::{TcpListener, TcpStream};

use super::backoff::Backoff;
use super::byte_stream::Socket;
use crate::metrics;

/// A source of connections.
pub(super) trait Listener: Send {
    type Socket: Socket;

    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Socket>> + Send;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = Self::accept(self).await?;
        without_delay(&stream);
        Ok(stream)
    }
}

/// Answers are written in one piece, so waiting for more to send only delays them.
fn without_delay(stream: &TcpStream) {
    // On failure the answers are slower, and that is all.
    let _ = stream.set_nodelay(true);
}

/// Accepts the next connection. Errors are logged and waited out.
pub(super) async fn accept<L: Listener>(listener: &mut L) -> L::Socket {
    let mut backoff = Backoff::default();
    loop {
        match listener.accept().await {
            Ok(socket) => return socket,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                metrics::accept_error();
                tracing::warn!(%error, "cannot accept connections at the moment");
                backoff.wait().await;
            }
        }
    }
}

/// Closes the listener and returns the connections that the system had already accepted. Their
/// clients may have sent a request, which closing the listener alone would lose.
pub(super) fn close(listener: TcpListener) -> Vec<TcpStream> {
    let Ok(listener) = listener.into_std() else {
        return Vec::new();
    };
    // The listener does not block, so this ends when none is left.
    std::iter::from_fn(|| listener.accept().ok())
        .take(MAX_BACKLOG)
        .filter_map(|(stream, _)| TcpStream::from_std(non_blocking(stream)?).ok())
        .inspect(without_delay)
        .collect()
}

/// The length of the system's queue that tokio asks for.
const MAX_BACKLOG: usize = 1024;

fn non_blocking(stream: std::net::TcpStream) -> Option<std::net::TcpStream> {
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// Returns `true` if accepting failed because of one client, so that the next one can come at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
