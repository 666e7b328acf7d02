//! Looks whether every message that was acknowledged can be read.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::join_all;

use super::acknowledged::Receipt;
use super::connection::{Connection, share};
use super::options::Options;
use super::report::Sends;
use super::request;
use super::target::Target;

/// How many messages that are missing are told.
const SHOWN: usize = 5;

/// Reads each message by its id: all of them, as many at once as there are connections.
pub(super) async fn verify(target: &Target, options: &Options, receipts: &[Receipt]) -> Sends {
    let lanes = receipts.chunks(share(receipts.len(), options.connections as usize));
    let lanes = lanes.map(|receipts| missing(Connection::new(target), options.timeout, receipts));
    let missing: Vec<String> = join_all(lanes).await.into_iter().flatten().collect();
    let acknowledged = receipts.len() as u64;
    Sends {
        acknowledged,
        found: acknowledged - missing.len() as u64,
        missing: missing.into_iter().take(SHOWN).collect(),
    }
}

/// What was answered for those that are not found.
async fn missing(
    mut connection: Connection,
    timeout: Duration,
    receipts: &[Receipt],
) -> Vec<String> {
    let mut missing = Vec::new();
    for receipt in receipts {
        if let Err(error) = find(&mut connection, timeout, receipt).await {
            missing.push(format!("message {}: {error:#}", receipt.id));
        }
    }
    missing
}

async fn find(connection: &mut Connection, timeout: Duration, receipt: &Receipt) -> Result<()> {
    let path = request::message(receipt.conversation_id, receipt.id);
    let answer = connection.get(&path, timeout).await?;
    ensure!(answer.status == 200, "{answer}");
    let found: Receipt = serde_json::from_slice(&answer.body)?;
    ensure!(found == *receipt, "another message: {answer}");
    Ok(())
}
