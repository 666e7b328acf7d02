//! Connections that are open and do nothing, as those of clients that poll now and then.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::{join_all, try_join_all};

use super::connection::{Connection, share};
use super::options::Options;
use super::report::Idle;
use super::target::Target;
use crate::resident::resident_bytes;

/// How many are opened, or asked, at once.
const AT_ONCE: usize = 64;

/// How many come from one address of this machine: fewer than a system has ports to give.
const PER_ADDRESS: usize = 20_000;

/// Open connections, each of which was answered once.
#[derive(Debug)]
pub(super) struct IdleConnections {
    connections: Vec<Connection>,
    resident_bytes_each: Option<i64>,
}

impl IdleConnections {
    /// Opens as many as the options say.
    pub(super) async fn open(target: &Target, options: &Options) -> Result<Option<Self>> {
        let count = options.idle as usize;
        if count == 0 {
            return Ok(None);
        }
        let before = options.pid.map(resident_bytes).transpose()?;
        let mut connections: Vec<_> = (0..count).map(|index| connection(target, index)).collect();
        let lanes = connections.chunks_mut(share(count, AT_ONCE));
        let lanes = lanes.map(|lane| open(lane, options.timeout));
        try_join_all(lanes)
            .await
            .with_context(|| format!("the server does not take {count} idle connections"))?;
        let after = options.pid.map(resident_bytes).transpose()?;
        let grown = before.zip(after).map(|(before, after)| after - before);
        Ok(Some(Self {
            connections,
            resident_bytes_each: grown.map(|bytes| bytes / i64::from(options.idle)),
        }))
    }

    /// Asks each again.
    pub(super) async fn close(mut self, timeout: Duration) -> Idle {
        let opened = self.connections.len();
        let lanes = self.connections.chunks_mut(share(opened, AT_ONCE));
        let answered = join_all(lanes.map(|lane| count_open(lane, timeout))).await;
        Idle {
            opened: opened as u64,
            answered_at_the_end: answered.iter().sum(),
            resident_bytes_each: self.resident_bytes_each,
        }
    }
}

/// The connection of this number.
fn connection(target: &Target, index: usize) -> Connection {
    let connection = Connection::new(target);
    match (target.address.ip(), index / PER_ADDRESS) {
        // All of 127.0.0.0/8 is this machine.
        (IpAddr::V4(ip), more) if ip.is_loopback() && more > 0 => {
            let last = u8::try_from(more + 1).unwrap_or(u8::MAX);
            connection.with_source(Ipv4Addr::new(127, 0, 0, last))
        }
        _ => connection,
    }
}

async fn open(lane: &mut [Connection], timeout: Duration) -> Result<()> {
    for connection in lane {
        ask(connection, timeout).await?;
    }
    Ok(())
}

/// How many are still open, and answer.
async fn count_open(lane: &mut [Connection], timeout: Duration) -> u64 {
    let mut count = 0;
    for connection in lane {
        if connection.is_open() && ask(connection, timeout).await.is_ok() {
            count += 1;
        }
    }
    count
}

async fn ask(connection: &mut Connection, timeout: Duration) -> Result<()> {
    let answer = connection.get("/health/live", timeout).await?;
    ensure!(answer.status == 200, "{answer}");
    Ok(())
}
