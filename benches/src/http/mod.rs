//! The server against hyper returning the same bytes.
//!
//! Each server has its own thread and runtime, so that its CPU time can be told from that of the
//! client on the measuring thread. The client does as little as possible, and each of its
//! connections sends the next request after the last response, without pipelining. An exchange
//! costs the client about as much as bare hyper, so the ratio of rates alone would flatter the
//! messenger; the CPU time of the servers is listed next to it. The client never sleeps: a server would
//! pay for waking it, and the faster server, which keeps it busy, would not.
//!
//! The subject is what users run: the service with a recorder of metrics and a log.

mod bare;
mod client;
mod messenger;
mod server;
mod tokens;

use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::pair::Pair;
use client::{Exchange, Requests, Response};
use messenger::Messenger;
use server::ServerThread;

/// The number of connections: enough for a server to find the next request after a response.
const CONNECTIONS: usize = 16;

/// The goal of a page of a history.
const GOAL: f64 = 0.6;

/// Returns all pairs of the server.
///
/// # Errors
///
/// If a server cannot be started.
pub async fn pairs() -> Result<Vec<Pair>> {
    tokio::spawn(stay_awake());
    let messenger = Messenger::start().await?;
    let mut pairs = Vec::new();
    for (name, request, goal) in [
        ("history", messenger.history(), Some(GOAL)),
        ("inbox", messenger.inbox(), None),
        ("message", messenger.message(), None),
        ("send", messenger.send(), None),
        ("health", messenger.health(), None),
    ] {
        let [subject, baseline] = exchanges(&messenger.server, request).await?;
        let pair = Pair::new(format!("http/{name}"), subject, baseline);
        pairs.push(pair.with_concurrency([CONNECTIONS]).with_goal(goal));
    }
    pairs.extend(tokens::pairs(&messenger).await?);
    Ok(pairs)
}

/// Keeps the thread of a runtime polling for input instead of waiting for it.
async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

/// Returns the exchange of a request with the messenger, and the same exchange with a server that
/// always returns this response.
async fn exchanges(server: &Arc<ServerThread>, request: Vec<u8>) -> Result<[Exchange; 2]> {
    let response = Response::fetch(server.address(), &request).await?;
    let head = response.head();
    ensure!(head.starts_with("HTTP/1.1 2"), "unexpected: {head}");
    let bare = Arc::new(bare::start(&response).await?);
    let exchange = |server| Exchange::new(server, Requests::Same(request.clone()), &response);
    Ok([exchange(Arc::clone(server)), exchange(bare)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_pair_runs() {
        for pair in pairs().await.unwrap() {
            for workload in [&pair.subject, &pair.baseline] {
                workload.prepare(6).await.unwrap();
                tokio::try_join!(workload.run(3), workload.run(3)).expect(&pair.name);
                assert!(workload.server_time().is_some_and(|time| !time.is_zero()));
            }
        }
    }

    /// The lines of a response, without the values that differ between any two responses.
    fn lines(response: &Response) -> Vec<String> {
        let head = response
            .head()
            .lines()
            .map(|line| match line.split_once(':') {
                Some((name @ ("x-request-id" | "date"), _)) => name.to_owned(),
                _ => line.to_owned(),
            });
        let body = String::from_utf8_lossy(response.body()).into_owned();
        head.chain([body]).collect()
    }

    #[tokio::test]
    async fn bare_hyper_returns_the_same_bytes() {
        let messenger = Messenger::start().await.unwrap();
        for request in [
            messenger.history(),
            messenger.inbox(),
            messenger.message(),
            messenger.health(),
        ] {
            let [subject, baseline] = exchanges(&messenger.server, request).await.unwrap();
            let (real, bare) = (
                subject.once().await.unwrap(),
                baseline.once().await.unwrap(),
            );
            assert_eq!(lines(&real), lines(&bare));
            assert_ne!(real.head().len(), 0);
        }
    }

    #[tokio::test]
    async fn a_page_has_its_rows_and_a_send_its_message() {
        let messenger = Messenger::start().await.unwrap();
        let json = async |request: Vec<u8>| {
            let [subject, _] = exchanges(&messenger.server, request).await.unwrap();
            let response = subject.once().await.unwrap();
            serde_json::from_slice::<serde_json::Value>(response.body()).unwrap()
        };
        for page in [messenger.history(), messenger.inbox()] {
            let page = json(page).await;
            assert_eq!(page["data"].as_array().unwrap().len(), 20);
            assert!(page["next_cursor"].is_string());
        }
        let one = json(messenger.send()).await;
        let two = json(messenger.send()).await;
        assert_eq!(one["content"], two["content"]);
        assert_ne!(one["id"], two["id"]);
    }

    #[tokio::test]
    async fn an_exchange_with_another_response_fails() {
        let messenger = Messenger::start().await.unwrap();
        let address = messenger.server.address();
        let other = Response::fetch(address, &messenger.health()).await.unwrap();
        let server = Arc::clone(&messenger.server);
        let exchange = Exchange::new(server, Requests::Same(messenger.history()), &other);
        assert!(exchange.once().await.is_err());
    }
}
