//! One connection that is kept open, with one request at a time on it.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

use super::target::Target;

/// A connection to the server: opened when it is first needed, and again when it was closed.
#[derive(Debug)]
pub(super) struct Connection {
    target: Target,
    source: Option<Ipv4Addr>,
    sender: Option<Sender>,
}

/// The connection is closed when this is dropped.
type Sender = SendRequest<Full<Bytes>>;

/// What the server answered, all of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// The status and the beginning of the body, for messages.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 300;
        let beginning = &self.body[..self.body.len().min(SHOWN)];
        let text = String::from_utf8_lossy(beginning);
        write!(f, "status {}: {text}", self.status.as_u16())
    }
}

impl Connection {
    /// A connection that is not open yet.
    pub(super) fn new(target: &Target) -> Self {
        Self {
            target: target.clone(),
            source: None,
            sender: None,
        }
    }

    /// The same, from this address of the machine.
    pub(super) fn with_source(mut self, source: Ipv4Addr) -> Self {
        self.source = Some(source);
        self
    }

    /// The server it leads to.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Whether it is open, as far as this side knows.
    pub(super) fn is_open(&self) -> bool {
        self.sender
            .as_ref()
            .is_some_and(|sender| !sender.is_closed())
    }

    /// Reads what is under this path, which may take so long.
    pub(super) async fn get(&mut self, path: &str, timeout: Duration) -> Result<Answer> {
        let request = self.target.get(path)?;
        self.request(request, Instant::now() + timeout).await
    }

    /// Sends a request and reads the whole answer, which must be there by then.
    ///
    /// When it is not the connection is closed, so that no late answer is taken for another.
    pub(super) async fn request(
        &mut self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Answer> {
        let answer = self.exchange(request);
        let answer = tokio::time::timeout_at(deadline.into(), answer).await;
        answer.unwrap_or_else(|_| Err(anyhow!("no answer in time")))
    }

    /// A server may close a connection that was idle. A request that was not yet written then goes
    /// over a new one, as with every HTTP client.
    async fn exchange(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(response) => return self.read(sender, response).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(request).await?;
        self.read(sender, response).await
    }

    /// Reads an answer to its end, after which the connection can take the next request.
    async fn read(
        &mut self,
        sender: Sender,
        response: hyper::Response<hyper::body::Incoming>,
    ) -> Result<Answer> {
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer { status, body })
    }

    async fn connect(&self) -> Result<Sender> {
        let address = self.target.address;
        let stream = match self.source {
            Some(source) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind((source, 0).into())?;
                socket.connect(address).await?
            }
            None => TcpStream::connect(address).await?,
        };
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // How it ends is told by the request that is on it.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// How many of so many things each connection gets to do.
pub(super) fn share(all: usize, connections: usize) -> usize {
    all.div_ceil(connections).max(1)
}
