//! Keyed sends: one message for each (sender, key), for a day.
//!
//! The only lightweight transaction. It may be repeated after a timeout: if the first attempt won
//! after all, the second one loses against it and finds its own claim. So the winner is never known by
//! whether the transaction was applied, only by whose claim the row holds.

use messenger_core::{Claim, Error, Fingerprint, MessageId, Reservation};
use scylla::SerializeRow;
use scylla::value::{CqlValue, Row};
use uuid::Uuid;

use crate::error;
use crate::session::Db;

#[derive(SerializeRow)]
struct ClaimValues<'a> {
    sender_id: &'a str,
    key: &'a str,
    message_id: Uuid,
    fingerprint: Uuid,
}

pub(crate) async fn reserve(db: &Db, reservation: &Reservation) -> Result<Claim, Error> {
    let ours = reservation.claim;
    let values = ClaimValues {
        sender_id: reservation.sender_id.as_str(),
        key: reservation.key.as_str(),
        message_id: ours.message_id.as_uuid(),
        fingerprint: ours.fingerprint.as_uuid(),
    };
    let rows = db.transaction(&db.statements.claim_key, values).await?;
    let specs = rows.column_specs();
    let column = |row: &Row, name: &str| {
        let (index, _) = specs.get_by_name(name)?;
        row.columns.get(index)?.clone()
    };
    let row = rows.single_row::<Row>().map_err(error::undecodable)?;
    match column(&row, "[applied]") {
        // ScyllaDB answers with all columns, and NULL in those of a row that was not there.
        Some(CqlValue::Boolean(true)) => Ok(ours),
        Some(CqlValue::Boolean(false)) => {
            let uuid = |name| column(&row, name).and_then(|value| value.as_uuid());
            held(uuid("message_id"), uuid("fingerprint"))
        }
        _ => Err(undecided()),
    }
}

/// Returns the claim in the row that was there before.
fn held(message_id: Option<Uuid>, fingerprint: Option<Uuid>) -> Result<Claim, Error> {
    let (Some(message_id), Some(fingerprint)) = (message_id, fingerprint) else {
        return Err(undecided());
    };
    Ok(Claim {
        message_id: MessageId::from_uuid(message_id)
            .map_err(|source| error::corrupt("a stored claim is not a valid one", source))?,
        fingerprint: Fingerprint::from(fingerprint),
    })
}

fn undecided() -> Error {
    Error::new(
        messenger_core::ErrorKind::Corrupt,
        "the transaction on an idempotency key did not say whose claim it holds",
    )
}
