//! The tables, and how they came to be.
//!
//! All ids are 16-byte BLOBs of UUIDs; those of messages and log keys are UUIDv7, so their byte order
//! is their order. Every table is `WITHOUT ROWID`: its rows lie in the order of its primary key, and
//! a page is one range of it.

use rusqlite::Connection;
use rusqlite::TransactionBehavior;

use crate::error::Result;

/// The number in the header of the file that marks it as ours: "mess".
pub(crate) const APPLICATION_ID: i32 = 0x6d65_7373;

/// The steps from an empty file to today's tables. A file's `user_version` is the number of steps
/// that it has gone through, so a step is never changed once it was released.
const STEPS: &[&str] = &[VERSION_1];

/// The version of the tables that this crate reads and writes.
pub(crate) const VERSION: usize = STEPS.len();

const VERSION_1: &str = "
-- One row for each conversation. `first` < `second`. The position of its last message, its read
-- markers, and its log key: the greatest of its last message's id and the keys of all changes.
CREATE TABLE conversations (
    id            BLOB NOT NULL PRIMARY KEY,
    first         TEXT NOT NULL,
    second        TEXT NOT NULL,
    last          BLOB NOT NULL,
    read_first    BLOB,
    read_second   BLOB,
    log_key       BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A history is the range of one conversation, in the order of ids.
-- `sender` is 0 for the first participant and 1 for the second. `content` is NULL once the message
-- is unsent. `revision` is NULL while it equals the id, and `log_key` while the message stands in the
-- log at its id only.
CREATE TABLE messages (
    conversation  BLOB NOT NULL,
    id            BLOB NOT NULL,
    sender        INTEGER NOT NULL,
    content       TEXT,
    revision      BLOB,
    log_key       BLOB,
    PRIMARY KEY (conversation, id)
) STRICT, WITHOUT ROWID;

-- The rest of the log of a history: the messages that were edited, unsent or sent late, each at the
-- key of its last change.
CREATE TABLE changes (
    conversation  BLOB NOT NULL,
    log_key       BLOB NOT NULL,
    id            BLOB NOT NULL,
    PRIMARY KEY (conversation, log_key)
) STRICT, WITHOUT ROWID;

-- Each user's conversations: by place, which is the id of the last message, and by log key.
CREATE TABLE inbox (
    user          TEXT NOT NULL,
    place         BLOB NOT NULL,
    conversation  BLOB NOT NULL,
    log_key       BLOB NOT NULL,
    PRIMARY KEY (user, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_log ON inbox (user, log_key);

-- `ends` is in milliseconds since the Unix epoch.
CREATE TABLE idempotency_keys (
    sender        TEXT NOT NULL,
    key           TEXT NOT NULL,
    message       BLOB NOT NULL,
    fingerprint   BLOB NOT NULL,
    ends          INTEGER NOT NULL,
    PRIMARY KEY (sender, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_end ON idempotency_keys (ends);

-- One row: the greatest log key ever written, above which the clock starts.
CREATE TABLE newest (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    log_key       BLOB NOT NULL
) STRICT;
";

/// Brings a file to [`VERSION`], all steps or none.
pub(crate) fn migrate(connection: &mut Connection, version: usize) -> Result<()> {
    if version == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in &STEPS[version..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION as i64)?;
    transaction.commit()?;
    Ok(())
}
