//! Makes the calls of a sequence, and says at which one something went wrong.

use std::fmt::Write as _;
use std::time::Duration;

use crate::conformance::Failure;
use crate::conformance::failure::Checked;
use crate::conformance::views::agree;
use crate::store::Store as _;
use crate::{Clock, Position};

use super::call::{Action, Call, USERS, Write};
use super::state::{Driver, Held};

impl Driver {
    /// Makes one call. A failure names all calls before it.
    pub(super) async fn make(&mut self, call: &Call) -> Checked {
        let server = call.server % self.servers.len();
        let mut line = call.action.to_string();
        if server > 0 {
            line.push_str(", at the second server");
        }
        if let Some(label) = call.action.label() {
            self.next_label = self.next_label.max(label + 1);
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
                self.walk(server, list, limit).await?;
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
                let mut client = self.client(server, list, limit)?;
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

    fn step_back(&self, by: Duration) -> String {
        let to = self.time.now().saturating_sub(by);
        if to < self.latest.saturating_sub(self.max_step_back) {
            return "not that far".into();
        }
        self.time.step_back(by);
        String::new()
    }

    /// Ends the run. Held writes continue, time passes, and each client ends its walk, catches up once
    /// and must have everything. Then what was not sent yet is sent, and every keyed send repeated,
    /// as clients do when they are back online. A reader who caught up beyond it must find it.
    pub(super) async fn end(mut self) -> Checked {
        while let Some((label, held)) = self.held.pop_first() {
            let result = self.release(held).await;
            self.conclude(Action::Release(label).to_string(), result)?;
        }
        // A prepared message is in flight, so catching up is complete only when it was sent.
        self.catch_up(self.prepared.is_empty()).await?;

        let prepared = self.prepared.keys();
        let prepared = prepared.map(|&message| Write::SendPrepared { message });
        let keyed = self
            .keys
            .iter()
            .map(|(&(from, key), first)| Write::SendOnce {
                from,
                to: first.to,
                key,
                text: first.text,
            });
        let late: Vec<_> = prepared.chain(keyed).collect();
        for (label, write) in (self.next_label..).zip(late) {
            let hold = None;
            let action = Action::Write { label, write, hold };
            self.make(&Call { server: 0, action }).await?;
        }
        self.catch_up(true).await?;

        let model = self.tee.state().model.clone();
        let result = agree(&*self.tee, &model).await.map(|()| String::new());
        self.conclude("every view is read".into(), result)
    }

    /// Lets everything settle. Then each client ends its walk and catches up once, and must have
    /// everything if nothing is in flight.
    async fn catch_up(&mut self, must_have_all: bool) -> Checked {
        self.time.advance(self.tee.settle() + Clock::MAX_AHEAD);
        self.log.push("everything settles".into());
        let mut clients = std::mem::take(&mut self.clients);
        for (&label, client) in &mut clients {
            let mut result = self.catch_up_to_the_end(client.as_mut()).await;
            if must_have_all {
                result = result.and_then(|()| client.is_complete(&self.tee.state()));
            }
            let line = format!("c{label} walks to the end and catches up");
            self.conclude(line, result.map(|()| String::new()))?;
        }
        self.clients = clients;
        Ok(())
    }
}
