//! A client that does as little as possible: it writes prepared bytes, and reads until a response is
//! complete. It parses only the length of the body.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use memchr::memmem;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::ServerThread;
use crate::pair::Workload;

/// Sends requests, one after the other, on connections that are kept open.
#[derive(Debug)]
pub(super) struct Exchange {
    server: Arc<ServerThread>,
    requests: Requests,
    expected: Response,
    /// Connections that no run uses.
    idle: Mutex<Vec<Connection>>,
}

impl Exchange {
    /// Creates an exchange whose responses must have the status and lengths of the expected one.
    pub(super) fn new(server: Arc<ServerThread>, requests: Requests, expected: &Response) -> Self {
        Self {
            server,
            requests,
            expected: expected.clone(),
            idle: Mutex::default(),
        }
    }

    async fn connection(&self) -> Result<Connection> {
        let idle = self.idle.lock().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => Connection::open(self.server.address()).await,
        }
    }

    #[cfg(test)]
    pub(super) async fn once(&self) -> Result<Response> {
        let mut connection = self.connection().await?;
        self.exchange(&mut connection).await?;
        Ok(connection.response)
    }

    async fn exchange(&self, connection: &mut Connection) -> Result<()> {
        match &self.requests {
            Requests::Same(request) => connection.exchange(request).await?,
            Requests::New(new) => {
                let request = new.prepared.lock().pop().context("not prepared")?;
                connection.exchange(&request).await?;
            }
        }
        let response = &connection.response;
        ensure!(
            response.is_like(&self.expected),
            "unexpected: {}",
            response.head()
        );
        Ok(())
    }
}

/// The requests of an exchange.
#[derive(Debug)]
pub(super) enum Requests {
    /// The same one again and again.
    Same(Vec<u8>),
    /// Each one only once.
    New(New),
}

/// Requests that are created before they are sent.
pub(super) struct New {
    create: Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>,
    prepared: Mutex<Vec<Vec<u8>>>,
}

impl New {
    pub(super) fn new(create: impl Fn() -> Result<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self {
            create: Box::new(create),
            prepared: Mutex::default(),
        }
    }
}

impl fmt::Debug for New {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("New")
    }
}

#[async_trait]
impl Workload for Exchange {
    async fn prepare(&self, times: u64) -> Result<()> {
        if let Requests::New(new) = &self.requests {
            for _ in 0..times {
                let request = (new.create)()?;
                new.prepared.lock().push(request);
            }
        }
        Ok(())
    }

    async fn run(&self, times: u64) -> Result<()> {
        let mut connection = self.connection().await?;
        for _ in 0..times {
            self.exchange(&mut connection).await?;
        }
        self.idle.lock().push(connection);
        Ok(())
    }

    fn server_time(&self) -> Option<Duration> {
        self.server.cpu_time()
    }
}

/// A connection with its last response.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    response: Response,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let response = Response {
            // More than any response here.
            bytes: Vec::with_capacity(32 * 1024),
            head_len: 0,
        };
        Ok(Self { stream, response })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.response.bytes.clear();
        self.response.head_len = loop {
            self.read().await?;
            if let Some(at) = memmem::find(&self.response.bytes, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let len = self.response.head_len + content_length(self.response.head())?;
        while self.response.bytes.len() < len {
            self.read().await?;
        }
        ensure!(self.response.bytes.len() == len, "more than one response");
        Ok(())
    }

    async fn read(&mut self) -> Result<()> {
        let read = self.stream.read_buf(&mut self.response.bytes).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

/// The bytes of a response.
#[derive(Clone, Debug)]
pub(super) struct Response {
    bytes: Vec<u8>,
    head_len: usize,
}

impl Response {
    /// Sends one request and returns its response.
    pub(super) async fn fetch(address: SocketAddr, request: &[u8]) -> Result<Self> {
        let mut connection = Connection::open(address).await?;
        connection.exchange(request).await?;
        Ok(connection.response)
    }

    /// Returns the status line and the headers, with the empty line.
    pub(super) fn head(&self) -> &str {
        str::from_utf8(&self.bytes[..self.head_len]).unwrap_or_default()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.head_len..]
    }

    /// Returns whether status and lengths are those of the other response.
    fn is_like(&self, other: &Self) -> bool {
        const STATUS: usize = "HTTP/1.1 200".len();
        self.bytes.len() == other.bytes.len()
            && self.head_len == other.head_len
            && self.bytes[..STATUS] == other.bytes[..STATUS]
    }
}

/// Returns the length of the body, from a head as hyper writes it.
fn content_length(head: &str) -> Result<usize> {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let at = memmem::find(head.as_bytes(), NAME).context("no content-length")?;
    let value = head[at + NAME.len()..].split('\r').next();
    Ok(value.unwrap_or_default().parse()?)
}
