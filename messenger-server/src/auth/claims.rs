//! The claims that tokens are bound to.

use clap::Args;

/// The claims that tokens are bound to.
#[derive(Args, Debug)]
pub(crate) struct ClaimArguments {
    /// Issuer of the tokens (iss).
    #[arg(
        id = "jwt-issuer",
        long,
        env = "MESSENGER_JWT_ISSUER",
        value_name = "ISSUER"
    )]
    pub(super) issuer: Option<String>,

    /// Audience of the tokens (aud).
    #[arg(
        id = "jwt-audience",
        long,
        env = "MESSENGER_JWT_AUDIENCE",
        value_name = "AUDIENCE"
    )]
    pub(super) audience: Option<String>,
}
