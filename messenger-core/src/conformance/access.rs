//! Authorization cases, for [`Actor`] and every binding on top of it.
//!
//! A binding (HTTP, a WebSocket, a command line) implements [`Binding`], and [`check`] makes calls
//! through it as several users. The rules are those of [`Actor`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), messenger_core::conformance::Failure> {
//! use messenger_core::Messenger;
//! use messenger_core::conformance::access;
//! use messenger_memory::MemoryStore;
//!
//! let messenger = Messenger::new(MemoryStore::new());
//! access::check(&messenger, &messenger).await?;
//! # Ok(())
//! # }
//! ```

use async_trait::async_trait;

use super::Failure;
use super::failure::{Checked, ensure};
use crate::{
    Actor, Content, ConversationId, Cursor, Error, HistoryQuery, InboxQuery, Message, MessageId,
    Messenger, NewMessage, UserId,
};

/// A way to make the calls of a messenger as one user.
#[async_trait]
pub trait Binding: Send + Sync {
    /// Makes a call as this user, who is authenticated, and returns everything that the caller can
    /// observe of the answer.
    async fn call(&self, user: &UserId, call: &Call) -> Result<Answer, Failure>;
}

/// A call of [`Actor`].
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they are the parameters of the calls")]
#[non_exhaustive]
pub enum Call {
    Message {
        conversation: ConversationId,
        id: MessageId,
    },
    History {
        conversation: ConversationId,
        cursor: Option<Cursor>,
    },
    Inbox,
    Entry {
        conversation: ConversationId,
    },
    Edit {
        conversation: ConversationId,
        id: MessageId,
        content: Content,
    },
    Unsend {
        conversation: ConversationId,
        id: MessageId,
    },
    MarkRead {
        conversation: ConversationId,
        up_to: MessageId,
    },
    /// Follows the history, and ends after the changes that are available immediately.
    Follow {
        conversation: ConversationId,
        cursor: Option<Cursor>,
    },
}

/// An answer to a [`Call`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a binding must be able to write it"
)]
pub struct Answer {
    /// `true` if the call was made, and not refused or answered with "not found".
    pub granted: bool,
    /// Everything that the caller can observe: over HTTP the status, headers and body, except the
    /// request id.
    pub text: String,
}

/// Checks that a binding over this messenger keeps the rules of [`Actor`]. It makes users of its own.
///
/// # Errors
///
/// The first call that was answered wrongly.
pub async fn check(messenger: &Messenger, binding: &dyn Binding) -> Checked {
    let scene = Scene::new(messenger, binding).await?;
    scene.a_stranger_learns_nothing().await?;
    scene.a_stranger_changes_nothing().await?;
    scene.a_participant_reads_and_marks().await?;
    scene.only_the_sender_changes_a_message().await
}

/// Two users with a conversation, and a third one who takes no part.
struct Scene<'a> {
    messenger: &'a Messenger,
    binding: &'a dyn Binding,
    sender: UserId,
    receiver: UserId,
    stranger: UserId,
    message: Message,
    /// A conversation and a message that do not exist.
    nothing: Message,
}

impl<'a> Scene<'a> {
    async fn new(messenger: &'a Messenger, binding: &'a dyn Binding) -> Result<Self, Failure> {
        let run: u64 = rand::random();
        let user = |name: &str| UserId::new(format!("{name}-{run:016x}"));
        let (sender, receiver) = (user("sender")?, user("receiver")?);
        let text = NewMessage::new(sender.clone(), receiver.clone(), "for your eyes only")?;
        let message = messenger.send(text).await?;
        // Only prepared, so its conversation and its id have no message.
        let nothing = NewMessage::new(user("no-one")?, user("nobody")?, "not sent")?;
        let nothing = messenger.prepare(nothing).message().clone();
        Ok(Self {
            messenger,
            binding,
            sender,
            receiver,
            stranger: user("stranger")?,
            message,
            nothing,
        })
    }

    async fn call(&self, user: &UserId, call: &Call) -> Result<Answer, Failure> {
        let answer = self.binding.call(user, call).await;
        answer.map_err(|failure| failure.during(format!("{call:?} as {user}")))
    }

    /// All calls about a message and its conversation.
    async fn calls_about(&self, message: &Message) -> Result<Vec<Call>, Failure> {
        let (conversation, id) = (message.conversation_id(), message.id());
        let page = self.messenger.history(conversation, HistoryQuery::new());
        let prev = Some(page.await?.prev);
        Ok(vec![
            Call::Message { conversation, id },
            Call::History {
                conversation,
                cursor: None,
            },
            Call::History {
                conversation,
                cursor: prev,
            },
            Call::Entry { conversation },
            Call::Edit {
                conversation,
                id,
                content: Content::new("mine")?,
            },
            Call::Unsend { conversation, id },
            Call::MarkRead {
                conversation,
                up_to: id,
            },
            Call::Follow {
                conversation,
                cursor: None,
            },
            Call::Follow {
                conversation,
                cursor: prev,
            },
        ])
    }

    async fn a_stranger_learns_nothing(&self) -> Checked {
        let of_others = self.calls_about(&self.message).await?;
        let of_nothing = self.calls_about(&self.nothing).await?;
        for (other, nothing) in of_others.iter().zip(&of_nothing) {
            let (seen, expected) = (
                self.call(&self.stranger, other).await?,
                self.call(&self.stranger, nothing).await?,
            );
            ensure!(
                !seen.granted,
                "a user who takes no part made {other:?}, and got {}",
                seen.text
            );
            let (seen, expected) = (
                without_ids(&seen.text, &self.message),
                without_ids(&expected.text, &self.nothing),
            );
            ensure!(
                seen == expected,
                "a user who takes no part can tell a conversation of others from none by \
                 {other:?}: got\n{seen}\nand, for one that does not exist,\n{expected}"
            );
        }
        let inbox = self.call(&self.stranger, &Call::Inbox).await?;
        let conversation = self.message.conversation_id().to_string();
        ensure!(
            !inbox.text.contains(&conversation),
            "the inbox of a user who takes no part has the conversation: {}",
            inbox.text
        );
        Ok(())
    }

    /// The stranger has tried everything when this runs.
    async fn a_stranger_changes_nothing(&self) -> Checked {
        let (conversation, id) = (self.message.conversation_id(), self.message.id());
        let message = self.messenger.message(conversation, id).await?;
        ensure!(
            message.as_ref() == Some(&self.message),
            "a user who takes no part has changed a message: it was {:?} and is {message:?}",
            self.message
        );
        for user in [&self.sender, &self.receiver, &self.stranger] {
            let entry = self.messenger.entry(user, conversation).await?;
            let is_marked = entry.is_some_and(|entry| entry.read_up_to().is_some());
            ensure!(
                !is_marked,
                "a user who takes no part has moved a read marker"
            );
        }
        Ok(())
    }

    async fn a_participant_reads_and_marks(&self) -> Checked {
        let changes = |call: &Call| matches!(call, Call::Edit { .. } | Call::Unsend { .. });
        for user in [&self.receiver, &self.sender] {
            for call in self.calls_about(&self.message).await? {
                if changes(&call) {
                    continue;
                }
                let answer = self.call(user, &call).await?;
                ensure!(
                    answer.granted,
                    "a participant could not make {call:?}: {}",
                    answer.text
                );
            }
        }
        Ok(())
    }

    async fn only_the_sender_changes_a_message(&self) -> Checked {
        let (conversation, id) = (self.message.conversation_id(), self.message.id());
        let content = Content::new("changed")?;
        let edit = Call::Edit {
            conversation,
            id,
            content,
        };
        let unsend = Call::Unsend { conversation, id };
        for call in [&edit, &unsend] {
            let answer = self.call(&self.receiver, call).await?;
            ensure!(
                !answer.granted,
                "the receiver of a message made {call:?}: {}",
                answer.text
            );
        }
        let message = self.messenger.message(conversation, id).await?;
        ensure!(
            message.as_ref() == Some(&self.message),
            "the receiver of a message has changed it: {message:?}"
        );
        for call in [&edit, &unsend] {
            let answer = self.call(&self.sender, call).await?;
            ensure!(
                answer.granted,
                "the sender of a message could not make {call:?}: {}",
                answer.text
            );
        }
        Ok(())
    }
}

/// Replaces the ids that the caller has sent, which an answer may repeat.
fn without_ids(text: &str, message: &Message) -> String {
    text.replace(&message.conversation_id().to_string(), "<conversation>")
        .replace(&message.id().to_string(), "<message>")
}

/// The calls of [`Actor`] themselves.
#[async_trait]
impl Binding for Messenger {
    async fn call(&self, user: &UserId, call: &Call) -> Result<Answer, Failure> {
        let answer = call_actor(&self.acting_as(user.clone()), call.clone()).await;
        Ok(match answer {
            Ok(Some(text)) => Answer {
                granted: true,
                text,
            },
            Ok(None) => Answer {
                granted: false,
                text: "None".into(),
            },
            Err(error) => Answer {
                granted: false,
                text: format!("{error:?}"),
            },
        })
    }
}

async fn call_actor(actor: &Actor, call: Call) -> Result<Option<String>, Error> {
    Ok(match call {
        Call::Message { conversation, id } => {
            let message = actor.message(conversation, id).await?;
            message.map(|message| format!("{message:?}"))
        }
        Call::History {
            conversation,
            cursor,
        } => {
            let query = HistoryQuery::new().with_cursor(cursor);
            Some(format!("{:?}", actor.history(conversation, query).await?))
        }
        Call::Inbox => Some(format!("{:?}", actor.inbox(InboxQuery::new()).await?)),
        Call::Entry { conversation } => {
            let entry = actor.entry(conversation).await?;
            let known = actor.conversation(conversation).await?;
            let unread = actor.unread(conversation).await?;
            match (entry, known, unread) {
                (None, None, None) => None,
                answers => Some(format!("{answers:?}")),
            }
        }
        Call::Edit {
            conversation,
            id,
            content,
        } => Some(format!(
            "{:?}",
            actor.edit(conversation, id, content).await?
        )),
        Call::Unsend { conversation, id } => {
            Some(format!("{:?}", actor.unsend(conversation, id).await?))
        }
        Call::MarkRead {
            conversation,
            up_to,
        } => Some(format!("{:?}", actor.mark_read(conversation, up_to).await?)),
        Call::Follow {
            conversation,
            cursor,
        } => follow(actor, conversation, cursor).await?,
    })
}

#[cfg(feature = "live")]
async fn follow(
    actor: &Actor,
    conversation: ConversationId,
    cursor: Option<Cursor>,
) -> Result<Option<String>, Error> {
    let _batches = actor.follow_history(conversation, cursor).await?;
    Ok(Some("a stream".into()))
}

/// Without the feature `live` a whole history is the only stream.
#[cfg(not(feature = "live"))]
async fn follow(
    actor: &Actor,
    conversation: ConversationId,
    _cursor: Option<Cursor>,
) -> Result<Option<String>, Error> {
    use futures_util::TryStreamExt as _;

    let first = actor.history_stream(conversation).try_next().await?;
    Ok(first.map(|_| "a stream".into()))
}
