//! Reading an index of an inbox in order, in either direction.

use std::collections::VecDeque;

use messenger_core::{Error, Position, UserId};
use scylla::statement::prepared::PreparedStatement;
use scylla::{DeserializeRow, SerializeRow};
use uuid::Uuid;

use super::index::Index;
use crate::error;
use crate::session::Db;
use crate::window::Epoch;

/// The number of rows that a scan reads at a time: first, and at most.
const FIRST_READ: usize = 128;
const LARGEST_READ: usize = 1024;

/// A scan of an index. It returns the rows in order, whole epochs at a time where it can.
pub(crate) struct Scan<'a> {
    db: &'a Db,
    user: &'a UserId,
    index: Index,
    statement: &'a PreparedStatement,
    direction: Direction,
    /// The last row that was read.
    after: (Epoch, Uuid),
    /// Rows that were read and not returned yet.
    rows: VecDeque<Row>,
    next_read: usize,
    /// `true` if the last row of the index was read.
    ended: bool,
    /// The epoch up to which all rows were returned, in the direction of the scan.
    pub(crate) reach: Reach,
}

/// A row of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) index: Index,
    pub(crate) epoch: Epoch,
    pub(crate) conversation: Uuid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Down,
    Up,
}

/// The progress of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Every row up to this epoch, and those in it, was returned.
    Epoch(Epoch),
    /// Every row was returned.
    Everything,
}

#[derive(SerializeRow)]
struct After<'a> {
    user_id: &'a str,
    epoch: i32,
    conversation_id: Uuid,
    count: i32,
}

#[derive(DeserializeRow)]
struct Stored {
    epoch: i32,
    conversation_id: Uuid,
}

impl<'a> Scan<'a> {
    /// Starts with the newest row of `inbox_recency` whose epoch may hold a place below a bound.
    pub(crate) fn down(db: &'a Db, user: &'a UserId, below: Option<Position>) -> Self {
        let first = below.map_or(Epoch::MAX, |below| db.windows.epoch(below));
        Self {
            db,
            user,
            index: Index::Recency,
            statement: &db.statements.recency_newest,
            direction: Direction::Down,
            after: (first.next(), Uuid::nil()),
            rows: VecDeque::new(),
            next_read: FIRST_READ,
            ended: false,
            reach: Reach::Epoch(first.next()),
        }
    }

    /// Starts with the oldest row of an index whose epoch may hold a position above a bound.
    pub(crate) fn up(db: &'a Db, user: &'a UserId, index: Index, above: Position) -> Self {
        let first = db.windows.epoch(above);
        Self {
            db,
            user,
            index,
            statement: match index {
                Index::Recency => &db.statements.recency_oldest,
                Index::Changes => &db.statements.changes_newer,
            },
            direction: Direction::Up,
            after: (first.previous(), Uuid::max()),
            rows: VecDeque::new(),
            next_read: FIRST_READ,
            ended: false,
            reach: Reach::Epoch(first.previous()),
        }
    }

    /// Returns the next rows: at least as many as wanted, up to the end of an epoch, but no more than one
    /// read has brought. None if there are no more.
    pub(crate) async fn next(&mut self, wanted: usize) -> Result<Vec<Row>, Error> {
        if self.rows.is_empty() && !self.ended {
            self.read().await?;
        }
        // The first row of the next epoch that is not needed any more.
        let mut end = self.rows.len();
        for at in wanted.max(1)..self.rows.len() {
            if self.rows[at].epoch != self.rows[at - 1].epoch {
                end = at;
                break;
            }
        }
        let rows: Vec<Row> = self.rows.drain(..end).collect();
        match (rows.last(), self.rows.is_empty()) {
            (Some(last), false) => self.reach = Reach::Epoch(last.epoch),
            _ if self.ended => self.reach = Reach::Everything,
            // The epoch of the last row may have more of them; the one before is complete.
            (Some(last), true) => {
                self.reach = Reach::Epoch(match self.direction {
                    Direction::Down => last.epoch.next(),
                    Direction::Up => last.epoch.previous(),
                });
            }
            (None, _) => {}
        }
        Ok(rows)
    }

    async fn read(&mut self) -> Result<(), Error> {
        let limit = self.next_read;
        self.next_read = (limit * 2).min(LARGEST_READ);
        let (epoch, conversation_id) = self.after;
        let values = After {
            user_id: self.user.as_str(),
            epoch: epoch.0,
            conversation_id,
            count: limit as i32,
        };
        let result = self.db.read(self.statement, values).await?;
        for stored in result.rows::<Stored>().map_err(error::undecodable)? {
            let stored = stored.map_err(error::undecodable_row)?;
            self.rows.push_back(Row {
                index: self.index,
                epoch: Epoch(stored.epoch),
                conversation: stored.conversation_id,
            });
        }
        self.ended = self.rows.len() < limit;
        if let Some(last) = self.rows.back() {
            self.after = (last.epoch, last.conversation);
        }
        Ok(())
    }
}

impl Reach {
    /// Returns the lesser of the reaches of two scans upwards.
    pub(crate) fn lesser(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, reach) | (reach, Self::Everything) => reach,
            (Self::Epoch(one), Self::Epoch(other)) => Self::Epoch(one.min(other)),
        }
    }
}
