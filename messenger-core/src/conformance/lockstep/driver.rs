//! Makes the calls of a sequence, and says at which one something went wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::conformance::client::{History, Inbox};
use crate::conformance::describe::{Describe as _, same, same_list};
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::fixture::{NOON, Names};
use crate::conformance::gate::{Call as Gated, Gate, HeldWrite, Point, Started};
use crate::conformance::manual_time::ManualTime;
use crate::conformance::views::{
    agree, conversation_agrees, inbox_agrees, inbox_log_agrees, unread_agrees,
};
use crate::conformance::{Failure, TestStore};
use crate::store::{MAX_KEY_AGE, MAX_LIMIT, Store as _};
use crate::{
    Clock, Content, ConversationId, Error, ErrorKind, HistoryQuery, IdempotencyKey, Import,
    InboxEntry, Limit, Message, MessageId, Messenger, MessengerOptions, NewMessage, Position,
    Prepared, Sent, Timestamp, UserId,
};

use super::call::{Action, By, Call, Label, Listed, SERVERS, USERS, User, Write};
use super::reader::{ListReader, Reader, walk};
use super::tee::{Tee, shows_no_unsent_text};

/// The greatest difference between a server's clock and the true time.
const MAX_SKEW: Duration = Duration::from_secs(1);

/// How far the system clock steps back at most. Together with the clocks' differences it is less than
/// the [`Clock::MAX_AHEAD`] at which writes are refused.
const MAX_STEP_BACK: Duration = Duration::from_secs(2);

pub(super) struct Driver {
    users: Vec<UserId>,
    tee: Arc<Tee>,
    gate: Gate,
    time: ManualTime,
    /// The latest time that there was.
    latest: Timestamp,
    max_step_back: Duration,
    /// How long a write may be held; `None` if only one server writes.
    write_timeout: Option<Duration>,
    servers: Vec<Messenger>,
    /// Messages as they were first sent.
    messages: BTreeMap<Label, Message>,
    prepared: BTreeMap<Label, Prepared>,
    keys: BTreeMap<(User, u8), Keyed>,
    held: BTreeMap<Label, Held>,
    clients: BTreeMap<Label, Box<dyn Reader>>,
    log: Vec<String>,
}

/// The first send under a key.
struct Keyed {
    to: User,
    text: u8,
    /// `None` as long as no send under the key has returned.
    id: Option<MessageId>,
}

/// A write that is on its way.
struct Held {
    write: HeldWrite<Written>,
    label: Label,
    of: Write,
    since: Timestamp,
}

/// The result of a write.
enum Written {
    Message(Message),
    Sent(Sent),
    Entry(InboxEntry),
}

impl Driver {
    pub(super) fn new(stores: Vec<(String, TestStore)>) -> Result<Self, Failure> {
        let names = Names::new();
        let users = USERS.iter().map(|user| names.user(user));
        let tee = Arc::new(Tee::new(stores));
        let gate = Gate::new();
        let start = Timestamp::saturating_from_millis(NOON.into());
        let time = ManualTime::at(start);

        // If other processes write too, the settle time is shared out: a quarter for the clocks'
        // differences, twice, a quarter for steps back, and the rest for writes.
        let settle = tee.settle();
        let several = !settle.is_zero();
        let skew = MAX_SKEW.min(settle / 8);
        let clocks = [ahead(&time, skew), behind(&time, skew)];
        let servers = clocks.into_iter().take(if several { SERVERS } else { 1 });
        Ok(Self {
            users: users.collect::<Result<_, _>>()?,
            servers: servers
                .map(|clock| {
                    let options = MessengerOptions::new()
                        .with_clock(clock)
                        .with_edit_window(None);
                    Messenger::with_options(gate.before(Arc::clone(&tee)), options)
                })
                .collect(),
            tee,
            gate,
            latest: start,
            time,
            max_step_back: if several {
                MAX_STEP_BACK.min(settle / 4)
            } else {
                MAX_STEP_BACK
            },
            write_timeout: several.then(|| (settle / 2).saturating_sub(MAX_KEY_AGE)),
            messages: BTreeMap::new(),
            prepared: BTreeMap::new(),
            keys: BTreeMap::new(),
            held: BTreeMap::new(),
            clients: BTreeMap::new(),
            log: Vec::new(),
        })
    }

    /// Makes one call. A failure names all calls before it.
    pub(super) async fn make(&mut self, call: &Call) -> Checked {
        let server = call.server % self.servers.len();
        let mut line = call.action.to_string();
        if server > 0 {
            line.push_str(", at the second server");
        }
        let result = self.act(server, &call.action).await;
        self.conclude(line, result)
    }

    fn conclude(&mut self, line: String, result: Result<String, Failure>) -> Checked {
        let result = self.tee.disagreement().map_or(result, Err);
        match result {
            Ok(answer) if answer.is_empty() => self.log.push(line),
            Ok(answer) => self.log.push(format!("{line} ({answer})")),
            Err(failure) => {
                self.log.push(line);
                return Err(self.report(&failure));
            }
        }
        Ok(())
    }

    /// Describes a failure: the calls so far, and what went wrong with the last one, with the names
    /// that the calls have for users, messages and writes.
    fn report(&self, failure: &Failure) -> Failure {
        let mut what = failure.to_string();
        for (label, message) in &self.messages {
            what = what.replace(&message.id().to_string(), &format!("m{label}"));
        }
        for (key, label) in &self.tee.state().keys {
            what = what.replace(&key.to_string(), &format!("key {label}"));
        }
        what = what.replace(&Position::MIN.as_uuid().to_string(), "the lowest position");
        for (user, name) in self.users.iter().zip(USERS) {
            what = what.replace(user.as_str(), name);
        }
        let mut text = String::from("after these calls:\n");
        for line in &self.log {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "  {line}");
        }
        text.push_str(&what);
        Failure::new(text)
    }

    async fn act(&mut self, server: usize, action: &Action) -> Result<String, Failure> {
        let done = Ok(String::new());
        match *action {
            Action::Prepare { label, from, to } => {
                let message = self.new_message(from, to, format!("m{label}"))?;
                let prepared = self.servers[server].prepare(message);
                self.messages.insert(label, prepared.message().clone());
                self.prepared.insert(label, prepared);
                done
            }
            Action::Write { label, write, hold } => self.write(server, label, write, hold).await,
            Action::Release(label) => match self.held.remove(&label) {
                Some(held) => self.release(held).await,
                None => Ok("it has ended".into()),
            },
            Action::Drop(label) => {
                let Some(held) = self.held.remove(&label) else {
                    return Ok("it has ended".into());
                };
                held.write.drop().await;
                done
            }
            Action::Wait { millis } => self.wait(Duration::from_millis(millis)).await,
            Action::StepBack { millis } => Ok(self.step_back(Duration::from_millis(millis))),
            Action::Walk { list, limit } => {
                let (server, limit) = (&self.servers[server], Limit::new(limit)?);
                match list {
                    Listed::History(one, two) => {
                        let list = History(self.conversation_of(one, two));
                        walk(server, &list, limit, &self.tee).await?;
                    }
                    Listed::Inbox(user) => {
                        let list = Inbox(self.users[user].clone());
                        walk(server, &list, limit, &self.tee).await?;
                    }
                }
                done
            }
            Action::Before {
                one,
                two,
                millis,
                limit,
            } => {
                self.page_before(server, (one, two), millis, limit).await?;
                done
            }
            Action::Open { label, list, limit } => {
                let (server, limit) = (&self.servers[server], Limit::new(limit)?);
                let mut client: Box<dyn Reader> = match list {
                    Listed::History(one, two) => {
                        let list = History(self.conversation_of(one, two));
                        Box::new(ListReader::new(server, list, limit))
                    }
                    Listed::Inbox(user) => {
                        let list = Inbox(self.users[user].clone());
                        Box::new(ListReader::new(server, list, limit))
                    }
                };
                client.open().await?;
                self.clients.insert(label, client);
                done
            }
            Action::Older(client) => match self.clients.get_mut(&client) {
                None => Ok("it was not opened".into()),
                Some(client) => {
                    let read = client.older(&self.servers[server]).await?;
                    Ok(if read { "" } else { "nothing older" }.into())
                }
            },
            Action::CatchUp(client) => match self.clients.get_mut(&client) {
                None => Ok("it was not opened".into()),
                Some(client) => {
                    let unsent = self.tee.state().unsent.clone();
                    client.catch_up(&self.servers[server], &unsent).await?;
                    done
                }
            },
            Action::Message { of, one, two } => {
                let Some(message) = self.messages.get(&of) else {
                    return Ok("it was never made".into());
                };
                let conversation = self.conversation_of(one, two);
                let server = &self.servers[server];
                let found = server.message(conversation, message.id()).await?;
                Ok(found.map_or("not there", |_| "").into())
            }
            Action::Entry { user, other } => {
                self.entry(server, user, other).await?;
                done
            }
        }
    }

    fn new_message(&self, from: User, to: User, text: String) -> Result<NewMessage, Failure> {
        let (from, to) = (self.users[from].clone(), self.users[to].clone());
        Ok(NewMessage::new(from, to, text)?)
    }

    fn conversation_of(&self, one: User, two: User) -> ConversationId {
        ConversationId::direct(&self.users[one], &self.users[two])
    }

    /// Starts a write. It ends at once unless it is held.
    async fn write(
        &mut self,
        server: usize,
        label: Label,
        write: Write,
        hold: Option<Point>,
    ) -> Result<String, Failure> {
        let refusal = self.refusal(&write);
        let Some(future) = self.future_of(server, label, &write)? else {
            return Ok("the message was never made".into());
        };
        if let Write::SendOnce {
            from,
            to,
            key,
            text,
        } = write
        {
            let first = Keyed { to, text, id: None };
            self.keys.entry((from, key)).or_insert(first);
        }
        self.tee.state().writing = Some(label);
        let result = match hold {
            None => future.await,
            Some(point) => {
                let call = match write {
                    Write::Mark { .. } => Gated::Mark,
                    _ => Gated::Put,
                };
                match self.gate.start_or_end(call, point, future).await? {
                    Started::Ended(result) => result,
                    Started::Held(held) => {
                        let held = Held {
                            write: held,
                            label,
                            of: write,
                            since: self.time.now(),
                        };
                        self.held.insert(label, held);
                        return Ok(String::new());
                    }
                }
            }
        };
        match (result, refusal) {
            (Ok(_), Some(kinds)) => Err(Failure::new(format!(
                "it was acknowledged, and should be refused ({})",
                kinds[0]
            ))),
            (Err(error), Some(kinds)) if kinds.contains(&error.kind()) => {
                Ok(format!("refused, {}", error.kind()))
            }
            (Err(error), _) => Err(error.into()),
            (Ok(written), None) => self.acknowledged(label, &write, written).await,
        }
    }

    async fn release(&mut self, held: Held) -> Result<String, Failure> {
        self.tee.state().writing = Some(held.label);
        let written = held.write.finish().await?;
        self.acknowledged(held.label, &held.of, written).await
    }

    /// Returns the kinds of errors with one of which a write must be refused.
    fn refusal(&self, write: &Write) -> Option<&'static [ErrorKind]> {
        let (label, by) = match *write {
            Write::SendOnce {
                from,
                to,
                key,
                text,
            } => {
                let first = self.keys.get(&(from, key))?;
                let is_other = (first.to, first.text) != (to, text);
                return is_other.then_some(&[ErrorKind::KeyReused]);
            }
            Write::Edit { message, by, .. }
            | Write::Unsend { message, by }
            | Write::Mark { message, by } => (message, by),
            Write::Send { .. } | Write::SendPrepared { .. } | Write::Import { .. } => return None,
        };
        let message = self.messages.get(&label)?;
        let (conversation, id) = (message.conversation_id(), message.id());
        let Some(now) = self.tee.state().model.message(conversation, id) else {
            return Some(match write {
                // Invalid if it is above the last message.
                Write::Mark { .. } => &[ErrorKind::NotFound, ErrorKind::Invalid],
                _ => &[ErrorKind::NotFound],
            });
        };
        match write {
            Write::Mark { .. } => None,
            _ if by == By::Receiver => Some(&[ErrorKind::NotSender]),
            Write::Edit { .. } if now.is_unsent() => Some(&[ErrorKind::MessageUnsent]),
            _ => None,
        }
    }

    /// Returns the call of the messenger; `None` if it is about a message that was never made.
    fn future_of(
        &mut self,
        server: usize,
        label: Label,
        write: &Write,
    ) -> Result<Option<BoxFuture<'static, Result<Written, Error>>>, Failure> {
        let server = self.servers[server].clone();
        Ok(Some(match *write {
            Write::Send { from, to, long } => {
                let long = if long {
                    " é👍🏽".repeat(40)
                } else {
                    String::new()
                };
                let message = self.new_message(from, to, format!("m{label}{long}"))?;
                let prepared = server.prepare(message);
                self.messages.insert(label, prepared.message().clone());
                Box::pin(async move { prepared.send().await.map(Written::Message) })
            }
            Write::SendPrepared { message } => {
                let Some(prepared) = self.prepared.remove(&message) else {
                    return Ok(None);
                };
                Box::pin(async move { prepared.send().await.map(Written::Message) })
            }
            Write::SendOnce {
                from,
                to,
                key,
                text,
            } => {
                let message = self.new_message(from, to, format!("text {text}"))?;
                let key = IdempotencyKey::new(format!("k{key}"))?;
                Box::pin(async move { server.send_once(message, key).await.map(Written::Sent) })
            }
            Write::Import {
                from,
                to,
                ago,
                sequence,
                name,
            } => {
                let text = format!("import {ago} {sequence} {name}");
                let message = self.new_message(from, to, text)?;
                let import = Import::new(message, Timestamp::from_millis(NOON - ago)?)
                    .with_sequence(sequence)
                    .with_source_id([name]);
                Box::pin(async move { server.import(import).await.map(Written::Message) })
            }
            Write::Edit { message, by, same } => {
                let Some(message) = self.messages.get(&message).cloned() else {
                    return Ok(None);
                };
                let (conversation, id) = (message.conversation_id(), message.id());
                let now = self.tee.state().model.message(conversation, id);
                let content = match now.as_ref().and_then(Message::content) {
                    Some(content) if same => content.clone(),
                    _ => Content::new(format!("edit w{label}"))?,
                };
                Box::pin(async move {
                    let by = user(&message, by);
                    let edited = server.edit(conversation, id, by, content).await;
                    edited.map(Written::Message)
                })
            }
            Write::Unsend { message, by } => {
                let Some(message) = self.messages.get(&message).cloned() else {
                    return Ok(None);
                };
                Box::pin(async move {
                    let (conversation, by) = (message.conversation_id(), user(&message, by));
                    let unsent = server.unsend(conversation, message.id(), by).await;
                    unsent.map(Written::Message)
                })
            }
            Write::Mark { message, by } => {
                let Some(message) = self.messages.get(&message).cloned() else {
                    return Ok(None);
                };
                Box::pin(async move {
                    let (conversation, by) = (message.conversation_id(), user(&message, by));
                    let marked = server.mark_read(conversation, by, message.id()).await;
                    marked.map(Written::Entry)
                })
            }
        }))
    }

    /// Checks what an acknowledged write returned, and every view of its conversation.
    async fn acknowledged(
        &mut self,
        label: Label,
        write: &Write,
        written: Written,
    ) -> Result<String, Failure> {
        let (conversation, answer) = match written {
            Written::Message(message) => {
                self.message_acknowledged(label, write, &message)?;
                (message.conversation_id(), "")
            }
            Written::Sent(sent) => {
                self.keyed_send_acknowledged(label, write, &sent)?;
                let answer = if sent.replayed { "a replay" } else { "" };
                (sent.message.conversation_id(), answer)
            }
            Written::Entry(entry) => {
                let up_to = match *write {
                    Write::Mark { message, .. } => self.messages.get(&message).map(Message::id),
                    _ => None,
                };
                ensure!(
                    entry.read_up_to() >= up_to,
                    "it returned an entry that is not read up to the message"
                );
                (entry.id(), "")
            }
        };
        self.views_of(conversation).await?;
        Ok(answer.into())
    }

    fn message_acknowledged(&mut self, label: Label, write: &Write, message: &Message) -> Checked {
        let id = message.id();
        match write {
            Write::Unsend { .. } => {
                ensure!(message.is_unsent(), "it returned {}", message.name());
                self.tee.state().unsent.insert(id);
            }
            Write::Import { .. } => {
                self.messages.insert(label, message.clone());
                if self.tee.state().is_new {
                    for client in self.clients.values_mut() {
                        client.imported(id);
                    }
                }
            }
            _ => {}
        }
        if !message.is_original() {
            for client in self.clients.values_mut() {
                client.changed(id);
            }
        }
        Ok(())
    }

    fn keyed_send_acknowledged(&mut self, label: Label, write: &Write, sent: &Sent) -> Checked {
        let Write::SendOnce { from, key, .. } = *write else {
            return Ok(());
        };
        let id = sent.message.id();
        if let Some(first) = self.keys.get_mut(&(from, key)) {
            let known = *first.id.get_or_insert(id);
            ensure!(
                known == id,
                "it returned {id}, and an earlier send under the key {known}"
            );
        }
        self.messages.insert(label, sent.message.clone());
        if !sent.replayed {
            // It returns the text that it was called with, whatever happened meanwhile.
            return Ok(());
        }
        shows_no_unsent_text(&sent.message, &self.tee.state().unsent)
    }

    /// Waits. A write that is held for longer than a store allows continues before.
    async fn wait(&mut self, by: Duration) -> Result<String, Failure> {
        let end = self.time.now().saturating_add(by);
        let mut released = String::new();
        if let Some(timeout) = self.write_timeout {
            let late = |held: &Held| end.saturating_duration_since(held.since) > timeout;
            let overdue: Vec<_> = self
                .held
                .iter()
                .filter(|(_, held)| late(held))
                .map(|(&label, _)| label)
                .collect();
            for label in overdue {
                if let Some(held) = self.held.remove(&label) {
                    self.release(held).await?;
                    let _ = write!(released, "w{label} continues before, ");
                }
            }
        }
        self.time.advance(by);
        self.latest = self.latest.max(self.time.now());
        Ok(released.trim_end_matches(", ").into())
    }

    /// Reads the messages before a time: the newest ones of those that are older.
    async fn page_before(
        &self,
        server: usize,
        (one, two): (User, User),
        millis: u64,
        limit: u64,
    ) -> Checked {
        let (conversation, limit) = (self.conversation_of(one, two), Limit::new(limit)?);
        let before = Timestamp::from_millis(millis)?;
        let query = HistoryQuery::new().with_limit(limit).with_before(before);
        let page = self.servers[server].history(conversation, query).await?;
        let mut expected = self.tee.state().model.messages(conversation);
        expected.retain(|message| message.created_at() < before);
        let older = expected.len() > limit.get();
        let newest = expected.into_iter().rev().take(limit.get());
        same_list("the page", &page.items, &newest.collect::<Vec<_>>())?;
        ensure!(
            page.next.is_some() == older,
            "the page has a `next` although nothing is older, or none although something is"
        );
        Ok(())
    }

    /// Reads what a user sees of a conversation. The number of unread messages is that of the
    /// messages that others sent, above the marker.
    async fn entry(&self, server: usize, user: User, other: User) -> Checked {
        let (user, conversation) = (&self.users[user], self.conversation_of(user, other));
        let server = &self.servers[server];
        server.conversation(conversation).await?;
        let entry = server.entry(user, conversation).await?;
        let unread = server.unread(user, conversation).await?;
        let model = &self.tee.state().model;
        let expected = entry.map(|entry| {
            let messages = model.messages(conversation).into_iter();
            let unread = messages.filter(|message| Some(message.id()) > entry.read_up_to());
            let unread = unread.filter(|message| !message.is_unsent());
            unread.filter(|message| message.sender_id() != user).count()
        });
        let unread = unread.map(|unread| unread.count);
        same("the number of unread messages", &unread, &expected)
    }

    /// Reads every view of a conversation. The tee compares the stores with the model.
    async fn views_of(&self, conversation: ConversationId) -> Checked {
        let model = self.tee.state().model.clone();
        let Some(conversation) = model.conversation(conversation) else {
            return Ok(());
        };
        conversation_agrees(&*self.tee, &model, &conversation).await?;
        for user in conversation.participants() {
            inbox_agrees(&*self.tee, &model, user, MAX_LIMIT).await?;
            inbox_log_agrees(&*self.tee, &model, user, MAX_LIMIT).await?;
            unread_agrees(&*self.tee, &model, conversation.id(), user, None, 1).await?;
        }
        Ok(())
    }

    /// Lets held writes continue, and time pass. Then each client ends its walk and catches up once,
    /// and must have everything.
    pub(super) async fn end(mut self) -> Checked {
        while let Some((label, held)) = self.held.pop_first() {
            let result = self.release(held).await;
            self.conclude(Action::Release(label).to_string(), result)?;
        }
        self.prepared.clear();
        let long_enough = self.tee.settle() + Clock::MAX_AHEAD;
        self.time.advance(long_enough);
        self.log.push("everything settles".into());

        let mut clients = std::mem::take(&mut self.clients);
        for (&label, client) in &mut clients {
            let result = self.complete(client.as_mut()).await;
            let result = result.map(|()| String::new());
            let line = format!("c{label} walks to the end and catches up");
            self.conclude(line, result)?;
        }
        let model = self.tee.state().model.clone();
        let result = agree(&*self.tee, &model).await.map(|()| String::new());
        self.conclude("every view is read".into(), result)
    }

    async fn complete(&self, client: &mut dyn Reader) -> Checked {
        let server = &self.servers[0];
        let mut left = self.tee.state().model.conversations().len() + self.log.len();
        while client.older(server).await? {
            ensure!(left > 0, "a walk towards older items does not end");
            left -= 1;
        }
        let unsent = self.tee.state().unsent.clone();
        client.catch_up(server, &unsent).await?;
        client.is_complete(&self.tee.state())
    }

    fn step_back(&self, by: Duration) -> String {
        let to = self.time.now().saturating_sub(by);
        if to < self.latest.saturating_sub(self.max_step_back) {
            return "not that far".into();
        }
        self.time.step_back(by);
        String::new()
    }
}

fn user(message: &Message, by: By) -> &UserId {
    match by {
        By::Sender => message.sender_id(),
        By::Receiver => message.receiver_id(),
    }
}

/// Returns a clock that runs ahead of a time.
fn ahead(time: &ManualTime, by: Duration) -> Clock {
    let time = time.clone();
    Clock::with_source(move || time.system() + by)
}

/// Returns a clock that runs behind a time.
fn behind(time: &ManualTime, by: Duration) -> Clock {
    let time = time.clone();
    Clock::with_source(move || time.system() - by)
}
