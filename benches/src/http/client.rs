//! A client that is as cheap as can be: prepared bytes are written, and an answer is read until it
//! is all there. Nothing more is parsed than the length of its body.

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

use super::thread::ServerThread;
use crate::pair::Side;

/// The same request over and over, on connections that are kept.
#[derive(Debug)]
pub(super) struct Exchange {
    server: Arc<ServerThread>,
    request: Vec<u8>,
    expected: Answer,
    /// Connections that no lane uses now.
    idle: Mutex<Vec<Connection>>,
}

impl Exchange {
    /// Answers must have the status and the lengths of the expected one.
    pub(super) fn new(server: Arc<ServerThread>, request: Vec<u8>, expected: &Answer) -> Self {
        Self {
            server,
            request,
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
    pub(super) async fn once(&self) -> Result<Answer> {
        let mut connection = self.connection().await?;
        self.exchange(&mut connection).await?;
        Ok(connection.answer)
    }

    async fn exchange(&self, connection: &mut Connection) -> Result<()> {
        connection.exchange(&self.request).await?;
        let answer = &connection.answer;
        ensure!(answer.is_like(&self.expected), "{answer}");
        Ok(())
    }
}

#[async_trait]
impl Side for Exchange {
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

/// A connection, and the last answer that came on it.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    answer: Answer,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Answer::empty(),
        })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<()> {
        let Self { stream, answer } = self;
        stream.write_all(request).await?;
        answer.bytes.clear();
        loop {
            let read = stream.read_buf(&mut answer.bytes).await?;
            ensure!(read > 0, "the server closed the connection");
            if let Some(at) = memmem::find(&answer.bytes, b"\r\n\r\n") {
                answer.head_len = at + 4;
                break;
            }
        }
        let len = answer.head_len + content_length(answer.head())?;
        while answer.bytes.len() < len {
            let read = stream.read_buf(&mut answer.bytes).await?;
            ensure!(read > 0, "the server closed the connection");
        }
        ensure!(answer.bytes.len() == len, "more than one answer");
        Ok(())
    }
}

/// The bytes of an answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    head_len: usize,
}

impl Answer {
    fn empty() -> Self {
        Self {
            // More than any answer here has.
            bytes: Vec::with_capacity(32 * 1024),
            head_len: 0,
        }
    }

    /// The answer to one request.
    pub(super) async fn fetch(address: SocketAddr, request: &[u8]) -> Result<Self> {
        let mut connection = Connection::open(address).await?;
        connection.exchange(request).await?;
        Ok(connection.answer)
    }

    /// Status line and headers, with the empty line.
    pub(super) fn head(&self) -> &str {
        str::from_utf8(&self.bytes[..self.head_len]).unwrap_or_default()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.head_len..]
    }

    pub(super) fn is_success(&self) -> bool {
        self.bytes.starts_with(b"HTTP/1.1 2")
    }

    /// Whether it is as successful and as long as another one.
    fn is_like(&self, other: &Self) -> bool {
        const STATUS: usize = "HTTP/1.1 200".len();
        self.bytes.len() == other.bytes.len()
            && self.head_len == other.head_len
            && self.bytes[..STATUS] == other.bytes[..STATUS]
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another answer than expected: ")?;
        f.write_str(&String::from_utf8_lossy(&self.bytes))
    }
}

/// The length of the body, by a head as hyper writes it.
fn content_length(head: &str) -> Result<usize> {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let at = memmem::find(head.as_bytes(), NAME).context("no content-length")?;
    let value = head[at + NAME.len()..].split('\r').next();
    Ok(value.unwrap_or_default().parse()?)
}
