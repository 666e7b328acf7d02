//! Writes: started, held, and checked when they are acknowledged.

use futures_util::future::BoxFuture;

use crate::conformance::Failure;
use crate::conformance::describe::Describe as _;
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::fixture::NOON;
use crate::conformance::gate::{Call as Gated, Point, Started};
use crate::{Content, Error, ErrorKind, IdempotencyKey, Import, Message, Sent, Timestamp, UserId};

use super::call::{By, Label, Write};
use super::state::{Driver, Held, Keyed, Written};
use super::tee::shows_no_unsent_text;

impl Driver {
    /// Starts a write. It ends at once unless it is held.
    pub(super) async fn write(
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

    pub(super) async fn release(&mut self, held: Held) -> Result<String, Failure> {
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
}

fn user(message: &Message, by: By) -> &UserId {
    match by {
        By::Sender => message.sender_id(),
        By::Receiver => message.receiver_id(),
    }
}
