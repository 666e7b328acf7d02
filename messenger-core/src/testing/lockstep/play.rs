//! Performs a list of calls, and says at which one something was wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::cursor::Position;
use crate::id::Ticks;
use crate::store::{Order, Slice};
use crate::testing::check::{Brief, read_all, same, same_list};
use crate::testing::client::{Client, History, Inbox, over_the_wire};
use crate::testing::failure::{Verdict, ensure};
use crate::testing::sending::Sending;
use crate::testing::stage::{NOON, Pair, names};
use crate::testing::{Failure, Gate, ManualTime};
use crate::walk::Placed;
use crate::{
    ConversationId, Cursor, ErrorKind, HistoryQuery, IdempotencyKey, Import, InboxQuery, Limit,
    Message, MessageId, Messenger, NewMessage, Page, Store as _, Subject, Timestamp, UserId,
};

use super::fan::{Fan, Named};
use super::paging::{self, Expected, Mark};
use super::script::{Call, From, Label, Listed, USERS, Who};

/// Plays the calls on these stores.
pub(super) async fn play(
    stores: Vec<Named>,
    calls: &[Call],
    on_call: impl Fn(&Call) + Send,
) -> Verdict {
    let mut play = Play::new(stores)?;
    for call in calls {
        on_call(call);
        play.step(call).await?;
    }
    play.end().await
}

struct Play {
    users: Vec<UserId>,
    fan: Arc<Fan>,
    gate: Gate,
    time: ManualTime,
    /// The latest time that it ever was; the clock does not step further back than it may.
    latest: Timestamp,
    messenger: Messenger,
    messages: BTreeMap<Label, Message>,
    labels: BTreeMap<MessageId, String>,
    keys: BTreeMap<(Who, u8), (Who, u8, Message)>,
    in_flight: BTreeMap<Label, Sending>,
    /// The greatest id that the messenger's clock is known to have made.
    greatest: Option<MessageId>,
    pages: BTreeMap<Label, Turned>,
    clients: BTreeMap<Label, Follower>,
    log: Vec<String>,
}

/// The cursors of a page that was read, and where they must lead.
struct Turned {
    next: Option<(Cursor, Mark)>,
    prev: (Cursor, Mark),
}

/// A client that catches up, and the imports that came after it began.
struct Follower {
    client: AnyClient,
    imported: Vec<MessageId>,
}

enum AnyClient {
    History(Client<History>),
    Inbox(Client<Inbox>),
}

impl Play {
    fn new(stores: Vec<Named>) -> Result<Self, Failure> {
        let names = names();
        let users = USERS
            .iter()
            .map(|user| names.user(user))
            .collect::<Result<_, _>>()?;
        let fan = Arc::new(Fan::new(stores));
        let gate = Gate::new(Arc::clone(&fan));
        let start = Timestamp::saturating_from_millis(NOON.into());
        let time = ManualTime::at(start);
        Ok(Self {
            users,
            messenger: Messenger::with_clock(gate.clone(), time.clock()),
            fan,
            gate,
            latest: start,
            time,
            messages: BTreeMap::new(),
            labels: BTreeMap::new(),
            keys: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            greatest: None,
            pages: BTreeMap::new(),
            clients: BTreeMap::new(),
            log: Vec::new(),
        })
    }

    /// One call; if it goes wrong, with all that were made before it.
    async fn step(&mut self, call: &Call) -> Verdict {
        let line = call.to_string();
        let mut verdict = self.perform(call).await;
        // At once, so that a list of calls ends with the one that went wrong.
        if verdict.is_ok()
            && let Some(message) = call.written().and_then(|label| self.messages.get(&label))
            && let Err(failure) = self.views_of(message).await
        {
            verdict = Err(failure);
        }
        let verdict = self.fan.disagreement().map_or(verdict, Err);
        match verdict {
            Ok(answer) => {
                let arrow = if answer.is_empty() { "" } else { "  =>  " };
                self.log.push(format!("{line}{arrow}{answer}"));
                Ok(())
            }
            Err(failure) => {
                self.log.push(line);
                Err(self.report(&failure))
            }
        }
    }

    /// The calls so far, numbered, and what went wrong with the last one.
    fn report(&self, failure: &Failure) -> Failure {
        let mut text = String::from("after these calls\n");
        for (n, line) in self.log.iter().enumerate() {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{:>4}. {line}", n + 1);
        }
        let mut what = failure.to_string();
        for (id, label) in &self.labels {
            what = what.replace(&id.to_string(), label);
        }
        for (user, name) in self.users.iter().zip(USERS) {
            what = what.replace(user.as_str(), name);
        }
        let _ = write!(text, "      {what}");
        Failure::new(text)
    }

    async fn perform(&mut self, call: &Call) -> Result<String, Failure> {
        match *call {
            Call::Send {
                label,
                from,
                to,
                long,
            } => self.send(label, from, to, long).await,
            Call::SendOnce {
                label,
                from,
                to,
                key,
                text,
            } => self.send_once(label, (from, to), key, text).await,
            Call::Import {
                label,
                from,
                to,
                ago,
                sequence,
                name,
            } => self.import(label, (from, to), ago, sequence, name).await,
            Call::Hold {
                label,
                from,
                to,
                point,
            } => {
                let message = self.new_message(from, to, format!("m{label}"))?;
                let sending = Sending::start(&self.gate, &self.messenger, point, message).await?;
                self.made(label, &sending.message);
                self.in_flight.insert(label, sending);
                Ok(String::new())
            }
            Call::Release(label) => {
                if let Some(sending) = self.in_flight.remove(&label) {
                    sending.finish().await?;
                }
                Ok(String::new())
            }
            Call::Drop(label) => {
                if let Some(sending) = self.in_flight.remove(&label) {
                    sending.drop().await;
                }
                Ok(String::new())
            }
            Call::Pass { millis } => {
                self.pass(Duration::from_millis(millis));
                Ok(String::new())
            }
            Call::StepBack { millis } => Ok(self.step_back(millis)),
            Call::Page {
                label,
                list,
                from,
                limit,
                before,
            } => self.page(label, list, from, limit, before).await,
            Call::Stray { page, list } => self.stray(page, list).await,
            Call::Message { of, one, two } => self.message(of, one, two).await,
            Call::Conversation(one, two) => self.conversation(one, two).await,
            Call::Follow { label, list, limit } => self.follow(label, list, limit).await,
            Call::CatchUp(label) => self.catch_up(label).await,
        }
    }

    fn new_message(&self, from: Who, to: Who, text: String) -> Result<NewMessage, Failure> {
        Pair::new(self.users[from].clone(), self.users[to].clone()).text(text)
    }

    fn conversation_of(&self, one: Who, two: Who) -> ConversationId {
        ConversationId::direct(&self.users[one], &self.users[two])
    }

    /// Notes a message down, and by which name failures call it.
    fn made(&mut self, label: Label, message: &Message) {
        self.messages.insert(label, message.clone());
        self.labels
            .entry(message.id())
            .or_insert_with(|| format!("m{label}"));
        self.greatest = self.greatest.max(Some(message.id()));
    }

    fn pass(&mut self, by: Duration) {
        self.time.advance(by);
        self.latest = self.latest.max(self.time.now());
    }

    /// Within what a clock may be behind of its own ids without sends being refused.
    fn step_back(&mut self, millis: u64) -> String {
        let lowest = self.latest.saturating_sub(Duration::from_secs(3));
        let to = self
            .time
            .now()
            .saturating_sub(Duration::from_millis(millis));
        if to < lowest {
            return "no further".into();
        }
        self.time.step_back(Duration::from_millis(millis));
        String::new()
    }

    async fn send(
        &mut self,
        label: Label,
        from: Who,
        to: Who,
        long: bool,
    ) -> Result<String, Failure> {
        let text = format!(
            "m{label}{}",
            if long {
                " é👍🏽".repeat(40)
            } else {
                String::new()
            }
        );
        let message = self.new_message(from, to, text)?;
        let sent = self.messenger.send(message).await?;
        ensure!(
            self.greatest < Some(sent.id()),
            "its id is not greater than those of earlier sends"
        );
        self.made(label, &sent);
        Ok(String::new())
    }

    async fn send_once(
        &mut self,
        label: Label,
        (from, to): (Who, Who),
        key: u8,
        text: u8,
    ) -> Result<String, Failure> {
        let message = self.new_message(from, to, format!("text {text}"))?;
        let name = IdempotencyKey::new(format!("k{key}"))?;
        let answer = self.messenger.send_once(message, name).await;
        match self.keys.get(&(from, key)) {
            None => {
                let sent = answer?;
                ensure!(
                    !sent.replayed,
                    "the first send under a key is called a replay"
                );
                self.made(label, &sent.message);
                self.keys.insert((from, key), (to, text, sent.message));
                Ok("sent".into())
            }
            Some((to_whom, what, first)) if (*to_whom, *what) == (to, text) => {
                let sent = answer?;
                ensure!(
                    sent.replayed && sent.message == *first,
                    "a second send under a key gave {}, replayed: {}, and should replay {}",
                    sent.message.brief(),
                    sent.replayed,
                    first.brief()
                );
                self.messages.insert(label, sent.message);
                Ok("a replay".into())
            }
            Some(_) => {
                let kind = answer.as_ref().err().map(crate::Error::kind);
                ensure!(
                    kind == Some(ErrorKind::KeyReused),
                    "another payload under a used key gave {answer:?}"
                );
                Ok("refused".into())
            }
        }
    }

    async fn import(
        &mut self,
        label: Label,
        (from, to): (Who, Who),
        ago: u64,
        sequence: u16,
        name: u8,
    ) -> Result<String, Failure> {
        let message = self.new_message(from, to, format!("import {ago} {sequence} {name}"))?;
        let at = Timestamp::from_millis(NOON - ago)?;
        let import = Import::new(message, at)
            .with_sequence(sequence)
            .with_source_id([name]);
        let message = self.messenger.import(import).await?;
        self.messages.insert(label, message.clone());
        self.labels
            .entry(message.id())
            .or_insert_with(|| format!("m{label}"));
        for follower in self.clients.values_mut() {
            follower.imported.push(message.id());
        }
        Ok(String::new())
    }

    /// Up to where a read that starts now sees all that there will ever be.
    fn settled(&self) -> Position {
        let first = self.in_flight.values().map(|sending| sending.message.id());
        let here = match first.min() {
            Some(first) => Position::from(first).pred(),
            None => {
                let now = Ticks::start_of(self.time.now());
                let made = self.greatest.map_or(now, MessageId::ticks);
                Position::end_of(now.max(made))
            }
        };
        let settle = self.fan.settle();
        if settle.is_zero() {
            return here;
        }
        let elsewhere = self.time.now().saturating_sub(settle);
        here.min(Position::start_of(elsewhere).pred())
    }

    async fn page(
        &mut self,
        label: Label,
        list: Listed,
        from: From,
        limit: u64,
        before: Option<u64>,
    ) -> Result<String, Failure> {
        let from = match from {
            From::Start => None,
            From::Next(page) => match self.pages.get(&page).and_then(|page| page.next) {
                None => return Ok("there is nothing older".into()),
                next => next,
            },
            From::Prev(page) => match self.pages.get(&page) {
                None => return Ok("there was no such page".into()),
                Some(page) => Some(page.prev),
            },
        };
        let cursor = from.map(|(cursor, _)| over_the_wire(cursor)).transpose()?;
        let mark = from.map(|(_, mark)| mark);
        let limit = Limit::new(limit)?;
        let settled = self.settled();
        let (turned, answer) = match list {
            Listed::History(one, two) => {
                let conversation = self.conversation_of(one, two);
                let before = before.map(Timestamp::from_millis).transpose()?;
                let query = HistoryQuery::new()
                    .with_limit(limit)
                    .with_cursor(cursor)
                    .with_before(before);
                let page = self.messenger.history(conversation, query).await?;
                let whole = {
                    let model = self.fan.model.lock();
                    read_all(
                        |slice| model.history(conversation, slice),
                        Order::NewestFirst,
                    )
                };
                let before = before.map(Position::start_of);
                let expected = paging::page(&whole, mark, limit.get(), before, settled);
                (turned(&page, &expected)?, self.brief(&page))
            }
            Listed::Inbox(user) => {
                let user = self.users[user].clone();
                let query = InboxQuery::new().with_limit(limit).with_cursor(cursor);
                let page = self.messenger.inbox(&user, query).await?;
                let whole = {
                    let model = self.fan.model.lock();
                    read_all(|slice| model.inbox(&user, slice), Order::NewestFirst)
                };
                let expected = paging::page(&whole, mark, limit.get(), None, settled);
                (turned(&page, &expected)?, self.brief(&page))
            }
        };
        self.pages.insert(label, turned);
        Ok(answer)
    }

    fn brief<T: Placed>(&self, page: &Page<T>) -> String {
        let items: Vec<_> = page
            .items
            .iter()
            .map(|item| {
                let labels = self.labels.iter();
                let label = labels
                    .filter(|(id, _)| Position::from(**id) == item.position())
                    .map(|(_, label)| label.as_str());
                label.last().unwrap_or("?")
            })
            .collect();
        let more = if page.next.is_some() { ", more" } else { "" };
        format!("[{}]{more}", items.join(" "))
    }

    async fn stray(&mut self, page: Label, list: Listed) -> Result<String, Failure> {
        let Some(page) = self.pages.get(&page) else {
            return Ok("there was no such page".into());
        };
        let next = page.next.map(|(cursor, _)| cursor);
        for cursor in [Some(page.prev.0), next].into_iter().flatten() {
            let cursor = over_the_wire(cursor)?;
            let error = match list {
                Listed::History(one, two) => {
                    let query = HistoryQuery::new().with_cursor(cursor);
                    let conversation = self.conversation_of(one, two);
                    self.messenger.history(conversation, query).await.err()
                }
                Listed::Inbox(user) => {
                    let query = InboxQuery::new().with_cursor(cursor);
                    self.messenger.inbox(&self.users[user], query).await.err()
                }
            };
            ensure!(
                error.as_ref().and_then(crate::Error::subject) == Some(Subject::CursorScope),
                "a cursor of another list was not refused: {error:?}"
            );
        }
        Ok("refused".into())
    }

    async fn message(&mut self, of: Label, one: Who, two: Who) -> Result<String, Failure> {
        let Some(message) = self.messages.get(&of) else {
            return Ok("it was never made".into());
        };
        let conversation = self.conversation_of(one, two);
        let got = self.messenger.message(conversation, message.id()).await?;
        let expected = self.fan.model.lock().message(conversation, message.id());
        same("the message", &got, &expected)?;
        Ok(if got.is_some() { "there" } else { "not there" }.into())
    }

    async fn conversation(&mut self, one: Who, two: Who) -> Result<String, Failure> {
        let id = self.conversation_of(one, two);
        let got = self.messenger.conversation(id).await?;
        let expected = self.fan.model.lock().conversation(id);
        same("the conversation", &got, &expected)?;
        Ok(if got.is_some() { "there" } else { "not there" }.into())
    }

    async fn follow(&mut self, label: Label, list: Listed, limit: u64) -> Result<String, Failure> {
        let messenger = &self.messenger;
        let client = match list {
            Listed::History(one, two) => {
                let list = History(self.conversation_of(one, two));
                let mut client = Client::new(messenger, list, limit)?;
                let next = client.open().await?;
                client.walk(next).await?;
                AnyClient::History(client)
            }
            Listed::Inbox(user) => {
                let mut client = Client::new(messenger, Inbox(self.users[user].clone()), limit)?;
                let next = client.open().await?;
                client.walk(next).await?;
                AnyClient::Inbox(client)
            }
        };
        let imported = Vec::new();
        self.clients.insert(label, Follower { client, imported });
        Ok(String::new())
    }

    async fn catch_up(&mut self, label: Label) -> Result<String, Failure> {
        match self.clients.get_mut(&label) {
            None => return Ok("it never walked".into()),
            Some(follower) => follower.client.catch_up().await?,
        }
        Ok(String::new())
    }

    /// What was held goes on, time passes, all clients catch up, and have everything.
    async fn end(mut self) -> Verdict {
        let held: Vec<_> = self.in_flight.keys().copied().collect();
        for label in held {
            self.step(&Call::Release(label)).await?;
        }
        self.pass(self.fan.settle() + Duration::from_secs(1));
        let clients: Vec<_> = self.clients.keys().copied().collect();
        for label in clients {
            for _ in 0..2 {
                self.step(&Call::CatchUp(label)).await?;
            }
            self.is_complete(label)
                .map_err(|failure| self.report(&failure.during(format!("c{label}"))))?;
        }
        self.everything()
            .await
            .map_err(|failure| self.report(&failure.during("in the end")))
    }

    /// A client that walked and caught up has all but what was imported since.
    fn is_complete(&self, label: Label) -> Verdict {
        let Some(Follower { client, imported }) = self.clients.get(&label) else {
            return Ok(());
        };
        let model = self.fan.model.lock();
        match client {
            AnyClient::History(client) => {
                let whole = read_all(
                    |slice| model.history(client.list.0, slice),
                    Order::NewestFirst,
                );
                for message in whole {
                    ensure!(
                        client.has(message.id()) || imported.contains(&message.id()),
                        "has walked and caught up, and has missed {}",
                        message.brief()
                    );
                }
            }
            AnyClient::Inbox(client) => {
                let whole = read_all(
                    |slice| model.inbox(&client.list.0, slice),
                    Order::NewestFirst,
                );
                for conversation in whole {
                    let last = conversation.last_message().id();
                    let seen = client.seen.get(&conversation.id().as_uuid());
                    ensure!(
                        seen == Some(&conversation) || imported.contains(&last),
                        "has walked and caught up, and has missed {}",
                        conversation.brief()
                    );
                }
            }
        }
        Ok(())
    }

    /// Asks for every list once more; the fan compares.
    async fn everything(&self) -> Verdict {
        let model = self.fan.model.lock().clone();
        for conversation in model.conversations() {
            let last = model.message(conversation.id(), conversation.last_message().id());
            if let Some(last) = last {
                self.views_of(&last).await?;
            }
        }
        Ok(())
    }

    /// Asks for the lists that a message is in; the fan compares.
    async fn views_of(&self, message: &Message) -> Verdict {
        let ask = async {
            let whole = Slice::newest(Slice::MAX_LIMIT);
            let conversation = message.conversation_id();
            self.fan.history(conversation, whole).await?;
            self.fan.conversation(conversation).await?;
            self.fan.inbox(message.sender_id(), whole).await?;
            self.fan.inbox(message.receiver_id(), whole).await?;
            Ok::<_, crate::Error>(())
        };
        let asked = ask.await;
        match self.fan.disagreement() {
            Some(failure) => Err(failure),
            None => Ok(asked?),
        }
    }
}

impl AnyClient {
    async fn catch_up(&mut self) -> Verdict {
        match self {
            Self::History(client) => client.catch_up().await.map(drop),
            Self::Inbox(client) => client.catch_up().await.map(drop),
        }
    }
}

/// Compares a page with what it must be, and keeps its cursors.
fn turned<T: Placed + Brief + PartialEq>(
    page: &Page<T>,
    expected: &Expected<T>,
) -> Result<Turned, Failure> {
    same_list("the page", &page.items, &expected.items)?;
    let next = match (page.next, expected.next) {
        (Some(cursor), Some(mark)) => Some((cursor, mark)),
        (None, None) => None,
        (Some(_), None) => return Err(Failure::new("the page has a `next`, and nothing is older")),
        (None, Some(_)) => return Err(Failure::new("the page has no `next`, and there is more")),
    };
    Ok(Turned {
        next,
        prev: (page.prev, expected.prev),
    })
}
