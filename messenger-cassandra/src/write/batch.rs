//! The rows of a batch, by partition.

use std::time::SystemTime;

use messenger_core::LogKey;
use messenger_core::store::MAX_KEY_AGE;
use scylla::SerializeRow;
use scylla::serialize::row::SerializeRow as Values;
use scylla::statement::prepared::PreparedStatement;
use uuid::Uuid;

use crate::session::Db;
use crate::window::write_timestamp;

/// A statement with its values.
pub(crate) type Write<'a> = (&'a PreparedStatement, Box<dyn Values + Send + Sync + 'a>);

/// The rows of a batch, by partition. Everything for one partition is one mutation, which a replica
/// applies as a whole.
pub(crate) type Batch<'a> = Vec<Vec<Write<'a>>>;

/// Returns a statement with its values.
pub(super) fn write<'a>(
    statement: &'a PreparedStatement,
    values: impl Values + Send + Sync + 'a,
) -> Write<'a> {
    (statement, Box::new(values))
}

#[derive(SerializeRow)]
struct KeyValues<'a> {
    user_id: &'a str,
    conversation_id: Uuid,
    key: Uuid,
    timestamp: i64,
}

/// Returns the write that logs a change in an inbox.
pub(super) fn log_change<'a>(
    db: &'a Db,
    user_id: &'a str,
    conversation_id: Uuid,
    key: LogKey,
) -> Write<'a> {
    let values = KeyValues {
        user_id,
        conversation_id,
        key: key.as_uuid(),
        timestamp: write_timestamp(key.as_micros()),
    };
    write(&db.statements.log_change, values)
}

#[derive(SerializeRow)]
struct ImportValues<'a> {
    user_id: &'a str,
    timestamp: i64,
}

/// Returns the present time in microseconds since the Unix epoch if a log key is older than the
/// messenger makes them: then it is an import, and its key says nothing about when it was written.
pub(super) fn imported_at(key: LogKey) -> Option<i64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_micros();
    let is_fresh = u128::from(key.as_micros()) + MAX_KEY_AGE.as_micros() >= now;
    (!is_fresh).then(|| i64::try_from(now).unwrap_or(i64::MAX))
}

/// Returns the write that notes an import in an inbox.
pub(super) fn log_import<'a>(db: &'a Db, user_id: &'a str, timestamp: i64) -> Write<'a> {
    let values = ImportValues { user_id, timestamp };
    write(&db.statements.log_import, values)
}
