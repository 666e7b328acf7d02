//! The time of the last change of an inbox: the static columns of `inbox_heads`.

use messenger_core::{Error, Position, UserId};
use scylla::{DeserializeRow, SerializeRow};
use uuid::Uuid;

use crate::error;
use crate::session::Db;

/// The static columns of a partition, as one read saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The greatest log key of all changes.
    latest: Option<Uuid>,
    /// The time of the last change with an old key, in microseconds since the Unix epoch.
    imported: Option<i64>,
}

#[derive(SerializeRow)]
struct Key<'a> {
    user_id: &'a str,
}

#[derive(DeserializeRow)]
struct Stored {
    latest: Option<Uuid>,
    imported: Option<i64>,
}

impl Stamp {
    pub(crate) fn new(latest: Option<Uuid>, imported: Option<i64>) -> Self {
        Self { latest, imported }
    }

    /// Returns the greater value of each column.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            latest: self.latest.max(other.latest),
            imported: self.imported.max(other.imported),
        }
    }

    /// Returns whether there is a change whose key is above a position.
    pub(crate) fn is_above(self, position: Position) -> bool {
        self.latest > Some(position.as_uuid())
    }

    /// Returns whether there is a change, and every change was made before a position.
    pub(crate) fn is_before(self, position: Position) -> bool {
        let imported = self.imported.unwrap_or(0).unsigned_abs();
        self.latest
            .is_some_and(|latest| latest < position.as_uuid())
            && imported < position.timestamp().as_millis() * 1000
    }
}

/// Reads the stamp of an inbox; empty if there is no conversation in it.
pub(crate) async fn read(db: &Db, user: &UserId) -> Result<Stamp, Error> {
    let key = Key {
        user_id: user.as_str(),
    };
    let rows = db.read(&db.statements.stamp, key).await?;
    let row = rows
        .maybe_first_row::<Stored>()
        .map_err(error::undecodable)?;
    Ok(row.map_or_else(Stamp::default, |row| Stamp::new(row.latest, row.imported)))
}
