//! Changing messages and moving read markers.

use super::policy::{Action, By};
use super::{Messenger, unless_not_applied};
use crate::error::{Error, ErrorKind, Outcome, Subject};
use crate::ids::{ConversationId, LogKey, MessageId, UserId};
use crate::model::{Content, InboxEntry, Message, ReadMarker};

impl Messenger {
    /// Replaces the text of a message and returns the edited message.
    ///
    /// Only its sender may edit it, and for a user who takes no part in the conversation it does not
    /// exist. It can be edited within the edit window (15 minutes by default; see
    /// [`MessengerOptions::with_edit_window`](crate::MessengerOptions::with_edit_window)). The same
    /// text makes no new version, so repeating an edit is safe. Earlier texts are not kept.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotSender`], [`ErrorKind::MessageUnsent`] or
    /// [`ErrorKind::EditWindowOver`], all with nothing written, and those of [`send`](Self::send).
    /// [`ErrorKind::Unavailable`], `NotApplied`, if the message lies ahead of this server's clock.
    pub async fn edit(
        &self,
        conversation: ConversationId,
        id: MessageId,
        sender: &UserId,
        content: Content,
    ) -> Result<Message, Error> {
        let by = By::trusted(sender);
        self.edit_by(by, conversation, id, content).await
    }

    pub(super) async fn edit_by(
        &self,
        by: By<'_>,
        conversation: ConversationId,
        id: MessageId,
        content: Content,
    ) -> Result<Message, Error> {
        let message = self.sent_by(conversation, id, by.user).await?;
        by.ask(Action::Edit {
            message: &message,
            content: &content,
        })
        .await?;
        let Some(current) = message.content() else {
            return Err(refused(
                ErrorKind::MessageUnsent,
                "the message was unsent and can no longer be edited",
            ));
        };
        if *current == content {
            return self.confirm(message).await;
        }
        let revision = self.revise(&message)?;
        let age = revision
            .id()
            .timestamp()
            .saturating_duration_since(message.created_at());
        if let Some(window) = self.inner.options.edit_window
            && age > window
        {
            return Err(refused(
                ErrorKind::EditWindowOver,
                format!(
                    "a message can be edited within {} seconds after it was sent",
                    window.as_secs()
                ),
            ));
        }
        let edited = message.edited(revision.id().into(), content);
        self.put(revision.id(), &edited).await?;
        Ok(edited)
    }

    /// Unsends a message and returns it without its text.
    ///
    /// Only its sender may unsend it, at any time; for a user who takes no part in the conversation it
    /// does not exist. It stays in its place, so pages and cursors stay
    /// valid. Unsending is final: once it is acknowledged no read returns the text. Repeating it is
    /// safe.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] or [`ErrorKind::NotSender`] with nothing written, and those of
    /// [`edit`](Self::edit).
    pub async fn unsend(
        &self,
        conversation: ConversationId,
        id: MessageId,
        sender: &UserId,
    ) -> Result<Message, Error> {
        self.unsend_by(By::trusted(sender), conversation, id).await
    }

    pub(super) async fn unsend_by(
        &self,
        by: By<'_>,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Message, Error> {
        let message = self.sent_by(conversation, id, by.user).await?;
        by.ask(Action::Unsend { message: &message }).await?;
        if message.is_unsent() {
            return self.confirm(message).await;
        }
        let revision = self.revise(&message)?;
        let unsent = message.unsent(revision.id().into());
        self.put(revision.id(), &unsent).await?;
        Ok(unsent)
    }

    /// Moves a user's read marker forward to a message of the conversation, and returns the user's
    /// entry. A marker that is further already stays where it is.
    ///
    /// The other participant sees it as [`InboxEntry::seen_up_to`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if the conversation does not exist, the user takes no part in it, or
    /// it has no such message; [`ErrorKind::Invalid`] if the position is above the last message.
    /// Nothing is written then. Otherwise the error of the store.
    pub async fn mark_read(
        &self,
        conversation: ConversationId,
        user: &UserId,
        up_to: MessageId,
    ) -> Result<InboxEntry, Error> {
        let by = By::trusted(user);
        self.mark_read_by(by, conversation, up_to).await
    }

    pub(super) async fn mark_read_by(
        &self,
        by: By<'_>,
        conversation: ConversationId,
        up_to: MessageId,
    ) -> Result<InboxEntry, Error> {
        let user = by.user;
        let entry = self.entry(user, conversation).await.map_err(not_applied)?;
        let entry = entry.ok_or_else(|| {
            refused(
                ErrorKind::NotFound,
                "there is no such conversation of this user",
            )
            .with_subject(Subject::ConversationId)
        })?;
        let action = Action::MarkRead {
            entry: &entry,
            up_to,
        };
        by.ask(action).await?;
        if up_to > entry.last_message().id() {
            return Err(refused(
                ErrorKind::Invalid,
                "a read marker must name a message of the conversation, and this position is above \
                 the last one",
            )
            .with_subject(Subject::ReadMarker));
        }
        // The last message is known to exist; for any other one, see.
        if up_to != entry.last_message().id() {
            self.existing(conversation, up_to).await?;
        }
        if entry.read_up_to() > Some(up_to) {
            return Ok(entry);
        }
        // Equal markers are written again: the present one may not have been acknowledged.
        self.check_clock()?;
        let key = self.begin();
        let marker = ReadMarker::new(entry.conversation().clone(), user.clone(), up_to);
        let written = self.store().mark(LogKey::from(key.id()), &marker).await;
        self.wake(conversation, entry.participants());
        written.map_err(|error| unless_not_applied(error, up_to))?;
        let seen = entry.seen_up_to();
        Ok(entry.with_markers(Some(up_to), seen))
    }

    /// Returns a message if it exists and was sent by this user. For one who takes no part it does
    /// not exist.
    async fn sent_by(
        &self,
        conversation: ConversationId,
        id: MessageId,
        sender: &UserId,
    ) -> Result<Message, Error> {
        let message = self.existing(conversation, id).await?;
        if !message.has_participant(sender) {
            return Err(no_such_message());
        }
        if message.sender_id() != sender {
            return Err(refused(
                ErrorKind::NotSender,
                "only the sender of a message may edit or unsend it",
            ));
        }
        Ok(message)
    }

    async fn existing(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Message, Error> {
        let message = self.message(conversation, id).await.map_err(not_applied)?;
        message.ok_or_else(no_such_message)
    }

    /// Writes a changed message once more under a fresh log key, and returns it. The change that was
    /// asked for is there already, but the write that made it may not have been acknowledged, and
    /// its log key may lie below what readers have caught up to.
    async fn confirm(&self, message: Message) -> Result<Message, Error> {
        if !message.is_original() {
            let key = self.begin();
            self.put(key.id(), &message).await?;
        }
        Ok(message)
    }
}

fn no_such_message() -> Error {
    refused(
        ErrorKind::NotFound,
        "there is no such message in this conversation",
    )
    .with_subject(Subject::MessageId)
}

fn refused(kind: ErrorKind, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(kind, message).with_outcome(Outcome::NotApplied)
}

/// Adds the outcome of a write that failed in its first read.
fn not_applied(error: Error) -> Error {
    error.with_outcome(Outcome::NotApplied)
}
