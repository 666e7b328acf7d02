//! From a query to what a store is asked, and from its rows to a page. No I/O: every rule of
//! paging is here once, for histories and inboxes and for every store.

use crate::cursor::{Scope, Target};
use crate::store::{Order, Slice};
use crate::{
    Conversation, Cursor, Error, HistoryQuery, InboxQuery, Limit, Message, Page, Position,
};

/// An item with a place in the order.
pub(crate) trait Placed {
    fn position(&self) -> Position;
}

impl Placed for Message {
    fn position(&self) -> Position {
        self.id().into()
    }
}

impl Placed for Conversation {
    fn position(&self) -> Position {
        self.last_message().id().into()
    }
}

/// One step of a walk: reads one page.
#[derive(Debug)]
pub(crate) struct Walk {
    scope: Scope,
    limit: usize,
    from: From,
}

#[derive(Debug)]
enum From {
    /// Towards older items, below a bound if there is one.
    Older { below: Option<Position> },
    /// Towards newer items, between a newer cursor and a bound if there is one.
    Newer {
        settled: Position,
        at: Position,
        below: Option<Position>,
    },
}

impl Walk {
    pub(crate) fn of_history(scope: Scope, query: HistoryQuery) -> Result<Self, Error> {
        let before = query.before.map(Position::start_of);
        Self::new(scope, query.limit, query.cursor, before)
    }

    pub(crate) fn of_inbox(scope: Scope, query: InboxQuery) -> Result<Self, Error> {
        Self::new(scope, query.limit, query.cursor, None)
    }

    fn new(
        scope: Scope,
        limit: Limit,
        cursor: Option<Cursor>,
        before: Option<Position>,
    ) -> Result<Self, Error> {
        let from = match cursor.map(|cursor| cursor.target_in(scope)).transpose()? {
            None => From::Older { below: before },
            Some(Target::Older { below }) => From::Older {
                below: Some(before.map_or(below, |before| before.min(below))),
            },
            Some(Target::Newer { settled, at }) => From::Newer {
                settled,
                at,
                below: before,
            },
        };
        Ok(Self {
            scope,
            limit: limit.get(),
            from,
        })
    }

    /// What the store is asked for.
    pub(crate) fn slice(&self) -> Slice {
        match self.from {
            // One more than the page holds tells whether anything older exists.
            From::Older { below } => Slice {
                above: None,
                below,
                order: Order::NewestFirst,
                limit: self.limit + 1,
            },
            From::Newer { at, below, .. } => Slice {
                above: Some(at),
                below,
                order: Order::OldestFirst,
                limit: self.limit,
            },
        }
    }

    /// The page, from the rows that the store gave. `settled` was taken before they were read.
    pub(crate) fn page<T: Placed>(self, rows: Vec<T>, settled: Position) -> Page<T> {
        match self.from {
            From::Older { below } => self.older_page(rows, below, settled),
            From::Newer {
                settled: so_far,
                at,
                ..
            } => self.newer_page(rows, so_far, at, settled),
        }
    }

    fn older_page<T: Placed>(
        self,
        mut items: Vec<T>,
        below: Option<Position>,
        settled: Position,
    ) -> Page<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items
            .last()
            .filter(|_| more)
            .map(|item| self.older_than(item));
        // Catching up begins above the newest item; where there is none, at the bound itself, for
        // what lies at or above it was not looked at.
        let at = match (items.first(), below) {
            (Some(newest), _) => newest.position(),
            (None, Some(below)) => below.pred(),
            (None, None) => Position::MIN,
        };
        let prev = self.newer_than(settled.min(at), at);
        Page { items, next, prev }
    }

    fn newer_page<T: Placed>(
        self,
        mut items: Vec<T>,
        settled_so_far: Position,
        at: Position,
        settled_now: Position,
    ) -> Page<T> {
        let full = items.len() >= self.limit;
        items.reverse();
        let read_to = items.first().map_or(at, Placed::position);
        // While everything up to `at` is settled, this read carries it on; behind a gap it cannot.
        let settled = if settled_so_far == at {
            settled_now.min(read_to).max(settled_so_far)
        } else {
            settled_so_far
        };
        let prev = self.newer_than(settled, if full { read_to } else { settled });
        let next = items.last().map(|item| self.older_than(item));
        Page { items, next, prev }
    }

    fn older_than<T: Placed>(&self, item: &T) -> Cursor {
        Cursor::new(
            self.scope,
            Target::Older {
                below: item.position(),
            },
        )
    }

    fn newer_than(&self, settled: Position, at: Position) -> Cursor {
        Cursor::new(self.scope, Target::Newer { settled, at })
    }
}
