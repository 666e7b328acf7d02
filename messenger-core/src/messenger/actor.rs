//! A messenger that acts as one user.

#[cfg(feature = "live")]
use futures_util::stream::StreamExt as _;

use futures_core::Stream;

use super::policy::{Action, By};
use super::stream::pages;
use super::{Messenger, Prepared, Sent};
#[cfg(feature = "live")]
use crate::Batch;
use crate::error::{Error, ErrorKind, Subject};
use crate::ids::{ConversationId, MessageId, UserId};
use crate::model::{
    Content, Conversation, IdempotencyKey, InboxEntry, Message, NewMessage, Unread,
};
use crate::paging::{Cursor, HistoryQuery, InboxQuery, Limit, Page};

/// A [`Messenger`] that acts as one user: its calls do only what that user may do.
///
/// A service that knows who calls, for instance by a session or a token, creates one for each call.
/// Creating and cloning one is cheap.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), messenger_core::Error> {
/// use messenger_core::{ErrorKind, HistoryQuery, Messenger, UserId};
/// use messenger_memory::MemoryStore;
///
/// let messenger = Messenger::new(MemoryStore::new());
/// let [alice, bob, eve] = ["alice", "bob", "eve"].map(|id| UserId::new(id).unwrap());
///
/// let hello = messenger.acting_as(alice).send(bob.clone(), "Hello".parse()?).await?;
/// let conversation = hello.conversation_id();
///
/// let bob = messenger.acting_as(bob);
/// assert_eq!(bob.history(conversation, HistoryQuery::new()).await?.items.len(), 1);
///
/// // For anyone else, the conversation does not exist.
/// let eve = messenger.acting_as(eve);
/// let error = eve.history(conversation, HistoryQuery::new()).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// # Ok(())
/// # }
/// ```
///
/// # Rules
///
/// 1. **A user acts only as themself.** No call names the user who sends, edits, reads or marks: it
///    is always this one.
/// 2. **A user who takes no part learns nothing.** For them, a conversation and its messages do not
///    exist: each call returns exactly what it returns for an id that nothing has.
///    (Ids of direct conversations can be computed from the ids of their users, so anything else
///    would reveal who writes to whom.) The time that a call takes is not hidden.
/// 3. **Only the sender edits or unsends a message.** The other participant, who sees it, gets
///    [`ErrorKind::NotSender`].
/// 4. **A [`Policy`](crate::Policy) may refuse a write that the other rules allow**, and never
///    allows more. If it fails, the write is refused.
/// 5. **Authorization costs no read of its own** where the items that a call reads name their
///    participants. A page without items needs a read of the conversation, unless this process has
///    seen lately who takes part.
///
/// The suite `conformance::access` checks them, for this type and for bindings on top of it.
#[derive(Clone, Debug)]
pub struct Actor {
    messenger: Messenger,
    user: UserId,
}

impl Messenger {
    /// Returns a messenger that acts as this user, who was authenticated by the caller.
    pub fn acting_as(&self, user: UserId) -> Actor {
        Actor {
            messenger: self.clone(),
            user,
        }
    }
}

impl Actor {
    /// Returns the user.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    fn by(&self) -> By<'_> {
        By {
            user: &self.user,
            policy: self.messenger.inner.options.policy.as_deref(),
        }
    }

    /// Sends a message to another user. See [`Messenger::send`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the receiver is the user, [`ErrorKind::NotAllowed`] if the policy
    /// denies it, and those of [`Messenger::send`].
    pub async fn send(&self, receiver: UserId, content: Content) -> Result<Message, Error> {
        self.prepare(receiver, content).await?.send().await
    }

    /// Assigns an id to a message without sending it, after the policy has allowed to send it. See
    /// [`Messenger::prepare`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the receiver is the user, [`ErrorKind::NotAllowed`] if the policy denies
    /// it, and [`ErrorKind::Unavailable`] if the policy fails.
    pub async fn prepare(&self, receiver: UserId, content: Content) -> Result<Prepared, Error> {
        let message = self.new_message(receiver, content)?;
        self.by().ask(sending(&message)).await?;
        Ok(self.messenger.prepare(message))
    }

    /// Sends a message once, however often it is called with the same key. See
    /// [`Messenger::send_once`].
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send) and [`Messenger::send_once`]. The policy is asked each time, so
    /// a repeated call may be refused although an earlier one has sent the message.
    pub async fn send_once(
        &self,
        receiver: UserId,
        content: Content,
        key: IdempotencyKey,
    ) -> Result<Sent, Error> {
        let message = self.new_message(receiver, content)?;
        self.by().ask(sending(&message)).await?;
        self.messenger.send_once(message, key).await
    }

    fn new_message(&self, receiver: UserId, content: Content) -> Result<NewMessage, Error> {
        NewMessage::with_content(self.user.clone(), receiver, content)
    }

    /// Replaces the text of a message that the user has sent. See [`Messenger::edit`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAllowed`] if the policy denies it, and those of [`Messenger::edit`].
    pub async fn edit(
        &self,
        conversation: ConversationId,
        id: MessageId,
        content: Content,
    ) -> Result<Message, Error> {
        let messenger = &self.messenger;
        messenger
            .edit_by(self.by(), conversation, id, content)
            .await
    }

    /// Unsends a message that the user has sent. See [`Messenger::unsend`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAllowed`] if the policy denies it, and those of [`Messenger::unsend`].
    pub async fn unsend(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Message, Error> {
        self.messenger.unsend_by(self.by(), conversation, id).await
    }

    /// Moves the user's read marker forward. See [`Messenger::mark_read`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAllowed`] if the policy denies it, and those of [`Messenger::mark_read`].
    pub async fn mark_read(
        &self,
        conversation: ConversationId,
        up_to: MessageId,
    ) -> Result<InboxEntry, Error> {
        let messenger = &self.messenger;
        messenger.mark_read_by(self.by(), conversation, up_to).await
    }

    /// Returns a message; `None` if it does not exist in this conversation, or the user takes no
    /// part.
    ///
    /// # Errors
    ///
    /// The error of the store.
    pub async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let message = self.messenger.message(conversation, id).await?;
        Ok(message.filter(|message| message.has_participant(&self.user)))
    }

    /// Returns a page of a conversation's messages. See [`Messenger::history`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if the conversation does not exist or the user takes no part, and
    /// those of [`Messenger::history`].
    pub async fn history(
        &self,
        conversation: ConversationId,
        query: HistoryQuery,
    ) -> Result<Page<Message>, Error> {
        let page = self.messenger.history(conversation, query).await?;
        let takes_part = match page.items.first() {
            Some(message) => {
                self.remember(message);
                message.has_participant(&self.user)
            }
            None => self.takes_part(conversation).await?,
        };
        if takes_part {
            Ok(page)
        } else {
            Err(not_found())
        }
    }

    /// Returns a page of the user's inbox. See [`Messenger::inbox`].
    ///
    /// # Errors
    ///
    /// Those of [`Messenger::inbox`].
    pub async fn inbox(&self, query: InboxQuery) -> Result<Page<InboxEntry>, Error> {
        self.messenger.inbox(&self.user, query).await
    }

    /// Returns a conversation as the user sees it; `None` if it does not exist or the user takes no
    /// part.
    ///
    /// # Errors
    ///
    /// The error of the store.
    pub async fn entry(&self, conversation: ConversationId) -> Result<Option<InboxEntry>, Error> {
        self.messenger.entry(&self.user, conversation).await
    }

    /// Returns a conversation; `None` if it does not exist or the user takes no part.
    ///
    /// # Errors
    ///
    /// The error of the store.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let conversation = self.messenger.conversation(id).await?;
        Ok(conversation.filter(|found| found.participants().contains(&self.user)))
    }

    /// Returns the number of messages that the user has not read in a conversation. See
    /// [`Messenger::unread`].
    ///
    /// # Errors
    ///
    /// The error of the store.
    pub async fn unread(&self, conversation: ConversationId) -> Result<Option<Unread>, Error> {
        self.messenger.unread(&self.user, conversation).await
    }

    /// Returns a stream of all messages of a conversation, newest first. See
    /// [`Messenger::history_stream`]. Each page is authorized; the stream ends with
    /// [`ErrorKind::NotFound`] if the conversation does not exist or the user takes no part.
    pub fn history_stream(
        &self,
        conversation: ConversationId,
    ) -> impl Stream<Item = Result<Message, Error>> + Send + Unpin + use<> {
        let actor = self.clone();
        pages(move |cursor: Option<Cursor>| {
            let actor = actor.clone();
            async move {
                let query = HistoryQuery::new()
                    .with_limit(Limit::MAX)
                    .with_cursor(cursor);
                actor.history(conversation, query).await
            }
        })
    }

    /// Returns a stream of all entries of the user's inbox. See [`Messenger::inbox_stream`].
    pub fn inbox_stream(
        &self,
    ) -> impl Stream<Item = Result<InboxEntry, Error>> + Send + Unpin + use<> {
        self.messenger.inbox_stream(self.user.clone())
    }

    /// Returns a stream of the changes to a conversation's history. See
    /// [`Messenger::follow_history`]. Each batch is authorized.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if the conversation does not exist or the user takes no part, and
    /// those of [`Messenger::follow_history`].
    ///
    /// # Panics
    ///
    /// Polling the stream panics outside a tokio runtime with time enabled.
    #[cfg(feature = "live")]
    #[cfg_attr(docsrs, doc(cfg(feature = "live")))]
    pub async fn follow_history(
        &self,
        conversation: ConversationId,
        cursor: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<Batch<Message>, Error>> + Send + Unpin + use<>, Error>
    {
        if !self.takes_part(conversation).await? {
            return Err(not_found());
        }
        let batches = self.messenger.follow_history(conversation, cursor).await?;
        let user = self.user.clone();
        Ok(batches.map(move |batch| {
            let batch = batch?;
            let is_visible = |message: &Message| message.has_participant(&user);
            match batch.items.iter().all(is_visible) {
                true => Ok(batch),
                false => Err(not_found()),
            }
        }))
    }

    /// Returns a stream of the changes to the user's inbox. See [`Messenger::follow_inbox`].
    ///
    /// # Errors
    ///
    /// Those of [`Messenger::follow_inbox`].
    ///
    /// # Panics
    ///
    /// Polling the stream panics outside a tokio runtime with time enabled.
    #[cfg(feature = "live")]
    #[cfg_attr(docsrs, doc(cfg(feature = "live")))]
    pub async fn follow_inbox(
        &self,
        cursor: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<Batch<InboxEntry>, Error>> + Send + Unpin + use<>, Error>
    {
        let user = self.user.clone();
        self.messenger.follow_inbox(user, cursor).await
    }

    /// Returns whether the user takes part in a conversation. It reads the conversation unless the
    /// answer is known: who takes part in a direct conversation never changes.
    async fn takes_part(&self, conversation: ConversationId) -> Result<bool, Error> {
        let known = &self.messenger.inner.participants;
        if let Some(participants) = known.get(&conversation) {
            return Ok(participants.contains(&self.user));
        }
        let Some(found) = self.messenger.conversation(conversation).await? else {
            return Ok(false);
        };
        known.insert(conversation, found.participants().clone());
        Ok(found.participants().contains(&self.user))
    }

    /// Remembers who takes part in the conversation of a message.
    fn remember(&self, message: &Message) {
        let known = &self.messenger.inner.participants;
        if !known.contains_key(&message.conversation_id()) {
            known.insert(message.conversation_id(), message.participants());
        }
    }
}

/// Returns the write of a message that is sent.
pub(super) fn sending(message: &NewMessage) -> Action<'_> {
    Action::Send {
        receiver: message.receiver_id(),
        content: message.content(),
    }
}

fn not_found() -> Error {
    Error::about(
        ErrorKind::NotFound,
        Subject::ConversationId,
        "there is no such conversation of this user",
    )
}
