//! The caller of a request, and what it may read and write.

use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use http::header::{self, HeaderValue};
use http::request::Parts;
use messenger_core::{
    Actor, Batch, Conversation, ConversationId, Cursor, Error, ErrorKind, HistoryQuery, Message,
    MessageId, Messenger, Page, Timestamp, UserId,
};

use super::{Access, Authenticate, AuthenticationError, Identity};
use crate::answer::{Code, Problem, sentence};

/// The caller of a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// One who may read everything and act as any user.
    Trusted(Messenger),
    /// A user, and the time until which they stay authenticated.
    User {
        actor: Actor,
        expires_at: Option<Timestamp>,
    },
}

/// The changes to a history that is followed.
type Batches = Pin<Box<dyn Stream<Item = Result<Batch<Message>, Error>> + Send>>;

impl Caller {
    /// Authenticates a request.
    pub(crate) async fn of(
        parts: &Parts,
        access: &Access,
        messenger: &Messenger,
        time: Duration,
    ) -> Result<Self, Problem> {
        let authenticate = match access {
            Access::Trusted => return Ok(Self::Trusted(messenger.clone())),
            Access::Authenticated(authenticate) => &**authenticate,
        };
        let identity = identify(authenticate, parts, time).await?;
        Ok(Self::User {
            expires_at: identity.expires_at,
            actor: messenger.acting_as(identity.user),
        })
    }

    /// Returns the user, if it is known.
    pub(crate) fn user(&self) -> Option<&UserId> {
        match self {
            Self::Trusted(_) => None,
            Self::User { actor, .. } => Some(actor.user()),
        }
    }

    /// Returns the time until which the caller stays authenticated.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Trusted(_) => None,
            Self::User { expires_at, .. } => *expires_at,
        }
    }

    /// Returns an actor for this user. A trusted caller acts as any user, and a user as themself only.
    pub(crate) fn acting_as(&self, user: UserId) -> Result<Actor, Problem> {
        match self {
            Self::Trusted(messenger) => Ok(messenger.acting_as(user)),
            Self::User { actor, .. } if user == *actor.user() => Ok(actor.clone()),
            Self::User { .. } => Err(Problem::new(Code::NotYours)),
        }
    }

    /// Returns an actor for the user that a request names, or else for the caller; `None` if a trusted
    /// caller names nobody.
    pub(crate) fn actor(&self, named: Option<UserId>) -> Result<Option<Actor>, Problem> {
        match (self, named) {
            (_, Some(user)) => self.acting_as(user).map(Some),
            (Self::Trusted(_), None) => Ok(None),
            (Self::User { actor, .. }, None) => Ok(Some(actor.clone())),
        }
    }

    /// Returns a page of a history, or 404 if the conversation does not exist for the caller.
    pub(crate) async fn history(
        &self,
        id: ConversationId,
        query: HistoryQuery,
    ) -> Result<Page<Message>, Problem> {
        let messenger = match self {
            Self::Trusted(messenger) => messenger,
            Self::User { actor, .. } => {
                return Ok(actor.history(id, query).await?);
            }
        };
        let page = messenger.history(id, query).await?;
        if page.items.is_empty() && query.cursor().is_none() {
            // Only now is it open whether the conversation exists. A cursor comes from one that does.
            self.conversation(id).await?;
        }
        Ok(page)
    }

    /// Returns a message, or 404 if it does not exist for the caller.
    pub(crate) async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Message, Problem> {
        let message = match self {
            Self::Trusted(messenger) => messenger.message(conversation, id).await?,
            Self::User { actor, .. } => actor.message(conversation, id).await?,
        };
        message.ok_or_else(|| Problem::new(Code::MessageNotFound))
    }

    /// Returns a conversation, or 404 if it does not exist for the caller.
    pub(crate) async fn conversation(&self, id: ConversationId) -> Result<Conversation, Problem> {
        let conversation = match self {
            Self::Trusted(messenger) => messenger.conversation(id).await?,
            Self::User { actor, .. } => actor.conversation(id).await?,
        };
        conversation.ok_or_else(|| Problem::new(Code::ConversationNotFound))
    }

    /// Follows a history, or returns 404 if the conversation does not exist for the caller.
    pub(crate) async fn follow_history(
        &self,
        id: ConversationId,
        cursor: Option<Cursor>,
    ) -> Result<Batches, Problem> {
        let messenger = match self {
            Self::Trusted(messenger) => messenger,
            Self::User { actor, .. } => {
                return Ok(Box::pin(actor.follow_history(id, cursor).await?));
            }
        };
        if cursor.is_none() {
            self.conversation(id).await?;
        }
        Ok(Box::pin(messenger.follow_history(id, cursor).await?))
    }
}

async fn identify(
    authenticate: &dyn Authenticate,
    parts: &Parts,
    time: Duration,
) -> Result<Identity, Problem> {
    let identity = tokio::time::timeout(time, authenticate.authenticate(parts)).await;
    let identity =
        identity.unwrap_or_else(|elapsed| Err(AuthenticationError::Unavailable(Box::new(elapsed))));
    identity.map_err(|error| match error {
        AuthenticationError::Missing => {
            unauthenticated(Problem::new(Code::Unauthenticated), "Bearer")
        }
        AuthenticationError::Invalid(reason) => {
            let problem = Problem::with_detail(Code::Unauthenticated, sentence(&reason));
            unauthenticated(problem, "Bearer error=\"invalid_token\"")
        }
        AuthenticationError::Unavailable(source) => {
            let error = Error::new(ErrorKind::Unavailable, "authentication is unavailable");
            Problem::new(Code::AuthenticationUnavailable).with_cause(error.with_source(source))
        }
    })
}

/// Adds how to authenticate (RFC 6750, section 3).
fn unauthenticated(problem: Problem, challenge: &'static str) -> Problem {
    problem.with_header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    )
}
