//! The repair of a user's indexes.

use futures_util::future::try_join_all;
use messenger_core::{Error, UserId};

use super::entry;
use super::index::{Index, IndexRow};
use crate::error;
use crate::session::Db;

/// The number of conversations that the repair reads and indexes at a time.
const AT_ONCE: i32 = 100;

/// Writes the index rows that a user's conversations should have, and returns how many conversations
/// there are. A row that is there already stays as it is.
pub(crate) async fn rebuild(db: &Db, user: &UserId) -> Result<u64, Error> {
    let late = || error::timed_out().of_read();
    let (mut after, mut count) = (None, 0);
    loop {
        let step = async {
            let read = entry::read_after(db, user, after, AT_ONCE).await?;
            let mut rows = Vec::new();
            let mut last = None;
            entry::each(&read, |found| {
                last = Some(found.conversation);
                let (place, key) = (db.windows.epoch(found.place), db.windows.epoch(found.key));
                let row = |index, epoch| IndexRow {
                    index,
                    user: user.clone(),
                    epoch,
                    conversation: found.conversation.into(),
                };
                rows.push(row(Index::Recency, place));
                count += 1;
                // A key of the epoch of the place is found through the row of the place.
                if key > place {
                    rows.push(row(Index::Changes, key));
                }
                Ok(())
            })?;
            try_join_all(rows.iter().map(|row| row.insert(db))).await?;
            Ok((last, read.rows_num()))
        };
        // Each step has a deadline of its own: there is no bound to how many there are.
        let (last, read) = db.deadline().bound(step, late).await?;
        after = last;
        if after.is_none() || read < AT_ONCE as usize {
            return Ok(count);
        }
    }
}
