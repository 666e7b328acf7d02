//! `messenger-server health-check`: asks a running server whether it is ready.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::net::lookup_host;

/// Succeeds if the server that listens there is ready.
pub(crate) async fn run(listen: &str) -> Result<()> {
    let mut address = lookup_host(listen).await?.next().context("no address")?;
    if address.ip().is_unspecified() {
        // A server that listens on all addresses is asked on the loopback address.
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let response = tokio::task::spawn_blocking(move || readiness(address))
        .await?
        .with_context(|| format!("no answer from {address}"))?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    let status = head.split(' ').nth(1).unwrap_or("none");
    ensure!(status == "200", "not ready: status {status} {body}");
    let _ = writeln!(io::stdout(), "ready");
    Ok(())
}

/// Returns the response to `GET /health/ready`, as text.
fn readiness(address: SocketAddr) -> io::Result<String> {
    const TIMEOUT: Duration = Duration::from_secs(4);
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
