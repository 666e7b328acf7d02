//! The server against hyper that answers the same bytes.
//!
//! Each server has a thread and a runtime of its own, so that its CPU time can be told from that of
//! the client, which has the measuring thread. The client is as cheap as can be, and each of its
//! connections sends the next request when the last one was answered: no pipelining. It takes about
//! as long for an exchange as bare hyper does, so the rates alone would flatter the messenger; the
//! ratio of the servers' CPU time stands beside them.
//!
//! The subject is what users run: the server as the example makes it, with its recorder of metrics
//! and its log.

mod bare;
mod client;
mod messenger;
mod observed;
mod thread;

use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::pair::Pair;
use client::{Answer, Exchange};
use messenger::Messenger;
use thread::ServerThread;

/// How many connections there are: enough for a server to find the next request when it has
/// answered one.
const CONNECTIONS: usize = 16;

/// What a page of a history is to reach.
const GOAL: f64 = 0.6;

/// Everything of the server that is measured.
///
/// # Errors
///
/// When a server cannot be started.
pub async fn pairs() -> Result<Vec<Pair>> {
    let messenger = Messenger::start().await?;
    let mut pairs = Vec::new();
    for (name, request, goal) in [
        ("history", messenger.history(), Some(GOAL)),
        ("inbox", messenger.inbox(), None),
        ("message", messenger.message(), None),
        ("send", messenger.send()?, None),
        ("health", messenger.health(), None),
    ] {
        let [subject, baseline] = exchanges(&messenger.server, request).await?;
        let pair = Pair::new(format!("http/{name}"), subject, baseline);
        pairs.push(pair.with_in_flight([CONNECTIONS]).with_goal(goal));
    }
    Ok(pairs)
}

/// The exchange of this request with the messenger, and the same one with a server that knows no
/// other answer.
async fn exchanges(server: &Arc<ServerThread>, request: Vec<u8>) -> Result<[Exchange; 2]> {
    let answer = Answer::fetch(server.address(), &request).await?;
    ensure!(answer.is_success(), "{answer}");
    let bare = Arc::new(bare::start(&answer)?);
    let exchange = |server| Exchange::new(server, request.clone(), &answer);
    Ok([exchange(Arc::clone(server)), exchange(bare)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_pair_runs() {
        for pair in pairs().await.unwrap() {
            for side in [&pair.subject, &pair.baseline] {
                tokio::try_join!(side.run(3), side.run(3)).expect(&pair.name);
                assert!(side.server_time().is_some_and(|time| !time.is_zero()));
            }
        }
    }

    /// An answer in lines, without the values that no two answers share.
    fn lines(answer: &Answer) -> Vec<String> {
        let changing = ["x-request-id", "date"];
        let head = answer
            .head()
            .lines()
            .map(|line| match line.split_once(':') {
                Some((name, _)) if changing.contains(&name) => name.to_owned(),
                _ => line.to_owned(),
            });
        head.chain([String::from_utf8_lossy(answer.body()).into_owned()])
            .collect()
    }

    #[tokio::test]
    async fn bare_hyper_answers_the_same_bytes() {
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
            let answer = subject.once().await.unwrap();
            serde_json::from_slice::<serde_json::Value>(answer.body()).unwrap()
        };
        for page in [messenger.history(), messenger.inbox()] {
            let page = json(page).await;
            assert_eq!(page["data"].as_array().unwrap().len(), 20);
            assert!(page["next_cursor"].is_string());
        }
        let one = json(messenger.send().unwrap()).await;
        let two = json(messenger.send().unwrap()).await;
        assert_eq!(one["content"], two["content"]);
        assert_ne!(one["id"], two["id"]);
    }

    #[tokio::test]
    async fn an_exchange_with_another_answer_fails() {
        let messenger = Messenger::start().await.unwrap();
        let other = Answer::fetch(messenger.server.address(), &messenger.health())
            .await
            .unwrap();
        let server = Arc::clone(&messenger.server);
        let exchange = Exchange::new(server, messenger.history(), &other);
        assert!(exchange.once().await.is_err());
    }
}
