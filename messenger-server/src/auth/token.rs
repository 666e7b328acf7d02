//! `messenger-server token`: signs a token for development.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use messenger_core::UserId;

use super::claims::ClaimArguments;
use super::file;
use super::signer::Signer;
use crate::values;

/// The lifetime of a token for the test data.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Prints a token for a user, for development and tests.
///
/// In production, tokens come from the service that signs users in.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// User that the token is for.
    #[arg(long, value_name = "USER")]
    user: UserId,

    /// File with a key that signs: the secret of the server, or a private key in PEM (PKCS #8).
    #[arg(id = "jwt-keys", long, env = "MESSENGER_JWT_KEYS", value_name = "FILE")]
    keys: PathBuf,

    /// Seconds until the token expires.
    #[arg(
        long,
        default_value = "3600",
        value_name = "SECONDS",
        value_parser = values::seconds,
        allow_negative_numbers = true
    )]
    expires_in: Duration,

    #[command(flatten)]
    claims: ClaimArguments,
}

/// Prints the token.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let text = file::read(&arguments.keys)?;
    let signer = Signer::read(&text)
        .with_context(|| format!("cannot sign with {}", arguments.keys.display()))?;
    let user = &arguments.user;
    let token = signer.token(user, arguments.expires_in, &arguments.claims)?;
    let _ = writeln!(io::stdout(), "{token}");
    let seconds = arguments.expires_in.as_secs();
    let _ = writeln!(
        io::stderr(),
        "for development only: anyone who has this token acts as {user} for {seconds} seconds"
    );
    Ok(())
}
