//! The flags of `--auth jwt`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use messenger_core::UserId;
use messenger_http::Access;
use messenger_http::jwt::{Accepted, JwtAuthentication};

use super::claims::ClaimArguments;
use super::fetch::{Source, source};
use super::file::{self, FileKeys};
use super::signer::Signer;
use super::token::DAY;
use super::url::UrlKeys;

#[derive(Args, Debug)]
#[command(next_help_heading = "Authentication")]
pub(crate) struct JwtArguments {
    /// File with the keys that tokens are signed with: a secret of at least 32 bytes, public keys in
    /// PEM, a JWK or a JWKS. It is read again when it changes.
    #[arg(id = "jwt-keys", long, env = "MESSENGER_JWT_KEYS", value_name = "FILE")]
    keys: Option<PathBuf>,

    /// URL of a JWKS with the keys that tokens are signed with. It is fetched every 5 minutes, and
    /// when a token names an unknown key.
    #[arg(
        id = "jwks-url",
        long,
        env = "MESSENGER_JWKS_URL",
        value_name = "URL",
        value_parser = source
    )]
    url: Option<Source>,

    /// File with the authorities that may certify the host of the JWKS, in PEM. Mozilla's by default.
    #[arg(id = "jwks-ca", long, env = "MESSENGER_JWKS_CA", value_name = "FILE")]
    ca: Option<PathBuf>,

    #[command(flatten)]
    claims: ClaimArguments,

    /// Accepts tokens of any issuer.
    #[arg(id = "jwt-any-issuer", long, env = "MESSENGER_JWT_ANY_ISSUER")]
    any_issuer: bool,

    /// Accepts tokens for any audience, even if they were issued for another service.
    #[arg(id = "jwt-any-audience", long, env = "MESSENGER_JWT_ANY_AUDIENCE")]
    any_audience: bool,
}

impl JwtArguments {
    pub(super) fn complaint(&self) -> Option<String> {
        let complaint = match (&self.keys, &self.url) {
            (None, None) => {
                "'--auth jwt' needs the keys of tokens: give '--jwt-keys <FILE>' or '--jwks-url <URL>'"
            }
            (Some(_), Some(_)) => "'--jwt-keys' and '--jwks-url' exclude each other: give one",
            (Some(_), None) if self.ca.is_some() => {
                "'--jwks-ca' has no effect without '--jwks-url'"
            }
            _ => {
                let issuer = given("issuer", self.claims.issuer.as_ref(), self.any_issuer);
                let audience = || {
                    let audience = self.claims.audience.as_ref();
                    given("audience", audience, self.any_audience)
                };
                return issuer.or_else(audience);
            }
        };
        Some(complaint.to_owned())
    }

    pub(super) async fn access(&self) -> Result<Access> {
        let accepted = |value: &Option<String>, any| match any {
            true => Accepted::Any,
            false => Accepted::OneOf(value.iter().cloned().collect()),
        };
        let issuers = accepted(&self.claims.issuer, self.any_issuer);
        let audiences = accepted(&self.claims.audience, self.any_audience);
        Ok(match (&self.keys, &self.url) {
            (_, Some(source)) => {
                let keys = UrlKeys::open(source.fetch(self.ca.as_deref())?).await;
                Access::authenticated(JwtAuthentication::new(keys, issuers, audiences))
            }
            (Some(path), None) => {
                let keys = FileKeys::open(path).await?;
                Access::authenticated(JwtAuthentication::new(keys, issuers, audiences))
            }
            (None, None) => bail!("there are no keys"),
        })
    }

    /// Returns a token for a user of the test data, if the keys are a secret that can sign it.
    pub(super) fn demo_token(&self, user: &UserId) -> Option<String> {
        let text = file::read(self.keys.as_ref()?).ok()?;
        let signer = Signer::read(&text).ok()?;
        signer.token(user, DAY, &self.claims).ok()
    }
}

/// Returns a complaint unless exactly one of a value and its waiver is given.
fn given(claim: &str, value: Option<&String>, any: bool) -> Option<String> {
    match (value, any) {
        (None, false) => Some(format!(
            "'--auth jwt' needs '--jwt-{claim} <{}>', or '--jwt-any-{claim}' to accept any {claim}",
            claim.to_uppercase()
        )),
        (Some(_), true) => Some(format!(
            "'--jwt-{claim}' and '--jwt-any-{claim}' exclude each other: give one"
        )),
        _ => None,
    }
}
