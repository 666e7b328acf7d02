//! The rows that a read marker brings.

use messenger_core::{LogKey, ReadMarker};
use scylla::SerializeRow;
use uuid::Uuid;

use super::batch::{Batch, imported_at, log_change, log_import, write};
use crate::Inner;
use crate::session::Db;
use crate::window::write_timestamp;

/// A marker that is to be written.
pub(super) struct Marker<'a> {
    db: &'a Db,
    key: LogKey,
    imported_at: Option<i64>,
    marker: &'a ReadMarker,
}

#[derive(SerializeRow)]
struct MarkerValues<'a> {
    user_id: &'a str,
    conversation_id: Uuid,
    up_to: Uuid,
    timestamp: i64,
}

impl<'a> Marker<'a> {
    pub(super) fn new(inner: &'a Inner, key: LogKey, marker: &'a ReadMarker) -> Self {
        Self {
            db: &inner.db,
            key,
            imported_at: imported_at(key),
            marker,
        }
    }

    /// The reader has read so far, and every other participant has seen it: both or neither.
    pub(super) fn batch(&self) -> Batch<'_> {
        let statements = &self.db.statements;
        let ReadMarker {
            conversation,
            reader,
            up_to,
            ..
        } = self.marker;
        let conversation_id = conversation.id().as_uuid();
        let mut batch = Batch::new();
        for user in conversation.participants() {
            let user_id = user.as_str();
            let set_marker = if user == reader {
                &statements.set_read
            } else {
                &statements.set_seen
            };
            let marker = MarkerValues {
                user_id,
                conversation_id,
                up_to: up_to.as_uuid(),
                timestamp: write_timestamp(up_to.as_micros()),
            };
            let mut rows = vec![
                write(set_marker, marker),
                log_change(self.db, user_id, conversation_id, self.key),
            ];
            rows.extend(self.imported_at.map(|at| log_import(self.db, user_id, at)));
            batch.push(rows);
        }
        batch
    }
}
