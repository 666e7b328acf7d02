//! Claims, and whether they are accepted.

use messenger_core::{Timestamp, UserId};
use serde_json::{Map, Value};

use super::{LEEWAY, MAX_LIFETIME};
use crate::auth::{AuthenticationError, invalid};

/// The values of a claim (`iss` or `aud`) that are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Any value, or none. Anyone who has one of the keys can sign tokens for this service, and a
    /// token for another service that trusts the same key is accepted too.
    Any,
    /// One of these. A token without the claim is refused.
    OneOf(Vec<String>),
}

impl Accepted {
    /// Accepts this value only.
    pub fn only(value: impl Into<String>) -> Self {
        Self::OneOf(vec![value.into()])
    }

    fn accepts<'a>(&self, mut values: impl Iterator<Item = &'a String>) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(accepted) => values.any(|value| accepted.contains(value)),
        }
    }
}

/// The claims of a token with a valid signature.
#[derive(Debug)]
pub(super) struct Claims {
    user: UserId,
    expires_at: Timestamp,
    not_before: Option<Timestamp>,
    issuer: Option<String>,
    audiences: Vec<String>,
}

impl Claims {
    /// Reads claims. Each must have the type of RFC 7519.
    pub(super) fn read(mut claims: Map<String, Value>) -> Result<Self, AuthenticationError> {
        let Some(Value::String(user)) = claims.get("sub") else {
            return Err(invalid("The token has no sub that is a string"));
        };
        let user = UserId::new(user).map_err(|_| invalid("sub is not the id of a user"))?;
        let expires_at = (claims.get("exp").and_then(time))
            .ok_or_else(|| invalid("The token has no exp that is a number of seconds"))?;
        let not_before = (claims.get("nbf"))
            .map(|value| time(value).ok_or_else(|| invalid("nbf must be a number of seconds")))
            .transpose()?;
        let issuer = match claims.remove("iss") {
            None => None,
            Some(Value::String(issuer)) => Some(issuer),
            Some(_) => return Err(invalid("iss must be a string")),
        };
        let audiences = match claims.remove("aud") {
            None => Vec::new(),
            Some(Value::String(audience)) => vec![audience],
            Some(audiences) => serde_json::from_value(audiences)
                .map_err(|_| invalid("aud must be a string, or an array of strings"))?,
        };
        Ok(Self {
            user,
            expires_at,
            not_before,
            issuer,
            audiences,
        })
    }

    /// Checks whether a request with this token is accepted at this time.
    pub(super) fn check(
        &self,
        now: Timestamp,
        issuers: &Accepted,
        audiences: &Accepted,
    ) -> Result<(), AuthenticationError> {
        if now > self.accepted_until() {
            return Err(invalid("The token has expired"));
        }
        if self.expires_at > now.saturating_add(MAX_LIFETIME) {
            return Err(invalid(
                "The token expires more than ten years from now; exp must be in seconds",
            ));
        }
        let latest = now.saturating_add(LEEWAY);
        if self.not_before.is_some_and(|from| from > latest) {
            return Err(invalid("The token is not valid yet (nbf)"));
        }
        if !issuers.accepts(self.issuer.iter()) {
            return Err(invalid("The token is of another issuer (iss)"));
        }
        if !audiences.accepts(self.audiences.iter()) {
            return Err(invalid("The token is for another audience (aud)"));
        }
        Ok(())
    }

    pub(super) fn user(&self) -> &UserId {
        &self.user
    }

    pub(super) fn accepted_until(&self) -> Timestamp {
        self.expires_at.saturating_add(LEEWAY)
    }
}

/// Reads a number of seconds since the Unix epoch, which may have a fraction (`NumericDate`).
fn time(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0)?;
    // `as` saturates. Times after the year 9999 become its end, which is too far ahead.
    let millis = (seconds * 1000.0) as u64;
    Some(Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX))
}
