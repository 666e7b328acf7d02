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

/// The followers of each conversation.
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
            "{} messages ({} edited or unsent) reached {} followers over {} connections in {} \
             events, after {:.0} s",
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
        let page = self.answer(Method::GET, &path, None).await;
        let cursor = page["prev_cursor"].as_str().expect("a cursor").to_owned();

        let stop = CancellationToken::new();
        let followers = (0..FOLLOWERS_OF_EACH).map(|_| {
            let (world, path, stop) = (self.clone(), path.clone(), stop.clone());
            let follower = Follower::new(cursor.clone());
            let follow = async move {
                let client = Client::new();
                follower.follow(&world.servers, &path, &client, &stop).await
            };
            tokio::spawn(follow)
        });
        let followers: Vec<_> = followers.collect();

        let writers = (0..AT_ONCE).map(|_| self.write(&users, &path, share.div_ceil(AT_ONCE)));
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
        for follower in &followers {
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

    /// Sends messages one after the other, and changes some of them.
    async fn write(&self, users: &[String; 2], path: &str, count: usize) {
        for n in 0..count {
            let sent = self.send(users, &format!("message {n}")).await;
            let message = format!("{path}/{}", sent["id"].as_str().expect("an id"));
            let (user, dice) = (&users[0], rand::rng().random_range(0..100));
            if dice < 8 {
                let body = json!({"sender_id": user, "content": format!("edited {n}")});
                self.answer(Method::PATCH, &message, Some(body)).await;
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
