//! Idempotency keys.

use std::time::Duration;

use messenger_core::{Claim, Reservation, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::columns::Columns as _;
use crate::error::Result;

/// The number of ended keys that each new one deletes, so that they go faster than they come.
const DELETED_FOR_EACH: i64 = 2;

/// Claims a key within a transaction, and returns the claim that holds it.
pub(crate) fn reserve(
    connection: &Connection,
    reservation: &Reservation,
    now: Timestamp,
    retention: Duration,
) -> Result<Claim> {
    let (sender, key) = (reservation.sender_id.as_str(), reservation.key.as_str());
    let now_millis = now.as_millis().cast_signed();
    let held = connection
        .prepare_cached(
            "SELECT message, fingerprint FROM idempotency_keys
             WHERE sender = ?1 AND key = ?2 AND ends > ?3",
        )?
        .query_row(params![sender, key, now_millis], |row| {
            let fingerprint: uuid::Uuid = row.get("fingerprint")?;
            Ok((row.message_id("message"), fingerprint))
        })
        .optional()?;
    if let Some((message_id, fingerprint)) = held {
        return Ok(Claim {
            message_id: message_id?,
            fingerprint: fingerprint.into(),
        });
    }
    let ends = now.saturating_add(retention).as_millis().cast_signed();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO idempotency_keys (sender, key, message, fingerprint, ends)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            sender,
            key,
            reservation.claim.message_id.as_uuid(),
            reservation.claim.fingerprint.as_uuid(),
            ends
        ])?;
    connection
        .prepare_cached(
            "DELETE FROM idempotency_keys WHERE (sender, key) IN (
                 SELECT sender, key FROM idempotency_keys
                 WHERE ends <= ?1 ORDER BY ends LIMIT ?2)",
        )?
        .execute(params![now_millis, DELETED_FOR_EACH])?;
    Ok(reservation.claim)
}
