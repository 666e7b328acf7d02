//! Authentication of callers: the flags, and what they choose.

#[cfg(feature = "jwt")]
mod claims;
#[cfg(feature = "jwt")]
mod fetch;
#[cfg(feature = "jwt")]
mod file;
#[cfg(feature = "jwt")]
mod jwt;
#[cfg(feature = "jwt")]
mod signer;
#[cfg(feature = "jwt")]
pub(crate) mod token;
#[cfg(feature = "jwt")]
mod url;

use std::net::SocketAddr;
#[cfg(feature = "jwt")]
use std::num::NonZero;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use messenger_core::UserId;
use messenger_http::ServiceConfig;

#[cfg(feature = "jwt")]
use crate::values::per_second;
use crate::values::variables;

/// The flags of authentication.
#[derive(Args, Debug)]
#[command(next_help_heading = "Authentication")]
pub(crate) struct AuthArguments {
    /// Authentication of callers. It must be chosen to listen on another address than loopback.
    #[arg(
        id = "auth",
        long,
        env = "MESSENGER_AUTH",
        value_enum,
        value_name = "KIND"
    )]
    kind: Option<AuthKind>,

    #[cfg(feature = "jwt")]
    #[command(flatten)]
    jwt: jwt::JwtArguments,

    /// Requests that one user may make per second, all of which may come at once; further ones are
    /// answered 429. No limit by default.
    #[cfg(feature = "jwt")]
    #[arg(
        id = "max-user-requests",
        long,
        env = "MESSENGER_MAX_USER_REQUESTS",
        value_name = "PER_SECOND",
        value_parser = per_second
    )]
    max_user_requests: Option<NonZero<u32>>,

    /// Requests that send or change something, which one user may make per second. No limit by
    /// default.
    #[cfg(feature = "jwt")]
    #[arg(
        id = "max-user-writes",
        long,
        env = "MESSENGER_MAX_USER_WRITES",
        value_name = "PER_SECOND",
        value_parser = per_second
    )]
    max_user_writes: Option<NonZero<u32>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthKind {
    /// Anyone who reaches the server can read every conversation and send as any user.
    None,
    /// Callers send a JWT bearer token, and act as the user in its `sub`.
    #[cfg(feature = "jwt")]
    Jwt,
}

impl AuthArguments {
    /// Returns whether callers need a token.
    pub(crate) fn is_on(&self) -> bool {
        self.kind.is_some_and(AuthKind::is_on)
    }

    /// Returns a complaint about flags that are missing, or contradict each other.
    pub(crate) fn complaint(&self) -> Option<String> {
        #[cfg(feature = "jwt")]
        if self.is_on() {
            return self.jwt.complaint();
        }
        None
    }

    /// Returns the environment variables that are set but have no effect without `--auth jwt`.
    pub(crate) fn ignored_variables(&self) -> Vec<String> {
        match self.is_on() {
            true => Vec::new(),
            false => ["MESSENGER_JWKS_", "MESSENGER_JWT_", "MESSENGER_MAX_USER_"]
                .map(variables)
                .concat(),
        }
    }

    /// Fails if others could reach this address, and it was not decided who may.
    pub(crate) fn check_address(&self, address: SocketAddr) -> Result<()> {
        ensure!(
            self.kind.is_some() || address.ip().is_loopback(),
            "others may reach {address}, so authentication must be chosen: --auth jwt, or --auth \
             none if everyone who reaches it may read every conversation and send as any user"
        );
        Ok(())
    }

    /// Returns a token for a user of the test data, if there is a secret to sign it with.
    pub(crate) fn demo_token(&self, user: &UserId) -> Option<String> {
        #[cfg(feature = "jwt")]
        if self.is_on() {
            return self.jwt.demo_token(user);
        }
        // Only tokens need it.
        let _ = user;
        None
    }

    /// Sets the access and the limits per user. Reads the keys first.
    pub(crate) async fn apply_to(&self, config: &mut ServiceConfig) -> Result<()> {
        #[cfg(feature = "jwt")]
        if self.is_on() {
            config.access = self.jwt.access().await?;
            config.max_user_requests_per_second = self.max_user_requests;
            config.max_user_writes_per_second = self.max_user_writes;
        }
        // Only tokens change it.
        let _ = config;
        Ok(())
    }
}

impl AuthKind {
    /// Returns whether callers need a credential.
    pub(crate) fn is_on(self) -> bool {
        self != Self::None
    }
}
