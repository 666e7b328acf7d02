//! Columns as types of the model.

use messenger_core::{LogKey, MessageId, Position, Revision, UserId};
use rusqlite::Row;
use uuid::Uuid;

use crate::error::{Failure, Result};

/// A row of a statement that selects what [`message`](crate::history) or
/// [`entry`](crate::inbox) decode.
pub(crate) trait Columns {
    fn message_id(&self, column: &str) -> Result<MessageId>;
    fn optional_message_id(&self, column: &str) -> Result<Option<MessageId>>;
    fn optional_revision(&self, column: &str) -> Result<Option<Revision>>;
    fn log_key(&self, column: &str) -> Result<LogKey>;
    fn user_id(&self, column: &str) -> Result<UserId>;
}

impl Columns for Row<'_> {
    fn message_id(&self, column: &str) -> Result<MessageId> {
        MessageId::from_uuid(self.get(column)?).map_err(|_| Failure::Corrupt(NO_UUID_V7))
    }

    fn optional_message_id(&self, column: &str) -> Result<Option<MessageId>> {
        let id: Option<Uuid> = self.get(column)?;
        let id = id.map(MessageId::from_uuid).transpose();
        id.map_err(|_| Failure::Corrupt(NO_UUID_V7))
    }

    fn optional_revision(&self, column: &str) -> Result<Option<Revision>> {
        let revision: Option<Uuid> = self.get(column)?;
        let revision = revision.map(Revision::from_uuid).transpose();
        revision.map_err(|_| Failure::Corrupt(NO_UUID_V7))
    }

    fn log_key(&self, column: &str) -> Result<LogKey> {
        LogKey::from_uuid(self.get(column)?).map_err(|_| Failure::Corrupt(NO_UUID_V7))
    }

    fn user_id(&self, column: &str) -> Result<UserId> {
        let id = self.get_ref(column)?.as_str();
        let id = id.map_err(|_| Failure::Corrupt(NO_USER_ID))?;
        UserId::new(id).map_err(|_| Failure::Corrupt(NO_USER_ID))
    }
}

const NO_UUID_V7: &str = "a stored id is not a UUIDv7";
const NO_USER_ID: &str = "a stored user id is not valid";

/// Returns an exclusive upper bound: the position, or one above all.
pub(crate) fn upper_bound(below: Option<Position>) -> Uuid {
    below.map_or(Uuid::max(), Position::as_uuid)
}
