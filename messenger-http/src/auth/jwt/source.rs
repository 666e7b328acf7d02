//! The origin of keys.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;

use super::Keys;
use crate::auth::AuthenticationError;

/// The origin of the keys that sign tokens. [`Keys`] are one that never changes.
///
/// Both calls are on the path of requests, and should return at once if they can: keys that are
/// replaced now and then are best fetched by a task of their own.
#[async_trait]
pub trait KeySource: fmt::Debug + Send + Sync {
    /// Returns the current keys.
    ///
    /// # Errors
    ///
    /// If there are none, or they are too old to be relied on. The request gets 503.
    async fn keys(&self) -> Result<Keys, KeysUnavailable>;

    /// Returns the newest keys that can be had, because a token names a key that
    /// [`keys`](Self::keys) does not have.
    ///
    /// Anyone can send such tokens, so an implementation must limit the rate at which it fetches
    /// keys, for all calls together. In between it returns the current keys.
    ///
    /// # Errors
    ///
    /// As for [`keys`](Self::keys).
    async fn refresh(&self) -> Result<Keys, KeysUnavailable>;
}

/// The reason why there are no keys.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct KeysUnavailable(Box<dyn Error + Send + Sync>);

impl KeysUnavailable {
    /// Creates an error with this cause, which is logged.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl From<KeysUnavailable> for AuthenticationError {
    fn from(unavailable: KeysUnavailable) -> Self {
        Self::Unavailable(unavailable.0)
    }
}

#[async_trait]
impl KeySource for Keys {
    async fn keys(&self) -> Result<Keys, KeysUnavailable> {
        Ok(self.clone())
    }

    async fn refresh(&self) -> Result<Keys, KeysUnavailable> {
        Ok(self.clone())
    }
}
