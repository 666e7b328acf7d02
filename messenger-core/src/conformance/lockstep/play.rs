//! Performs a list of calls, and says at which one something was wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::store::Slice;
use crate::testing::check::Brief;
use crate::testing::failure::{Verdict, ensure};
use crate::testing::sending::Sending;
use crate::testing::stage::{NOON, Pair, names};
use crate::testing::{Failure, Gate, ManualTime};
use crate::{
    ConversationId, ErrorKind, IdempotencyKey, Import, Message, MessageId, Messenger, NewMessage,
    Store as _, Timestamp, UserId,
};

use super::clients::Follower;
use super::fan::{Fan, Named};
use super::reads::Turned;
use super::script::{Call, Label, USERS, Who};

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

pub(super) struct Play {
    pub(super) users: Vec<UserId>,
    pub(super) fan: Arc<Fan>,
    gate: Gate,
    pub(super) time: ManualTime,
    /// The latest time that it ever was; the clock does not step further back than it may.
    latest: Timestamp,
    pub(super) messenger: Messenger,
    pub(super) messages: BTreeMap<Label, Message>,
    pub(super) labels: BTreeMap<MessageId, String>,
    keys: BTreeMap<(Who, u8), (Who, u8, Message)>,
    pub(super) in_flight: BTreeMap<Label, Sending>,
    /// The greatest id that the messenger's clock is known to have made.
    pub(super) greatest: Option<MessageId>,
    pub(super) pages: BTreeMap<Label, Turned>,
    pub(super) clients: BTreeMap<Label, Follower>,
    log: Vec<String>,
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

    pub(super) fn conversation_of(&self, one: Who, two: Who) -> ConversationId {
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
