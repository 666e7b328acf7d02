//! One call of a store, and targets that take it.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use messenger_core::{
    Claim, Clock, Content, Conversation, ConversationId, Fingerprint, LogKey, Message,
    Participants, ReadMarker, Reservation, Store, UserId,
};

use crate::messages::{TEXT, new_key, new_message};
use crate::page::{PageRead, Range};

/// The source of pages.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The messages of a conversation.
    History(ConversationId),
    /// The conversations of a user.
    Inbox(UserId),
}

/// One call of a store.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Reads a page.
    Page(Source, PageRead),
    /// Reads a conversation by its id.
    Conversation(ConversationId),
    /// Appends a message.
    Append(Message),
    /// Reserves an idempotency key, then appends a message. Boxed, so that pages stay small.
    AppendKeyed(Box<(Message, Reservation)>),
    /// Writes an edited version of a message.
    Edit(Box<Message>),
    /// Moves a read marker.
    Mark(Box<(LogKey, ReadMarker)>),
}

impl Operation {
    /// Appends a new message.
    pub(crate) fn append([sender, receiver]: &[UserId; 2], clock: &Clock) -> Result<Self> {
        let message = new_message(sender, receiver)?;
        Ok(Self::Append(message.with_id(clock.next_id())))
    }

    /// Appends a new message under a new key.
    pub(crate) fn append_keyed([sender, receiver]: &[UserId; 2], clock: &Clock) -> Result<Self> {
        let message = new_message(sender, receiver)?;
        let claim = Claim {
            message_id: clock.next_id(),
            fingerprint: Fingerprint::of(&message),
        };
        let reservation = Reservation::new(sender.clone(), new_key()?, claim);
        let message = message.with_id(claim.message_id);
        Ok(Self::AppendKeyed(Box::new((message, reservation))))
    }

    /// Edits a message. The first version need not be there: a store takes versions in any order.
    pub(crate) fn edit([sender, receiver]: &[UserId; 2], clock: &Clock) -> Result<Self> {
        let message = new_message(sender, receiver)?.with_id(clock.next_id());
        let edited = message.edited(clock.next_id().into(), Content::new(TEXT)?);
        Ok(Self::Edit(Box::new(edited)))
    }

    /// Marks everything as read, up to now.
    pub(crate) fn mark([reader, other]: &[UserId; 2], clock: &Clock) -> Result<Self> {
        let participants = Participants::direct(reader.clone(), other.clone());
        let id = ConversationId::direct(reader, other);
        let conversation = Conversation::direct(id, participants);
        let (up_to, key) = (clock.next_id(), clock.next_id().into());
        let marker = ReadMarker::new(conversation, reader.clone(), up_to);
        Ok(Self::Mark(Box::new((key, marker))))
    }
}

/// A store, a baseline or a service that takes operations of one type, and checks the results.
///
/// It differs from [`Workload`](crate::pair::Workload), whose futures are boxed: a page of a map in
/// memory takes no longer than a few boxes.
pub(crate) trait Target<O>: Send + Sync + 'static {
    /// Makes one call.
    fn call(&self, operation: &O) -> impl Future<Output = Result<()>> + Send;
}

impl<T: Target<O>, O: Sync> Target<O> for Arc<T> {
    async fn call(&self, operation: &O) -> Result<()> {
        T::call(self, operation).await
    }
}

/// Any store.
#[derive(Debug, Default)]
pub(crate) struct StoreTarget<S>(pub(crate) Arc<S>);

impl<S: Store + 'static> Target<Operation> for StoreTarget<S> {
    async fn call(&self, operation: &Operation) -> Result<()> {
        // Calls to the `Arc` would go through its own futures.
        let store: &S = &self.0;
        match operation {
            Operation::Page(Source::History(id), page) => match page.range {
                Range::Older { below } => page.check(&store.history(*id, below, page.limit).await?),
                Range::Newer { above } => {
                    page.check(&store.history_log(*id, above, page.limit).await?)
                }
            },
            Operation::Page(Source::Inbox(user), page) => match page.range {
                Range::Older { below } => page.check(&store.inbox(user, below, page.limit).await?),
                Range::Newer { above } => {
                    page.check(&store.inbox_log(user, above, page.limit).await?)
                }
            },
            Operation::Conversation(id) => {
                let found = store.conversation(*id).await?;
                ensure!(found.context("no such conversation")?.id() == *id);
                Ok(())
            }
            Operation::Append(message) => Ok(store.put(message.id().into(), message).await?),
            Operation::AppendKeyed(keyed) => {
                let (message, reservation) = &**keyed;
                let claim = store.reserve(reservation).await?;
                ensure!(claim == reservation.claim, "the key was used before");
                Ok(store.put(message.id().into(), message).await?)
            }
            Operation::Edit(message) => Ok(store.put(message.revision().into(), message).await?),
            Operation::Mark(mark) => Ok(store.mark(mark.0, &mark.1).await?),
        }
    }
}
