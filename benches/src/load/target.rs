//! Which server the load goes to.
//!
//! Load that is pointed at the wrong machine is an accident, so it goes to this machine alone unless
//! one insists.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Uri};
use tokio::net::{TcpStream, lookup_host};

/// A server, and how requests to it look.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Where it listens.
    pub(super) address: SocketAddr,
    host: HeaderValue,
}

/// The name of the header that makes a send once of several.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl Target {
    /// Finds the server and connects to it once, to see that it is there.
    pub(super) async fn find(url: &str, allow_remote: bool) -> Result<Self> {
        let (host, port) = host_and_port(url)?;
        let addresses: Vec<_> = lookup_host((host.trim_matches(['[', ']']), port))
            .await
            .with_context(|| format!("{host} has no address"))?
            .collect();
        for address in &addresses {
            ensure!(
                allow_remote || address.ip().is_loopback(),
                "{url} is {}, which is not this machine; --allow-remote sends load there",
                address.ip()
            );
        }
        let (host, address) = (
            HeaderValue::from_str(&format!("{host}:{port}"))?,
            listening(url, &addresses).await?,
        );
        Ok(Self { address, host })
    }

    /// A request to read what is under this path.
    pub(super) fn get(&self, path: &str) -> Result<Request<Full<Bytes>>> {
        let request = Request::get(path).header(HOST, &self.host);
        Ok(request.body(Full::default())?)
    }

    /// A request to send a message, under a key or not.
    pub(super) fn send(&self, body: Vec<u8>, key: Option<String>) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::post("/api/messages/")
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        Ok(request.body(Full::new(Bytes::from(body)))?)
    }
}

/// The one of these addresses that takes connections: a name may stand for several.
async fn listening(url: &str, addresses: &[SocketAddr]) -> Result<SocketAddr> {
    let mut refusal = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(*address),
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        Some(error) => bail!("no server answers at {url}: {error}"),
        None => bail!("{url} has no address"),
    }
}

fn host_and_port(url: &str) -> Result<(String, u16)> {
    let advice = || format!("{url:?} must be the URL of a server, such as http://127.0.0.1:8000");
    let uri: Uri = url.parse().with_context(advice)?;
    let is_root = uri.path() == "/" && uri.query().is_none();
    ensure!(uri.scheme_str() == Some("http") && is_root, advice());
    let host = uri.host().with_context(advice)?.to_owned();
    Ok((host, uri.port_u16().unwrap_or(80)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server() {
        for (url, host, port) in [
            ("http://127.0.0.1:8000", "127.0.0.1", 8000),
            ("http://localhost/", "localhost", 80),
            ("http://[::1]:81", "[::1]", 81),
        ] {
            assert_eq!(host_and_port(url).unwrap(), (host.to_owned(), port));
        }
        for url in [
            "",
            "127.0.0.1:8000",
            "https://localhost",
            "http://localhost/api",
        ] {
            let error = host_and_port(url).unwrap_err().to_string();
            assert!(error.contains("such as http://127.0.0.1:8000"), "{error}");
        }
    }

    #[tokio::test]
    async fn load_for_another_machine_is_refused() {
        // An address of documentation (RFC 5737): nobody has it.
        let error = Target::find("http://192.0.2.1:8000", false).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("--allow-remote"), "{error}");
    }
}
