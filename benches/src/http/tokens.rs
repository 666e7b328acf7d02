//! A page of a history for a caller with a token, against the same page for a trusted caller.

use std::sync::Arc;

use anyhow::Result;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use messenger_core::UserId;
use messenger_http::Access;
use messenger_http::jwt::{Accepted, JwtAuthentication, Keys};
use serde_json::json;

use super::CONNECTIONS;
use super::client::{Exchange, New, Requests, Response};
use super::messenger::Messenger;
use crate::pair::Pair;

/// The goal: at most 1.3 times the time.
const GOAL: f64 = 1.0 / 1.3;

/// Returns two pairs for each algorithm: with the same token again and again, and with a new one for
/// each request.
pub(super) async fn pairs(messenger: &Messenger) -> Result<Vec<Pair>> {
    let private = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())?;
    let secret = EncodingKey::from_secret(b"a secret of at least thirty-two bytes");
    let mut pairs = Vec::new();
    for (name, algorithm, key) in [
        ("hs256", Algorithm::HS256, secret),
        (
            "eddsa",
            Algorithm::EdDSA,
            EncodingKey::from_ed_der(private.as_ref()),
        ),
    ] {
        let jwk = Jwk::from_encoding_key(&key, algorithm)?;
        let keys = Keys::from_jwks(&serde_json::to_string(&jwk)?)?;
        let authentication = JwtAuthentication::new(keys, Accepted::Any, Accepted::Any);
        let access = Access::authenticated(authentication);
        let server = Arc::new(messenger.start_another(access).await?);
        let signing = Signing {
            request: messenger.history(),
            user: messenger.participant().clone(),
            algorithm,
            key,
        };
        let request = signing.request()?;
        let expected = Response::fetch(server.address(), &request).await?;
        let exchange = |requests| Exchange::new(Arc::clone(&server), requests, &expected);
        let same = exchange(Requests::Same(request));
        let new = exchange(Requests::New(New::new(move || signing.request())));
        for (name, subject) in [
            (format!("http/token/{name}"), same),
            (format!("http/new-token/{name}"), new),
        ] {
            let pair = Pair::new(name, subject, trusted(messenger).await?);
            pairs.push(pair.with_concurrency([CONNECTIONS]).with_goal(Some(GOAL)));
        }
    }
    Ok(pairs)
}

/// Returns the exchange of a page with a server that trusts its callers.
async fn trusted(messenger: &Messenger) -> Result<Exchange> {
    let (server, request) = (Arc::clone(&messenger.server), messenger.history());
    let expected = Response::fetch(server.address(), &request).await?;
    Ok(Exchange::new(server, Requests::Same(request), &expected))
}

/// Adds tokens to a request.
struct Signing {
    request: Vec<u8>,
    user: UserId,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signing {
    /// Returns the request with a token that is unlike any other.
    fn request(&self) -> Result<Vec<u8>> {
        let claims = json!({
            "sub": self.user,
            "iss": "https://id.example",
            "aud": "messenger",
            "exp": get_current_timestamp() + 60 * 60,
            "jti": rand::random::<u64>(),
        });
        let token = jsonwebtoken::encode(&Header::new(self.algorithm), &claims, &self.key)?;
        let mut request = self.request.trim_ascii_end().to_vec();
        request.extend(format!("\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes());
        Ok(request)
    }
}
