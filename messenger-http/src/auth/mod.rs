//! Authentication of requests.
//!
//! The binding only finds out who calls. What the caller may do is decided in core, by
//! [`Actor`](messenger_core::Actor).

mod caller;
#[cfg(feature = "jwt")]
pub mod jwt;
mod rates;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{self, HeaderMap};
use http::request::Parts;
use messenger_core::{Timestamp, UserId};

pub(crate) use caller::Caller;
pub(crate) use rates::Rates;

/// The callers that a service accepts.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Anyone who can reach the service can read every conversation and send as any user. Listen only
    /// where trusted callers can reach it.
    #[default]
    Trusted,
    /// Every call of the API needs a credential, and its caller acts as the user that it belongs
    /// to.
    Authenticated(Arc<dyn Authenticate>),
}

impl Access {
    /// Asks this authentication who makes a request.
    pub fn authenticated(authenticate: impl Authenticate + 'static) -> Self {
        Self::Authenticated(Arc::new(authenticate))
    }
}

/// Authenticates a request: by a bearer token, by the cookie of a session, or by what a layer
/// in front has left in the request's extensions.
///
/// ```
/// use http::request::Parts;
/// use messenger_core::UserId;
/// use messenger_http::{Authenticate, AuthenticationError, Identity};
///
/// /// A user that a layer in front has found out.
/// #[derive(Clone)]
/// struct SignedIn(UserId);
///
/// #[derive(Debug)]
/// struct Sessions;
///
/// #[async_trait::async_trait]
/// impl Authenticate for Sessions {
///     async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
///         let user = request.extensions.get::<SignedIn>();
///         let user = user.ok_or(AuthenticationError::Missing)?;
///         Ok(Identity::new(user.0.clone()))
///     }
/// }
/// ```
///
/// It is asked once for each call of the API, before the query and body are read. It must have a
/// time limit of its own; after [`request_timeout`](crate::ServiceConfig::request_timeout) the
/// service gives up and answers 503.
#[async_trait]
pub trait Authenticate: fmt::Debug + Send + Sync {
    /// Returns the user whose credential the request has.
    ///
    /// # Errors
    ///
    /// [`AuthenticationError::Missing`] and [`AuthenticationError::Invalid`] are answered with 401,
    /// [`AuthenticationError::Unavailable`] with 503.
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError>;
}

/// The user who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user: UserId,
    expires_at: Option<Timestamp>,
}

impl Identity {
    /// Creates the identity of this user.
    pub fn new(user: UserId) -> Self {
        Self {
            user,
            expires_at: None,
        }
    }

    /// Sets the time until which the credential is accepted. Streams of events that it has opened
    /// end then.
    #[must_use]
    pub fn with_expiry(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Returns the user.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Returns the time until which the credential is accepted.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

/// The reason why a request is not authenticated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// The request has no credential.
    #[error("the request has no credential")]
    Missing,
    /// The request has a credential that is not valid. The text says why, as a sentence without a
    /// full stop. The client and the log get it, so it must not contain the credential.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// The credential could not be checked, for instance because no keys could be loaded. The log
    /// gets the cause.
    #[error("the credential could not be checked")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Returns the bearer token of a request (RFC 6750, section 2.1).
///
/// # Errors
///
/// [`AuthenticationError::Missing`] without an `Authorization` header, and
/// [`AuthenticationError::Invalid`] if there are several, or one of another scheme.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, AuthenticationError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(AuthenticationError::Missing)?;
    if values.next().is_some() {
        return Err(invalid(
            "The request has more than one Authorization header",
        ));
    }
    let credentials = value.to_str().ok().and_then(|value| value.split_once(' '));
    match credentials {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(invalid(
            "The Authorization header must be Bearer and a token",
        )),
    }
}

fn invalid(reason: &'static str) -> AuthenticationError {
    AuthenticationError::Invalid(reason.into())
}
