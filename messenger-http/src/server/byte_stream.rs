//! The byte stream of a connection, as hyper reads and writes it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::activity::{Activity, State};
use super::write_timeout::WriteTimeout;

/// A socket.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Waits until bytes, the end of the stream or an error has arrived, and leaves it there to be
    /// read.
    fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>>;
}

/// The next thing that a client has sent after its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Bytes,
    End,
}

impl Socket for TcpStream {
    fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        let mut byte = [0];
        self.poll_peek(cx, &mut ReadBuf::new(&mut byte))
            .map_ok(|length| match length {
                0 => Arrival::End,
                _ => Arrival::Bytes,
            })
    }
}

/// A stream that notes what happens on it, and adds what hyper does not have: a write timeout,
/// clients that have gone while their request is handled, and a close that does not destroy the
/// answer before it.
#[derive(Debug)]
pub(super) struct ByteStream<S> {
    socket: S,
    activity: Arc<Activity>,
    write_timeout: WriteTimeout,
    /// The first thing that has arrived and that hyper has not read yet.
    arrived: Option<Arrival>,
    /// The client has sent its last byte.
    ended: bool,
    /// The bytes dropped since our side was closed.
    dropped: usize,
}

/// The bytes that are read and dropped after our side was closed.
const MAX_DROPPED: usize = 16 * 1024 * 1024;

impl<S: Socket> ByteStream<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>, write_timeout: Duration) -> Self {
        Self {
            socket,
            activity,
            write_timeout: WriteTimeout::new(write_timeout),
            arrived: None,
            ended: false,
            dropped: 0,
        }
    }

    /// Fails if the client has reset the connection.
    ///
    /// While a request is handled hyper does not read, because a client may close its writing side
    /// after the request and wait for the answer (RFC 9112, section 9.6). So a reset would not be
    /// noticed, and the work would be done for nobody.
    fn check_reset(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.arrived.is_none()
            && !self.ended
            && let Poll::Ready(arrived) = self.socket.poll_arrival(cx)
        {
            self.arrived = Some(arrived?);
        }
        Ok(())
    }

    /// Fails if the client has reset the connection or closed its writing side.
    ///
    /// A stream of events does not end by itself, so a client that closes its side has left, and its
    /// place is freed.
    fn check_left(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.check_reset(cx)?;
        if self.ended || self.arrived == Some(Arrival::End) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Reads and drops what the client still sends, until it closes its side too.
    ///
    /// A socket that is closed while it holds unread bytes resets the connection. That can destroy
    /// the answer before the client has read it, for example a 413 while it still sends the body.
    fn poll_drop_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = [0; 16 * 1024];
        while !self.ended && self.dropped < MAX_DROPPED {
            let mut buffer = ReadBuf::new(&mut buffer);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer))?;
            self.ended = buffer.filled().is_empty();
            self.dropped += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncRead for ByteStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        self.arrived = None;
        if buffer.filled().len() == before {
            self.ended = true;
        } else if self.activity.state() == State::Idle {
            self.activity.enter(State::Head);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncWrite for ByteStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(cx, buffer);
        self.write_timeout.after_write(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, buffers);
        self.write_timeout.after_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper calls it whenever it was woken and has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.write_timeout.after_flush();
        match self.activity.state() {
            State::Answered => self.activity.enter(State::Idle),
            State::Busy => self.check_reset(cx)?,
            State::Streaming => self.check_left(cx)?,
            State::Idle | State::Head | State::Body | State::Closing => {}
        }
        Poll::Ready(Ok(()))
    }

    /// Closes in stages (RFC 9112, section 9.6): first the writing side, then the rest.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.activity.state() != State::Closing {
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
            self.activity.enter(State::Closing);
        }
        self.poll_drop_rest(cx)
    }
}
