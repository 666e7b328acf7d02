//! The client of all tests: every answer is checked against the document.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use messenger_core::UserId;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::contract::{Answer, DOCUMENT, DOCUMENT_WITH_AUTHENTICATION, check};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    document: &'static Value,
    token: Option<&'static str>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            document: &DOCUMENT,
            token: None,
        }
    }

    /// A client of a service with authentication.
    pub(crate) fn authenticated(address: SocketAddr, token: Option<&str>) -> Self {
        Self {
            address,
            document: &DOCUMENT_WITH_AUTHENTICATION,
            token: token.map(|token| &*token.to_owned().leak()),
        }
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn request(&self, mut request: Request<Full<Bytes>>) -> Answer {
        let host = HeaderValue::from_static("test");
        request.headers_mut().entry("host").or_insert(host);
        if let Some(token) = self.token {
            let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
            request.headers_mut().insert("authorization", value);
        }
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let content_type = head.headers.get("content-type");
        let body = match content_type.is_some_and(|value| value == "text/event-stream") {
            // It does not end.
            true => Vec::new(),
            false => body.collect().await.unwrap().to_bytes().to_vec(),
        };
        drop(sender);
        connection.abort();
        let answer = Answer {
            status: head.status,
            headers: head.headers,
            body,
        };
        check(self.document, &method, &path, &answer);
        answer
    }

    pub(crate) async fn method(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        self.request(request.body(Full::default()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.method(Method::GET, path).await
    }

    /// A GET that must succeed.
    pub(crate) async fn ok(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// Sends this body to be a message.
    pub(crate) async fn post(&self, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::post("/api/messages/");
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.request(request.body(Full::new(body.into())).unwrap())
            .await
    }

    /// Sends a JSON body.
    pub(crate) async fn json(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let body = Full::from(body.to_string());
        self.request(request.body(body).unwrap()).await
    }

    /// Sends a message that must be taken.
    pub(crate) async fn send(&self, sender: &UserId, receiver: &UserId, content: &str) -> Value {
        let answer = self.post(message(sender, receiver, content), &[]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }
}

/// The body of a message to be sent.
pub(crate) fn message(sender: &UserId, receiver: &UserId, content: &str) -> String {
    json!({"sender_id": sender, "receiver_id": receiver, "content": content}).to_string()
}

/// The conversation of a message.
pub(crate) fn conversation_of(message: &Value) -> &str {
    message["conversation_id"].as_str().unwrap()
}
