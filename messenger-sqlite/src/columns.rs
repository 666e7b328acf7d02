//! Columns as types of the model.

use messenger_core::{Content, LogKey, MessageId, Position, Revision, UserId};
use rusqlite::{Row, RowIndex};
use uuid::Uuid;

use crate::error::{Failure, Result};

/// The columns of a row as types of the model.
///
/// Pages read their columns by position: a name would be searched for in each row.
pub(crate) trait Columns {
    fn message_id(&self, column: impl RowIndex) -> Result<MessageId>;
    fn optional_message_id(&self, column: impl RowIndex) -> Result<Option<MessageId>>;
    fn optional_revision(&self, column: impl RowIndex) -> Result<Option<Revision>>;
    fn log_key(&self, column: impl RowIndex) -> Result<LogKey>;
    fn user_id(&self, column: impl RowIndex) -> Result<UserId>;
    /// Returns a text that may be `NULL`.
    fn content(&self, column: impl RowIndex) -> Result<Option<Content>>;
}

impl Columns for Row<'_> {
    fn message_id(&self, column: impl RowIndex) -> Result<MessageId> {
        MessageId::from_uuid(self.get(column)?).map_err(|_| Failure::Corrupt(NO_UUID_V7))
    }

    fn optional_message_id(&self, column: impl RowIndex) -> Result<Option<MessageId>> {
        let id: Option<Uuid> = self.get(column)?;
        let id = id.map(MessageId::from_uuid).transpose();
        id.map_err(|_| Failure::Corrupt(NO_UUID_V7))
    }

    fn optional_revision(&self, column: impl RowIndex) -> Result<Option<Revision>> {
        let revision: Option<Uuid> = self.get(column)?;
        let revision = revision.map(Revision::from_uuid).transpose();
        revision.map_err(|_| Failure::Corrupt(NO_UUID_V7))
    }

    fn log_key(&self, column: impl RowIndex) -> Result<LogKey> {
        LogKey::from_uuid(self.get(column)?).map_err(|_| Failure::Corrupt(NO_UUID_V7))
    }

    fn user_id(&self, column: impl RowIndex) -> Result<UserId> {
        let id = self.get_ref(column)?.as_str();
        let id = id.map_err(|_| Failure::Corrupt(NO_USER_ID))?;
        UserId::new(id).map_err(|_| Failure::Corrupt(NO_USER_ID))
    }

    fn content(&self, column: impl RowIndex) -> Result<Option<Content>> {
        let text = self.get_ref(column)?.as_str_or_null();
        let text = text.map_err(|_| Failure::Corrupt(NO_CONTENT))?;
        let content = text.map(Content::new).transpose();
        content.map_err(|_| Failure::Corrupt(NO_CONTENT))
    }
}

const NO_UUID_V7: &str = "a stored id is not a UUIDv7";
const NO_USER_ID: &str = "a stored user id is not valid";
const NO_CONTENT: &str = "a stored text is not valid";

/// Returns an exclusive upper bound: the position, or one above all.
pub(crate) fn upper_bound(below: Option<Position>) -> Uuid {
    below.map_or(Uuid::max(), Position::as_uuid)
}
