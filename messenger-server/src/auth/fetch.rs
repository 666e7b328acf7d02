//! Fetches a JWKS over HTTPS.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use messenger_http::jwt::Keys;
use rustls::crypto::aws_lc_rs;
use tokio::task::spawn_blocking;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::file;

/// The time in which keys must arrive. It is shorter than the time in which requests are answered.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The greatest number of redirects that are followed.
const MAX_REDIRECTS: u32 = 3;

/// The URL of a JWKS.
#[derive(Clone, Debug)]
pub(crate) struct Source(Uri);

/// Parses the URL of a JWKS. On the way over HTTP, keys could be replaced, so it must be HTTPS unless
/// it stays on this machine.
pub(super) fn source(text: &str) -> Result<Source> {
    let uri =
        Uri::from_str(text).context("it must be a URL, such as https://id.example/jwks.json")?;
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(Source(uri)),
        Some("http") if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => Ok(Source(uri)),
        _ => bail!("it must begin with https://; http:// is for this machine only"),
    }
}

/// Fetches keys.
pub(super) type Fetch = Box<dyn Fn() -> BoxFuture<'static, Result<Keys>> + Send + Sync>;

impl Source {
    /// Returns a function that fetches the keys, from a host that is certified by an authority in this
    /// file, or by one of Mozilla's.
    pub(super) fn fetch(&self, ca: Option<&Path>) -> Result<Fetch> {
        let roots = match ca {
            Some(path) => authorities(path)?,
            None => RootCerts::WebPki,
        };
        let tls = TlsConfig::builder()
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .https_only(self.0.scheme_str() == Some("https"))
            .max_redirects(MAX_REDIRECTS)
            .timeout_global(Some(TIMEOUT))
            .tls_config(tls)
            .build()
            .new_agent();
        let uri = self.0.clone();
        Ok(Box::new(move || {
            let (agent, uri) = (agent.clone(), uri.clone());
            async move { spawn_blocking(move || get(&agent, &uri)).await? }.boxed()
        }))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn get(agent: &Agent, uri: &Uri) -> Result<Keys> {
    let fetch = || {
        let mut response = agent.get(uri).call()?;
        response
            .body_mut()
            .with_config()
            .limit(file::MAX_LEN)
            .read_to_string()
    };
    let json = fetch().with_context(|| format!("cannot fetch the keys of tokens from {uri}"))?;
    let keys = Keys::from_jwks(&json)
        .with_context(|| format!("the keys of tokens from {uri} are not accepted"))?;
    ensure!(
        !keys.has_secret(),
        "the keys of tokens from {uri} are not accepted: a secret (kty oct) must not be published"
    );
    Ok(keys)
}

fn authorities(path: &Path) -> Result<RootCerts> {
    let pem = file::read(path)?;
    let mut authorities = Vec::new();
    for item in parse_pem(&pem) {
        match item.with_context(|| format!("{} is not valid PEM", path.display()))? {
            PemItem::Certificate(authority) => authorities.push(authority),
            _ => bail!("{} must have nothing but certificates", path.display()),
        }
    }
    ensure!(
        !authorities.is_empty(),
        "{} has no certificate",
        path.display()
    );
    Ok(authorities.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use rcgen::CertifiedKey;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};
    use tempfile::NamedTempFile;

    use super::*;

    /// A host with a certificate, which is its own authority.
    struct Host {
        url: String,
        authority: NamedTempFile,
    }

    impl Host {
        /// Starts a host that answers each request so.
        fn start(name: &str, response: String) -> Self {
            let CertifiedKey { cert, signing_key } =
                rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
            let mut authority = NamedTempFile::new().unwrap();
            authority.write_all(cert.pem().as_bytes()).unwrap();
            let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
            let crypto = Arc::new(aws_lc_rs::default_provider());
            let config = ServerConfig::builder_with_provider(crypto)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![cert.der().clone()], key)
                .unwrap();
            let config = Arc::new(config);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                    let mut stream = StreamOwned::new(connection, stream.unwrap());
                    // A client that does not trust the host leaves.
                    if stream.read(&mut [0; 4096]).is_ok() {
                        let _ = stream.write_all(response.as_bytes());
                    }
                }
            });
            Self {
                url: format!("https://localhost:{port}/jwks.json"),
                authority,
            }
        }

        fn with_keys(name: &str) -> Self {
            let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
            let jwk = format!(r#"{{"kty": "OKP", "crv": "Ed25519", "x": "{x}"}}"#);
            let len = jwk.len();
            let head = "HTTP/1.1 200 OK\r\nConnection: close";
            Self::start(
                name,
                format!("{head}\r\nContent-Length: {len}\r\n\r\n{jwk}"),
            )
        }

        async fn fetch(&self, authority: Option<&NamedTempFile>) -> Result<Keys> {
            let authority = authority.map(NamedTempFile::path);
            source(&self.url).unwrap().fetch(authority).unwrap()().await
        }
    }

    #[tokio::test]
    async fn keys_come_from_a_certified_host_only() {
        let host = Host::with_keys("localhost");
        assert!(host.fetch(Some(&host.authority)).await.is_ok());
        let other = Host::with_keys("other.example");
        for (host, authority) in [
            (&host, None),
            (&host, Some(&other.authority)),
            (&other, Some(&other.authority)),
        ] {
            let error = format!("{:#}", host.fetch(authority).await.unwrap_err());
            assert!(error.contains("certificate"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_redirect_to_a_host_without_a_certificate_is_not_followed() {
        let location = "Location: http://127.0.0.1:1/jwks.json";
        let response = format!("HTTP/1.1 302 Found\r\n{location}\r\nContent-Length: 0\r\n\r\n");
        let host = Host::start("localhost", response);
        let error = host.fetch(Some(&host.authority)).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("https only"), "{error}");
    }

    #[test]
    fn authorities_are_certificates() {
        for text in [
            "",
            "x",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            let mut file = NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let source = source("https://id.example/").unwrap();
            assert!(source.fetch(Some(file.path())).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for url in [
            "https://id.example/jwks.json",
            "http://localhost:1/",
            "http://127.0.0.1:8080/jwks",
            "http://[::1]:8080/jwks",
        ] {
            assert!(source(url).is_ok(), "{url}");
        }
        for url in [
            "http://id.example/jwks.json",
            "http://localhost.evil.example/",
            "ftp://id.example/",
            "id.example",
            "/jwks.json",
            "",
        ] {
            assert!(source(url).is_err(), "{url}");
        }
    }
}
