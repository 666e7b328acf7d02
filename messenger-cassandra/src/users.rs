//! The users, in the order of their tokens: a walk over the partitions of `inbox_heads`.
//!
//! Users who share a token stand in the order of their ids, so a page may end between them.

use messenger_core::{Error, UserId};
use scylla::SerializeRow;
use scylla::response::query_result::QueryRowsResult;
use uuid::Uuid;

use crate::error;
use crate::session::Db;

#[derive(SerializeRow)]
struct First {
    count: i32,
}

#[derive(SerializeRow)]
struct After<'a> {
    user_id: &'a str,
    count: i32,
}

#[derive(SerializeRow)]
struct Beside<'a> {
    user_id: &'a str,
}

/// A user, and the static columns, which every read of the table selects.
type Row<'a> = (&'a str, Option<Uuid>, Option<i64>);

pub(crate) async fn page(
    db: &Db,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<UserId>, Error> {
    let count = limit as i32;
    let Some(after) = after else {
        let read = db.read(&db.statements.users_first, First { count }).await?;
        return decode(&read);
    };
    let user_id = after.as_str();
    let (beside, above) = tokio::try_join!(
        db.read(&db.statements.users_beside, Beside { user_id }),
        db.read(&db.statements.users_after, After { user_id, count }),
    )?;
    let mut users = decode(&beside)?;
    users.retain(|user| user > after);
    users.extend(decode(&above)?);
    users.truncate(limit);
    Ok(users)
}

fn decode(read: &QueryRowsResult) -> Result<Vec<UserId>, Error> {
    let rows = read.rows::<Row<'_>>().map_err(error::undecodable)?;
    rows.map(|row| {
        let (user_id, ..) = row.map_err(error::undecodable_row)?;
        UserId::new(user_id)
            .map_err(|source| error::corrupt("a stored user id is not valid", source))
    })
    .collect()
}
