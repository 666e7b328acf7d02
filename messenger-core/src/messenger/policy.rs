//! A hook that may refuse writes.

use std::fmt;

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Outcome};
use crate::ids::{ConversationId, MessageId, UserId};
use crate::model::{Content, InboxEntry, Message};

/// Refuses writes beyond the rules of [`Actor`](super::Actor): a block list, requests for a first
/// message, a moderation service.
///
/// It is set with [`MessengerOptions::with_policy`](crate::MessengerOptions::with_policy) and asked
/// for each write of an actor, after the actor's own rules have allowed it. So it can only narrow.
/// The trusted calls of [`Messenger`](crate::Messenger) do not ask it.
///
/// ```
/// use std::collections::HashSet;
/// use std::error::Error;
///
/// use async_trait::async_trait;
/// use messenger_core::{Action, Decision, Policy, UserId};
///
/// /// Pairs of a user and another one whom this user has blocked.
/// #[derive(Debug)]
/// struct BlockList(HashSet<(UserId, UserId)>);
///
/// #[async_trait]
/// impl Policy for BlockList {
///     async fn decide(
///         &self,
///         user: &UserId,
///         action: Action<'_>,
///     ) -> Result<Decision, Box<dyn Error + Send + Sync>> {
///         let Action::Send { receiver, .. } = action else {
///             return Ok(Decision::Allow);
///         };
///         let is_blocked = self.0.contains(&(receiver.clone(), user.clone()));
///         Ok(if is_blocked { Decision::Deny } else { Decision::Allow })
///     }
/// }
/// ```
///
/// It must have a time limit of its own: while it is asked, the write waits.
#[async_trait]
pub trait Policy: fmt::Debug + Send + Sync {
    /// Decides about a write that a user is about to make.
    ///
    /// # Errors
    ///
    /// An error refuses the write with [`ErrorKind::Unavailable`], and is its source.
    async fn decide(
        &self,
        user: &UserId,
        action: Action<'_>,
    ) -> Result<Decision, Box<dyn std::error::Error + Send + Sync>>;
}

/// The answer of a [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The write is made.
    Allow,
    /// The write is refused with [`ErrorKind::NotAllowed`].
    Deny,
}

/// A write about which a [`Policy`] decides.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Action<'a> {
    /// The user sends a message. A repeated send under an idempotency key is asked about again.
    #[non_exhaustive]
    Send {
        /// The user who would receive it.
        receiver: &'a UserId,
        /// The text.
        content: &'a Content,
    },
    /// The user edits a message that they have sent.
    #[non_exhaustive]
    Edit {
        /// The message as it is now.
        message: &'a Message,
        /// The new text.
        content: &'a Content,
    },
    /// The user unsends a message that they have sent.
    #[non_exhaustive]
    Unsend {
        /// The message as it is now.
        message: &'a Message,
    },
    /// The user moves their read marker, which the other participant sees.
    #[non_exhaustive]
    MarkRead {
        /// The conversation as the user sees it now.
        entry: &'a InboxEntry,
        /// The message that the marker would name.
        up_to: MessageId,
    },
}

impl Action<'_> {
    /// Returns the conversation that the write is about, given the user who makes it.
    pub fn conversation_id(&self, user: &UserId) -> ConversationId {
        match self {
            Self::Send { receiver, .. } => ConversationId::direct(user, receiver),
            Self::Edit { message, .. } | Self::Unsend { message } => message.conversation_id(),
            Self::MarkRead { entry, .. } => entry.id(),
        }
    }
}

/// The user for whom a write is made, and the policy that is asked before.
#[derive(Clone, Copy, Debug)]
pub(super) struct By<'a> {
    pub(super) user: &'a UserId,
    pub(super) policy: Option<&'a dyn Policy>,
}

impl<'a> By<'a> {
    /// A write of the trusted API, which asks no policy.
    pub(super) fn trusted(user: &'a UserId) -> Self {
        Self { user, policy: None }
    }

    /// Asks the policy.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAllowed`] or [`ErrorKind::Unavailable`], both `NotApplied`.
    pub(super) async fn ask(&self, action: Action<'_>) -> Result<(), Error> {
        let Some(policy) = self.policy else {
            return Ok(());
        };
        let error = match policy.decide(self.user, action).await {
            Ok(Decision::Allow) => return Ok(()),
            Ok(Decision::Deny) => Error::new(
                ErrorKind::NotAllowed,
                "the policy of this service does not allow it",
            ),
            Err(source) => Error::new(ErrorKind::Unavailable, "the policy could not decide")
                .with_source(source),
        };
        Err(error.with_outcome(Outcome::NotApplied))
    }
}
