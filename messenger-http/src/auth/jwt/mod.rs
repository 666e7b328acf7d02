//! Authentication by JWT bearer tokens (feature `jwt`).
//!
//! ```
//! use messenger_http::{Access, ServiceConfig};
//! use messenger_http::jwt::{Accepted, JwtAuthentication, Keys};
//!
//! # fn example(secret: &[u8]) -> Result<(), messenger_http::jwt::InvalidKeys> {
//! let authentication = JwtAuthentication::new(
//!     Keys::from_secret(secret)?,
//!     Accepted::only("https://id.example"), // Issuers
//!     Accepted::only("messenger"),          // Audiences
//! );
//! let mut config = ServiceConfig::default();
//! config.access = Access::authenticated(authentication);
//! # Ok(())
//! # }
//! ```
//!
//! # Accepted tokens
//!
//! A token is accepted by the rules of RFC 8725. Each one that is refused gets 401 with the reason.
//!
//! - It comes in the `Authorization` header, and has at most [`MAX_TOKEN_LEN`] bytes.
//! - It is signed by one of the [`Keys`], with the algorithm of that key: HS256, EdDSA, ES256 or
//!   RS256. The header of the token only helps to find the key. A `kid` must be that of the key, if
//!   the key has one.
//! - Its header brings no key of its own (`jwk`, `jku`, `x5c`, `x5u`), and demands nothing (`crit`).
//!   Its `typ`, if any, is `JWT` or `at+jwt`.
//! - `sub` is the id of the user, as [`UserId`] defines it.
//! - `exp` is required. It is in seconds, and at most [`MAX_LIFETIME`] from now. `nbf` is respected.
//!   Both have a leeway of [`LEEWAY`], as clocks differ.
//! - `iss` and `aud` are among those accepted. [`Accepted::Any`] waives one of them.
//!
//! Other claims are ignored. A token cannot be revoked: it should expire soon.
//!
//! The signature of a token is verified once, and the result is cached with the keys. Everything
//! else is checked for every request.

mod claims;
mod keys;
mod source;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::request::Parts;
use messenger_core::Timestamp;

use super::{Authenticate, AuthenticationError, Identity, bearer_token};
use claims::Claims;
use token::Token;

pub use claims::Accepted;
pub use keys::{InvalidKeys, Keys};
pub use source::{KeySource, KeysUnavailable};

#[cfg(doc)]
use messenger_core::UserId;

/// The length of the longest token that is accepted, in bytes. Longer ones are not parsed.
pub const MAX_TOKEN_LEN: usize = 8 * 1024;

/// The time by which clocks may differ.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// The greatest time until a token expires: ten years. One that is greater is most likely in
/// milliseconds.
pub const MAX_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Authentication by JWT bearer tokens. See the [module](self) for the rules.
#[derive(Debug)]
pub struct JwtAuthentication {
    keys: Arc<dyn KeySource>,
    issuers: Accepted,
    audiences: Accepted,
}

impl JwtAuthentication {
    /// Creates an authentication by tokens that are signed by one of these keys, for instance
    /// [`Keys`] that do not change.
    pub fn new(keys: impl KeySource + 'static, issuers: Accepted, audiences: Accepted) -> Self {
        Self {
            keys: Arc::new(keys),
            issuers,
            audiences,
        }
    }

    /// Returns the claims of a token whose signature is valid.
    async fn verify(&self, token: &str) -> Result<Arc<Claims>, AuthenticationError> {
        let keys = self.keys.keys().await?;
        if let Some(claims) = keys.verified(token) {
            return Ok(claims);
        }
        let token = Token::parse(token)?;
        if token.kid().is_some() && !keys.may_have_signed(&token) {
            return self.keys.refresh().await?.verify(&token);
        }
        keys.verify(&token)
    }
}

#[async_trait]
impl Authenticate for JwtAuthentication {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let token = bearer_token(&request.headers)?;
        if token.len() > MAX_TOKEN_LEN {
            let reason = format!("The token has more than {MAX_TOKEN_LEN} bytes");
            return Err(AuthenticationError::Invalid(reason.into()));
        }
        let claims = self.verify(token).await?;
        claims.check(Timestamp::now(), &self.issuers, &self.audiences)?;
        Ok(Identity::new(claims.user().clone()).with_expiry(claims.accepted_until()))
    }
}
