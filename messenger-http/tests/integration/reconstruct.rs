//! A client that only follows `prev_cursor` has every list exactly as it is, whatever happened.

use std::collections::BTreeMap;

use http::Method;
use messenger_core::{ConversationId, UserId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::client::{Client, message};
use crate::server::Server;
use crate::{STORE, messenger, run, user};

const USERS: usize = 3;

/// Something that a user does. A message is named by a number, modulo how many there are.
#[derive(Clone, Debug)]
enum Act {
    Send {
        from: usize,
        to: usize,
    },
    /// A key is one of a few, so it is often used again.
    SendOnce {
        key: u8,
    },
    Edit {
        nth: usize,
    },
    Unsend {
        nth: usize,
    },
    Mark {
        nth: usize,
        by_sender: bool,
    },
    /// A client asks for what is newer.
    Poll {
        list: usize,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let nth = || 0..64_usize;
    prop_oneof![
        4 => (0..USERS, 1..USERS).prop_map(|(from, on)| Act::Send { from, to: (from + on) % USERS }),
        1 => (0..3_u8).prop_map(|key| Act::SendOnce { key }),
        3 => nth().prop_map(|nth| Act::Edit { nth }),
        1 => nth().prop_map(|nth| Act::Unsend { nth }),
        2 => (nth(), any::<bool>()).prop_map(|(nth, by_sender)| Act::Mark { nth, by_sender }),
        3 => (0..2 * USERS).prop_map(|list| Act::Poll { list }),
    ]
}

/// A list as a client has it: its items by id, and the cursor to what is newer.
struct Followed {
    path: String,
    items: BTreeMap<String, Value>,
    /// `None` before the list exists: a history does with its first message.
    prev: Option<String>,
    limit: usize,
    merge: fn(&mut Value, &Value),
}

impl Followed {
    fn history(one: &UserId, other: &UserId, limit: usize) -> Self {
        let id = ConversationId::direct(one, other);
        Self::new(
            format!("/api/messages/conversation/{id}"),
            limit,
            merge_message,
        )
    }

    fn inbox(user: &UserId, limit: usize) -> Self {
        Self::new(
            format!("/api/conversations/user/{user}"),
            limit,
            merge_entry,
        )
    }

    fn new(path: String, limit: usize, merge: fn(&mut Value, &Value)) -> Self {
        Self {
            path,
            items: BTreeMap::new(),
            prev: None,
            limit,
            merge,
        }
    }

    /// Reads what is newer to its end: a page that is not full is the last one for now.
    async fn poll(&mut self, client: Client) {
        loop {
            let Some(prev) = self.prev.clone() else {
                return self.start(client).await;
            };
            let path = format!("{}?limit={}&cursor={prev}", self.path, self.limit);
            let page = client.ok(&path).await;
            self.prev = Some(page["prev_cursor"].as_str().unwrap().to_owned());
            let items = page["data"].as_array().unwrap();
            for item in items {
                self.take(item);
            }
            if items.len() < self.limit {
                return;
            }
        }
    }

    /// Reads the whole list, and keeps the cursor of its first page.
    async fn start(&mut self, client: Client) {
        let Some((items, prev)) = walk(client, &self.path, self.limit).await else {
            return;
        };
        self.prev = Some(prev);
        for item in items {
            self.take(&item);
        }
    }

    fn take(&mut self, item: &Value) {
        let id = item["id"].as_str().unwrap().to_owned();
        let known = self.items.entry(id).or_insert_with(|| item.clone());
        (self.merge)(known, item);
    }
}

/// Reads a list from its first page to the last; `None` if it does not exist yet.
async fn walk(client: Client, path: &str, limit: usize) -> Option<(Vec<Value>, String)> {
    let answer = client.get(&format!("{path}?limit={limit}")).await;
    if answer.status == 404 {
        return None;
    }
    let mut page = answer.json();
    let prev = page["prev_cursor"].as_str().unwrap().to_owned();
    let mut items = Vec::new();
    loop {
        items.extend(page["data"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else {
            return Some((items, prev));
        };
        page = client
            .ok(&format!("{path}?limit={limit}&cursor={next}"))
            .await;
    }
}

/// As the documentation says: an unsent message stays unsent, otherwise the greater revision wins.
fn merge_message(known: &mut Value, new: &Value) {
    let version = |message: &Value| {
        let revision = message["revision"].as_str().unwrap().to_owned();
        (message["content"].is_null(), revision)
    };
    if version(new) > version(known) {
        *known = new.clone();
    }
}

/// The last message merges by id, unsent and revision; read markers only move forward.
fn merge_entry(known: &mut Value, new: &Value) {
    let version = |entry: &Value| {
        let last = &entry["last_message"];
        let text = |member: &str| last[member].as_str().unwrap().to_owned();
        (text("id"), last["preview"].is_null(), text("revision"))
    };
    if version(new) > version(known) {
        known["last_message"] = new["last_message"].clone();
    }
    for marker in ["read_up_to", "seen_up_to"] {
        if new[marker].as_str() > known[marker].as_str() {
            known[marker] = new[marker].clone();
        }
    }
}

/// Three users, what they have sent, and a client for each of their lists.
struct World {
    client: Client,
    users: [UserId; USERS],
    messages: Vec<Value>,
    lists: Vec<Followed>,
}

impl World {
    fn new(client: Client, limit: usize) -> Self {
        let users = [user(), user(), user()];
        let pairs = [(0, 1), (0, 2), (1, 2)];
        let histories = pairs.map(|(a, b)| Followed::history(&users[a], &users[b], limit));
        let inboxes = users.iter().map(|user| Followed::inbox(user, limit));
        let lists = histories.into_iter().chain(inboxes).collect();
        Self {
            client,
            users,
            messages: Vec::new(),
            lists,
        }
    }

    async fn act(&mut self, act: &Act) {
        let client = self.client;
        match *act {
            Act::Send { from, to } => {
                let text = format!("message {}", self.messages.len());
                let sent = client.send(&self.users[from], &self.users[to], &text).await;
                self.messages.push(sent);
            }
            Act::SendOnce { key } => {
                let body = message(&self.users[0], &self.users[1], &format!("once {key}"));
                let key = format!("key-{key}");
                let answer = client.post(body, &[("idempotency-key", &key)]).await;
                assert_eq!(answer.status, 201);
                if answer.header("idempotent-replayed").is_none() {
                    self.messages.push(answer.json());
                }
            }
            Act::Edit { nth } => {
                let Some((path, message)) = self.nth(nth) else {
                    return;
                };
                let content = format!("edited {}", rand::random::<u32>());
                let body = json!({"sender_id": message["sender_id"], "content": content});
                let answer = client.json(Method::PATCH, &path, body).await;
                assert!([200, 409].contains(&answer.status.as_u16()), "{answer:?}");
            }
            Act::Unsend { nth } => {
                let Some((path, message)) = self.nth(nth) else {
                    return;
                };
                let sender = message["sender_id"].as_str().unwrap();
                let path = format!("{path}?sender_id={sender}");
                assert_eq!(client.method(Method::DELETE, &path).await.status, 200);
            }
            Act::Mark { nth, by_sender } => {
                let Some((_, message)) = self.nth(nth) else {
                    return;
                };
                let by = match by_sender {
                    true => "sender_id",
                    false => "receiver_id",
                };
                let body = json!({"user_id": message[by], "up_to": message["id"]});
                let conversation = message["conversation_id"].as_str().unwrap();
                let path = format!("/api/conversations/{conversation}/read");
                assert_eq!(client.json(Method::PUT, &path, body).await.status, 200);
            }
            Act::Poll { list } => self.lists[list].poll(client).await,
        }
    }

    /// Returns a message and its path.
    fn nth(&self, nth: usize) -> Option<(String, &Value)> {
        let message = self.messages.get(nth % self.messages.len().max(1))?;
        let text = |member: &str| message[member].as_str().unwrap();
        let (conversation, id) = (text("conversation_id"), text("id"));
        Some((
            format!("/api/messages/conversation/{conversation}/{id}"),
            message,
        ))
    }

    /// Compares each list with what a new client reads.
    async fn check(&mut self) -> Result<(), TestCaseError> {
        for list in &mut self.lists {
            list.poll(self.client).await;
            let fresh = walk(self.client, &list.path, 100).await;
            let fresh = fresh.map(|(items, _)| items).unwrap_or_default();
            let mut followed: Vec<_> = list.items.values().cloned().collect();
            followed.sort_by_key(|item| {
                let last = item.pointer("/last_message/id").unwrap_or(&item["id"]);
                std::cmp::Reverse(last.as_str().unwrap().to_owned())
            });
            prop_assert_eq!(&followed, &fresh, "{}", list.path);
        }
        Ok(())
    }
}

#[test]
fn following_prev_gives_every_list_exactly() {
    let cases = match std::env::var_os(STORE) {
        Some(_) => 12,
        None => 60,
    };
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let server = run(async { Server::new(messenger().await).await });
    let acts = prop::collection::vec(act(), 1..40);
    let result = TestRunner::new(config).run(&(1..4_usize, acts), |(limit, acts)| {
        run(async {
            let mut world = World::new(server.client(), limit);
            for act in &acts {
                world.act(act).await;
            }
            world.check().await
        })
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
