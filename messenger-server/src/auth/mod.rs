//! Who may use the server: the flags, and the authentication that they choose.

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

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use messenger_core::UserId;
use messenger_http::Access;

use crate::arguments::variables;

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthKind {
    /// Anyone who reaches the server can read every conversation and send as any user.
    None,
    /// Callers send a JWT bearer token, and act as the user in its `sub`.
    #[cfg(feature = "jwt")]
    Jwt,
}

impl AuthKind {
    fn is_jwt(self) -> bool {
        match self {
            Self::None => false,
            #[cfg(feature = "jwt")]
            Self::Jwt => true,
        }
    }
}

impl AuthArguments {
    /// Returns whether callers need a token.
    pub(crate) fn is_on(&self) -> bool {
        is_on(self.kind)
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
            false => [variables("MESSENGER_JWKS_"), variables("MESSENGER_JWT_")].concat(),
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
        let _ = user;
        None
    }

    /// Returns the access to the service. Keys are read first.
    pub(crate) async fn access(&self) -> Result<Access> {
        #[cfg(feature = "jwt")]
        if self.is_on() {
            return self.jwt.access().await;
        }
        Ok(Access::Trusted)
    }
}

/// Returns whether callers need a token.
pub(crate) fn is_on(kind: Option<AuthKind>) -> bool {
    kind.is_some_and(AuthKind::is_jwt)
}
