//! Bytes to a server and back, with no HTTP client between.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No test waits longer for anything.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n";

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Sends these bytes on a connection, and reads until the server closes it.
pub(crate) async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = connect(address).await;
    // The server may close while it is still written to.
    let _ = stream.write_all(bytes.as_ref()).await;
    read_to_end(&mut stream).await
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match timeout(LONG, stream.read(&mut buffer))
            .await
            .expect("the server does not close")
        {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&answer).into_owned(),
            Ok(len) => answer.extend_from_slice(&buffer[..len]),
        }
    }
}

/// Reads until this text has come.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    while !answer.contains(text) {
        let len = timeout(LONG, stream.read(&mut buffer))
            .await
            .expect("too slow")
            .unwrap();
        assert!(len > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..len]).unwrap());
    }
    answer
}

/// A request to send a message.
pub(crate) fn post(body: &str) -> String {
    format!(
        "{}Content-Length: {}\r\n\r\n{body}",
        post_head(),
        body.len()
    )
}

/// The head of such a request, but for the length of its body.
pub(crate) fn post_head() -> &'static str {
    "POST /api/messages/ HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
}

/// The status of every answer in a text.
pub(crate) fn statuses(answers: &str) -> Vec<u16> {
    let after = |version: &str| {
        answers
            .split(version)
            .skip(1)
            .map(|rest| rest[..3].parse().unwrap())
            .collect::<Vec<u16>>()
    };
    if answers.starts_with("HTTP/1.0 ") {
        after("HTTP/1.0 ")
    } else {
        after("HTTP/1.1 ")
    }
}
