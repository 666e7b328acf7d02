//! The server: connections, their limits, and a stop that loses nothing.
//!
//! It speaks HTTP/1.1 and 1.0. There is no HTTP/2, which would need limits of its own; a proxy in
//! front that speaks it needs none behind.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep};
use tokio_util::task::TaskTracker;

use crate::config::ServerConfig;
use crate::metrics;
use crate::{Body, MessengerService};

/// How a server ended: what was cut off when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that were cut off while a request was in flight.
    pub connections_cut: usize,
    /// Sends that were still running. They go on as long as the runtime does.
    pub sends_left: usize,
}

impl Drained {
    /// Whether every request was answered and every send has ended.
    pub fn is_complete(self) -> bool {
        self.connections_cut == 0 && self.sends_left == 0
    }
}

/// What connections are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Answer the request in flight, then close.
    Draining,
    /// Close now.
    Cut,
}

/// Serves the service on the listener, until `shutdown` is ready and everything in flight has
/// ended.
///
/// When `shutdown` is ready, `/health/ready` says 503; after
/// [`shutdown_delay`](ServerConfig::shutdown_delay) the listener is closed, idle connections are
/// closed, and requests in flight, and sends whose clients have left, have
/// [`shutdown_timeout`](ServerConfig::shutdown_timeout) to end.
///
/// No error of a connection, and no lack of sockets, ends it.
///
/// # Cancel safety
///
/// When the future is dropped, the listener and all connections are closed at once. Sends that are
/// running go on as long as the runtime does.
pub async fn serve(
    listener: TcpListener,
    service: MessengerService,
    config: ServerConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Drained {
    let (phase, connections) = (watch::Sender::new(Phase::Running), TaskTracker::new());
    let server = Server {
        builder: builder(&config),
        permits: Arc::new(Semaphore::new(config.max_connections)),
        service: service.clone(),
        write_timeout: config.write_timeout,
        connections: connections.clone(),
        phase: phase.subscribe(),
    };
    let stop = async {
        shutdown.await;
        tracing::info!("stopping");
        service.begin_shutdown();
        tokio::time::sleep(config.shutdown_delay).await;
    };
    // Should this future be dropped, the sender is too, and connections end.
    tokio::select! {
        () = server.accept(Tcp(listener)) => {}
        () = stop => {}
    }
    phase.send_replace(Phase::Draining);
    connections.close();
    let ended = async {
        connections.wait().await;
        service.drain().await;
    };
    let in_time = tokio::time::timeout(config.shutdown_timeout, ended).await;
    let drained = Drained {
        connections_cut: connections.len(),
        sends_left: service.writes(),
    };
    if in_time.is_err() {
        tracing::warn!(?drained, "not everything ended in time");
        phase.send_replace(Phase::Cut);
        connections.wait().await;
    }
    drained
}

fn builder(config: &ServerConfig) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_header_size(config.max_header_size);
    builder
}

/// Where connections come from. Tests make other ones.
trait Accept: Send {
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

struct Tcp(TcpListener);

impl Accept for Tcp {
    type Io = tokio::net::TcpStream;

    async fn accept(&mut self) -> io::Result<Self::Io> {
        let (stream, _) = self.0.accept().await?;
        // Answers are written in one piece: waiting for more only delays them. Where that cannot be
        // set, they are only slower.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

struct Server {
    builder: http1::Builder,
    service: MessengerService,
    permits: Arc<Semaphore>,
    write_timeout: Duration,
    connections: TaskTracker,
    phase: watch::Receiver<Phase>,
}

impl Server {
    /// Accepts connections for ever.
    async fn accept(&self, mut listener: impl Accept) {
        let mut backoff = Backoff::default();
        // The semaphore is never closed.
        while let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
            match listener.accept().await {
                Ok(io) => {
                    backoff = Backoff::default();
                    self.spawn(io, permit);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    metrics::accept_error();
                    tracing::warn!(%error, "no connection can be accepted for now");
                    backoff.wait().await;
                }
            }
        }
    }

    fn spawn<I>(&self, io: I, permit: OwnedSemaphorePermit)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(Patient::new(io, self.write_timeout));
        let service = Calls(self.service.clone());
        let connection = self.builder.serve_connection(io, service);
        let phase = self.phase.clone();
        self.connections.spawn(async move {
            let _open = Open::new(permit);
            if let Err(error) = drive(connection, phase).await {
                // Clients leave, and send what is not HTTP: nothing for those who run the server.
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
}

/// A connection that is open, for limit and gauge.
struct Open(#[expect(dead_code, reason = "held until the connection ends")] OwnedSemaphorePermit);

impl Open {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        metrics::connections(1.0);
        Self(permit)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::connections(-1.0);
    }
}

/// Runs a connection to its end, as the phases tell.
async fn drive<I>(
    connection: http1::Connection<I, Calls>,
    mut phase: watch::Receiver<Phase>,
) -> hyper::Result<()>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let mut connection = pin!(connection);
    loop {
        let now = *phase.borrow_and_update();
        match now {
            Phase::Running => {}
            Phase::Draining => connection.as_mut().graceful_shutdown(),
            Phase::Cut => return Ok(()),
        }
        tokio::select! {
            ended = connection.as_mut() => return ended,
            changed = phase.changed() => if changed.is_err() {
                // The future of `serve` was dropped.
                return Ok(());
            },
        }
    }
}

/// The service as hyper calls it, without the readiness and the clone of tower's.
struct Calls(MessengerService);

impl hyper::service::Service<Request<Incoming>> for Calls {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = <MessengerService as tower_service::Service<Request<Incoming>>>::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.0.answer(request)
    }
}

/// Whether accepting failed because of the one client, so that the next one can come at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Waits while the system is out of sockets, longer each time.
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(5))
    }
}

impl Backoff {
    const MAX: Duration = Duration::from_secs(1);

    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Self::MAX);
    }
}

/// A stream with an end to its patience: a client that has to read must read.
///
/// The time runs from when something cannot be written, until all is written; every
/// [`Patient::ENOUGH`] bytes begin it anew.
struct Patient<I> {
    io: I,
    timeout: Duration,
    /// Runs while `waiting` is set. Kept for the next time.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    written: usize,
}

impl<I> Patient<I> {
    /// How much a client must read within the time: fast enough for any that is really there.
    const ENOUGH: usize = 64 * 1024;

    fn new(io: I, timeout: Duration) -> Self {
        Self {
            io,
            timeout,
            timer: None,
            waiting: false,
            written: 0,
        }
    }

    fn begin(&mut self) {
        self.waiting = true;
        self.written = 0;
        let deadline = Instant::now() + self.timeout;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(deadline),
            None => self.timer = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    /// What becomes of a write, given what the stream says.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Ready(Ok(len)) => {
                self.written += len;
                if self.waiting && self.written >= Self::ENOUGH {
                    self.begin();
                }
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                if !self.waiting {
                    self.begin();
                }
                if let Some(timer) = &mut self.timer {
                    ready!(timer.as_mut().poll(cx));
                }
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Patient<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Patient<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write(cx, buffer);
        self.watch(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, buffers);
        self.watch(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// Comes when all is written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.waiting = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use messenger_core::Messenger;
    use messenger_memory::MemoryStore;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    /// Fails as the system does when it is out of sockets, as often as told, and then connects.
    struct Exhausted {
        failures: usize,
        then: Option<DuplexStream>,
    }

    impl Accept for Exhausted {
        type Io = DuplexStream;

        async fn accept(&mut self) -> io::Result<DuplexStream> {
            if self.failures > 0 {
                self.failures -= 1;
                const EMFILE: i32 = 24;
                return Err(io::Error::from_raw_os_error(EMFILE));
            }
            match self.then.take() {
                Some(stream) => Ok(stream),
                None => std::future::pending().await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lack_of_sockets_is_waited_out() {
        let config = ServerConfig::default();
        let phase = watch::Sender::new(Phase::Running);
        let server = Server {
            builder: builder(&config),
            permits: Arc::new(Semaphore::new(1)),
            service: MessengerService::new(Messenger::new(MemoryStore::new())),
            write_timeout: config.write_timeout,
            connections: TaskTracker::new(),
            phase: phase.subscribe(),
        };
        let (mut client, stream) = tokio::io::duplex(4096);
        let listener = Exhausted {
            failures: 20,
            then: Some(stream),
        };
        let start = Instant::now();
        let request = async {
            let request = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            client.write_all(request).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        };
        tokio::select! {
            () = server.accept(listener) => unreachable!("it accepts for ever"),
            () = request => {}
        }
        // Twice as long each time, from 5 ms to a second.
        let waited = start.elapsed();
        assert!(waited > Duration::from_secs(10), "{waited:?}");
        assert!(waited < Duration::from_secs(20), "{waited:?}");
    }
}
