//! Conversations, whose users write, and whose followers come and go.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::RngExt as _;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::follower::{Follower, State, state_of};

/// The number of messages and followers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    messages: usize,
    followers: usize,
}

/// The followers of the history of each conversation. One more follows the inbox of a participant.
const FOLLOWERS_OF_EACH: usize = 2;

/// The messages of a conversation that are sent at the same time.
const AT_ONCE: usize = 4;

impl Sizes {
    pub(crate) fn from_environment() -> Self {
        let number = |name, default| match std::env::var(name) {
            Ok(text) => text.parse().expect(name),
            Err(_) => default,
        };
        Self {
            messages: number("MESSENGER_FOLLOWED_MESSAGES", 1_200),
            followers: number("MESSENGER_FOLLOWERS", 12),
        }
    }

    /// Returns when a server that is to be restarted is killed.
    pub(crate) fn time_to_restart(self) -> Duration {
        Duration::from_millis(1_500)
    }
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Figures {
    messages: usize,
    changed: usize,
    followers: usize,
    connections: usize,
    events: usize,
    time: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages ({} edited or unsent) reached {} followers of histories over {} \
             connections in {} events, after {:.0} s",
            self.messages,
            self.changed,
            self.followers,
            self.connections,
            self.events,
            self.time.as_secs_f64()
        )
    }
}

#[derive(Clone)]
pub(crate) struct World {
    servers: Arc<[String]>,
    client: Client,
    sizes: Sizes,
}

impl World {
    pub(crate) fn new(servers: Vec<String>, sizes: Sizes) -> Self {
        Self {
            servers: servers.into(),
            client: Client::new(),
            sizes,
        }
    }

    /// Lets everybody write and follow, and compares what each follower has with the histories.
    pub(crate) async fn run(self) -> Figures {
        let start = Instant::now();
        let count = self.sizes.followers.div_ceil(FOLLOWERS_OF_EACH);
        let share = self.sizes.messages.div_ceil(count);
        let conversations = (0..count).map(|_| tokio::spawn(self.clone().conversation(share)));
        let mut figures = Figures {
            messages: 0,
            changed: 0,
            followers: count * FOLLOWERS_OF_EACH,
            connections: 0,
            events: 0,
            time: Duration::ZERO,
        };
        for conversation in join_all(conversations).await {
            let (history, followers) = conversation.expect("no panic");
            figures.messages += history.len();
            figures.changed += (history.iter())
                .filter(|(id, (unsent, revision))| *unsent || revision != *id)
                .count();
            for follower in followers {
                figures.connections += follower.connections;
                figures.events += follower.events;
            }
        }
        figures.time = start.elapsed();
        figures
    }

    /// One conversation: its history at the end, and its followers, who have the same.
    async fn conversation(self, share: usize) -> (HashMap<String, State>, Vec<Follower>) {
        let users = [user(), user()];
        let first = self.send(&users, "the first").await;
        let id = first["conversation_id"].as_str().expect("an id");
        let path = format!("/api/messages/conversation/{id}");
        let entry = format!("/api/conversations/{id}");
        let inbox = format!("/api/conversations/user/{}", users[0]);

        let stop = CancellationToken::new();
        let mut followers = Vec::new();
        for list in std::iter::repeat_n(&path, FOLLOWERS_OF_EACH).chain([&inbox]) {
            let page = self.answer(Method::GET, list, None).await;
            let cursor = page["prev_cursor"].as_str().expect("a cursor").to_owned();
            let (world, list, stop) = (self.clone(), list.clone(), stop.clone());
            followers.push(tokio::spawn(async move {
                let (follower, client) = (Follower::new(cursor), Client::new());
                follower.follow(&world.servers, &list, &client, &stop).await
            }));
        }

        let share = share.div_ceil(AT_ONCE);
        let writers = (0..AT_ONCE).map(|_| self.write(&users, &path, &entry, share));
        join_all(writers).await;
        let mut history = self.history(&path).await;
        // It was there before they followed.
        let (first, _) = state_of(&first);
        history.remove(&first);

        // Longer than a poll of another server's changes, and than an outage.
        tokio::time::sleep(Duration::from_secs(6)).await;
        stop.cancel();
        let followers: Vec<_> = join_all(followers).await;
        let followers: Vec<_> = followers
            .into_iter()
            .map(|it| it.expect("no panic"))
            .collect();
        let now = format!("{entry}?user_id={}", users[0]);
        let now = self.answer(Method::GET, &now, None).await;
        assert!(now["read_up_to"].is_string(), "it was never marked: {now}");
        assert_eq!(followers[FOLLOWERS_OF_EACH].entry, now);
        for follower in &followers[..FOLLOWERS_OF_EACH] {
            let missed = history
                .iter()
                .filter(|(id, _)| !follower.messages.contains_key(*id));
            assert_eq!(missed.count(), 0, "messages were missed");
            let mut messages = follower.messages.clone();
            messages.remove(&first);
            assert_eq!(messages, history, "a follower has other versions");
        }
        (history, followers)
    }

    /// Sends messages one after the other, changes some of them, and marks some as read.
    async fn write(&self, users: &[String; 2], path: &str, entry: &str, count: usize) {
        for n in 0..count {
            let sent = self.send(users, &format!("message {n}")).await;
            let message = format!("{path}/{}", sent["id"].as_str().expect("an id"));
            let (user, dice) = (&users[0], rand::rng().random_range(0..100));
            if dice < 8 {
                let body = json!({"sender_id": user, "content": format!("edited {n}")});
                self.answer(Method::PATCH, &message, Some(body)).await;
            }
            if dice == 50 || n + 1 == count {
                let body = json!({"user_id": user, "up_to": sent["id"]});
                let read = format!("{entry}/read");
                self.answer(Method::PUT, &read, Some(body)).await;
            }
            if dice < 2 || dice == 99 {
                let unsend = format!("{message}?sender_id={user}");
                self.answer(Method::DELETE, &unsend, None).await;
            }
        }
    }

    async fn send(&self, [sender, receiver]: &[String; 2], content: &str) -> Value {
        let body = json!({"sender_id": sender, "receiver_id": receiver, "content": content});
        self.answer(Method::POST, "/api/messages/", Some(body))
            .await
    }

    async fn history(&self, path: &str) -> HashMap<String, State> {
        let mut messages = HashMap::new();
        let mut next = format!("{path}?limit=100");
        loop {
            let page = self.answer(Method::GET, &next, None).await;
            messages.extend(page["data"].as_array().expect("items").iter().map(state_of));
            let Some(cursor) = page["next_cursor"].as_str() else {
                return messages;
            };
            next = format!("{path}?limit=100&cursor={cursor}");
        }
    }

    /// Makes a call on any server, again until there is an answer: with one key, so sending is safe.
    async fn answer(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let key = format!("{:032x}", rand::random::<u128>());
        loop {
            let server = &self.servers[rand::rng().random_range(0..self.servers.len())];
            let mut request = self
                .client
                .request(method.clone(), format!("http://{server}{path}"))
                .header("idempotency-key", &key);
            if let Some(body) = &body {
                request = request.json(body);
            }
            if let Ok(response) = request.send().await {
                let status = response.status();
                if status.is_success()
                    && let Ok(answer) = response.json().await
                {
                    return answer;
                }
                let is_for_now = status.is_success()
                    || [StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT]
                        .contains(&status);
                assert!(is_for_now, "{method} {path}: {status}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn user() -> String {
    format!("u-{:032x}", rand::random::<u128>())
}
