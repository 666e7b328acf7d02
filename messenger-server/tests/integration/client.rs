//! A small HTTP client.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A response of the server.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Answer {
    /// Returns the body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A request in flight.
pub(crate) struct Request {
    stream: TcpStream,
}

impl Request {
    /// Connects and sends the first part of a request.
    pub(crate) fn begin(address: &str, beginning: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("it is not zero");
        stream
            .write_all(beginning.as_bytes())
            .expect("the server reads");
        Self { stream }
    }

    /// Sends the rest and reads the response, after which the server closes the connection.
    pub(crate) fn finish(mut self, rest: &str) -> Answer {
        self.stream
            .write_all(rest.as_bytes())
            .expect("the server reads");
        let mut answer = String::new();
        self.stream
            .read_to_string(&mut answer)
            .expect("the server answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let (status_line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let status = status_line.split(' ').nth(1).expect("a status line");
        Answer {
            status: status.parse().expect("a status is a number"),
            headers: headers.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }
}

/// Returns the response to a GET.
pub(crate) fn get(address: &str, path: &str) -> Answer {
    get_with(address, path, "")
}

/// Returns the response to a GET with these header lines, each with its line break.
pub(crate) fn get_with(address: &str, path: &str, headers: &str) -> Answer {
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    Request::begin(address, &head).finish("")
}

/// Sends the head of a POST and waits until the server asks for the body, which has this length.
pub(crate) fn begin_post(address: &str, path: &str, len: usize) -> Request {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let head = head_of_post(address, path, len, "Expect: 100-continue\r\n");
    let mut request = Request::begin(address, &head);
    let mut answer = [0; CONTINUE.len()];
    request
        .stream
        .read_exact(&mut answer)
        .expect("the server answers");
    assert_eq!(answer, CONTINUE);
    request
}

fn head_of_post(address: &str, path: &str, len: usize, headers: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {len}\r\n\r\n"
    )
}

/// Returns the response to a POST of JSON.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Answer {
    post_with(address, path, "", body)
}

/// Returns the response to a POST of JSON with these header lines, each with its line break.
pub(crate) fn post_with(address: &str, path: &str, headers: &str, body: &str) -> Answer {
    let head = head_of_post(address, path, body.len(), headers);
    Request::begin(address, &head).finish(body)
}
