//! Rows of the two indexes of an inbox.

use std::sync::Arc;

use futures_util::future::try_join_all;
use messenger_core::{ConversationId, Error, UserId};
use scylla::SerializeRow;
use scylla::statement::prepared::PreparedStatement;
use uuid::Uuid;

use crate::error;
use crate::session::Db;
use crate::window::Epoch;

/// One of the two indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    /// `inbox_recency`: by the epoch of the place.
    Recency,
    /// `inbox_changes`: by the epoch of the log key of a change.
    Changes,
}

/// A row of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexRow {
    pub(crate) index: Index,
    pub(crate) user: UserId,
    pub(crate) epoch: Epoch,
    pub(crate) conversation: ConversationId,
}

#[derive(SerializeRow)]
struct Values<'a> {
    user_id: &'a str,
    epoch: i32,
    conversation_id: Uuid,
    timestamp: i64,
}

impl IndexRow {
    pub(crate) async fn insert(&self, db: &Db) -> Result<(), Error> {
        let statement = match self.index {
            Index::Recency => &db.statements.insert_recency,
            Index::Changes => &db.statements.insert_changes,
        };
        self.write(db, statement).await
    }

    async fn delete(&self, db: &Db) -> Result<(), Error> {
        let statement = match self.index {
            Index::Recency => &db.statements.delete_recency,
            Index::Changes => &db.statements.delete_changes,
        };
        self.write(db, statement).await
    }

    async fn write(&self, db: &Db, statement: &PreparedStatement) -> Result<(), Error> {
        let values = Values {
            user_id: self.user.as_str(),
            epoch: self.epoch.0,
            conversation_id: self.conversation.as_uuid(),
            timestamp: db.windows.index_timestamp(self.epoch),
        };
        db.write(statement, values).await
    }
}

/// Deletes left-over rows in a task that nobody waits for. If it fails, or if very many such tasks
/// are running already, the rows stay left over.
pub(crate) fn delete_later(db: &Arc<Db>, rows: Vec<IndexRow>) {
    if rows.is_empty() {
        return;
    }
    let task = Arc::clone(db);
    db.tidy_later(async move {
        let deletes = try_join_all(rows.iter().map(|row| row.delete(&task)));
        let late = || error::timed_out().of_read();
        match task.deadline().bound(deletes, late).await {
            Ok(done) => metrics::counter!("messenger_cassandra_leftovers_deleted_total")
                .increment(done.len() as u64),
            Err(error) => tracing::debug!(%error, "left-over rows of an inbox stay for now"),
        }
    });
}
