//! One step of a walk or of catching up: from a query to what the store is asked, and from its rows
//! to a page. No I/O: the rules of paging are here once, for histories and inboxes of every store.

use super::cursor::{Scope, Target};
use super::{Cursor, HistoryQuery, InboxQuery, Limit, Page};
use crate::error::{Error, ErrorKind, Subject};
use crate::ids::{ConversationId, Position, UserId};
use crate::model::{InboxEntry, Message};
use crate::store::Logged;

/// An item of a list.
pub(crate) trait Item {
    /// Returns the place of the item in its list.
    fn place(&self) -> Position;

    /// Returns the size of its text in bytes, which counts towards [`Page::MAX_BYTES`].
    fn size(&self) -> usize;
}

impl Item for Message {
    fn place(&self) -> Position {
        self.id().into()
    }

    fn size(&self) -> usize {
        self.content().map_or(0, |content| content.as_str().len())
    }
}

impl Item for InboxEntry {
    fn place(&self) -> Position {
        Self::place(self)
    }

    fn size(&self) -> usize {
        let preview = self.last_message().preview();
        preview.map_or(0, |preview| preview.as_str().len())
    }
}

/// One step: it reads one page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Older(Older),
    Newer(Newer),
}

impl Step {
    pub(crate) fn of_history(
        conversation: ConversationId,
        query: HistoryQuery,
    ) -> Result<Self, Error> {
        let scope = Scope::history(conversation);
        let before = query.before.map(Position::start_of);
        Self::new(scope, query.limit, query.cursor, before)
    }

    pub(crate) fn of_inbox(user: &UserId, query: InboxQuery) -> Result<Self, Error> {
        Self::new(Scope::inbox(user), query.limit, query.cursor, None)
    }

    fn new(
        scope: Scope,
        limit: Limit,
        cursor: Option<Cursor>,
        before: Option<Position>,
    ) -> Result<Self, Error> {
        let limit = limit.get();
        let target = cursor.map(|cursor| cursor.target_in(scope)).transpose()?;
        let below = match (target, before) {
            (Some(Target::Newer { settled, at }), None) => {
                return Ok(Self::Newer(Newer {
                    scope,
                    limit,
                    settled,
                    at,
                }));
            }
            (Some(Target::Newer { .. }), Some(_)) => {
                return Err(Error::about(
                    ErrorKind::Malformed,
                    Subject::CursorScope,
                    "a prev cursor cannot be combined with a time: it leads to the newest messages; \
                     leave the time out, or use a next cursor",
                ));
            }
            (Some(Target::Older { below }), Some(before)) => Some(below.min(before)),
            (Some(Target::Older { below }), None) => Some(below),
            (None, before) => before,
        };
        Ok(Self::Older(Older {
            scope,
            limit,
            below,
        }))
    }
}

/// A step of a walk towards older items.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Older {
    scope: Scope,
    limit: usize,
    pub(crate) below: Option<Position>,
}

impl Older {
    /// Returns the number of items to read: one more than the page holds shows whether anything
    /// older exists.
    pub(crate) fn limit(&self) -> usize {
        self.limit + 1
    }

    /// Returns the page. `settled` was taken before the items were read.
    pub(crate) fn page<T: Item>(self, mut items: Vec<T>, settled: Position) -> Page<T> {
        let fitting = fitting(items.iter()).min(self.limit);
        let more = items.len() > fitting;
        items.truncate(fitting);
        let next = items
            .last()
            .filter(|_| more)
            .map(|item| older_than(self.scope, item.place()));
        // Catching up begins above the newest place on the page. An empty page has read everything
        // below its bound, and what lies at or above the bound was not looked at.
        let at = match (items.first(), self.below) {
            (Some(newest), _) => newest.place(),
            (None, Some(below)) => below.pred().min(settled),
            (None, None) => Position::MIN,
        };
        let prev = newer_than(self.scope, settled.min(at), at);
        Page { items, next, prev }
    }
}

/// A step of catching up: it follows the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newer {
    scope: Scope,
    limit: usize,
    /// The positions of the cursor.
    settled: Position,
    at: Position,
}

impl Newer {
    /// Returns the number of log entries to read.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the position above which the log is read.
    ///
    /// Normally this is `at`. Once everything up to `at` has settled, the step starts again from
    /// `settled`: it returns the few items in between once more, and closes the gap.
    pub(crate) fn from(&self, settled_now: Position) -> Position {
        if settled_now >= self.at {
            self.settled
        } else {
            self.at
        }
    }

    /// Takes the log that was read, and returns the entries that fit on a page and the next step.
    /// `settled_now` was taken before the log was read.
    pub(crate) fn advance<T: Item>(
        self,
        mut log: Vec<Logged<T>>,
        settled_now: Position,
    ) -> Advanced<T> {
        let from = self.from(settled_now);
        let fitting = fitting(log.iter().map(|entry| &entry.item));
        let full = log.len() >= self.limit || fitting < log.len();
        log.truncate(fitting);
        let read_to = log.last().map_or(from, |entry| entry.key.into());
        // A read that began at `settled` leaves no gap, so it carries `settled` on; one that began
        // at `at` cannot.
        let settled = if from == self.settled {
            settled_now.min(read_to).max(self.settled)
        } else {
            self.settled
        };
        // A full page goes on above what it has read. One that is not full ends the round: the next
        // poll starts above `settled`.
        let at = if full { read_to } else { settled };
        let next = Self {
            settled,
            at,
            ..self
        };
        Advanced { log, next, full }
    }

    /// Returns the cursor that leads to this step.
    pub(crate) fn cursor(&self) -> Cursor {
        newer_than(self.scope, self.settled, self.at)
    }

    /// Returns the page. `settled_now` was taken before the log was read.
    pub(crate) fn page<T: Item>(self, log: Vec<Logged<T>>, settled_now: Position) -> Page<T> {
        let scope = self.scope;
        let Advanced {
            log, next: step, ..
        } = self.advance(log, settled_now);
        let oldest = log.iter().map(|entry| entry.item.place()).min();
        let next = oldest.map(|place| older_than(scope, place));
        let items = log.into_iter().rev().map(|entry| entry.item).collect();
        Page {
            items,
            next,
            prev: step.cursor(),
        }
    }
}

/// The result of a step of catching up.
#[derive(Debug)]
pub(crate) struct Advanced<T> {
    pub(crate) log: Vec<Logged<T>>,
    pub(crate) next: Newer,
    /// `true` if there may be more to read at once.
    #[cfg_attr(
        not(feature = "live"),
        expect(dead_code, reason = "only followers ask")
    )]
    pub(crate) full: bool,
}

/// Returns how many items, from the first one, fit on a page by their size.
fn fitting<'a, T: Item + 'a>(items: impl Iterator<Item = &'a T>) -> usize {
    items
        .scan(0, |size, item| {
            let fits = *size < Page::<T>::MAX_BYTES;
            *size += item.size();
            fits.then_some(())
        })
        .count()
}

fn older_than(scope: Scope, below: Position) -> Cursor {
    Cursor::new(scope, Target::Older { below })
}

fn newer_than(scope: Scope, settled: Position, at: Position) -> Cursor {
    Cursor::new(scope, Target::Newer { settled, at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LogKey;
    use crate::model::NewMessage;

    /// A message with a text of `size` bytes, at a position.
    fn message(at: u64, size: usize) -> Message {
        let new = NewMessage::new("a".parse().unwrap(), "b".parse().unwrap(), "x".repeat(size));
        new.unwrap()
            .with_id(Position::of_ticks(at, 0).as_message_id())
    }

    fn older(limit: usize) -> Older {
        Older {
            scope: Scope::history(message(1, 1).conversation_id()),
            limit,
            below: None,
        }
    }

    #[test]
    fn a_page_ends_early_after_its_greatest_size() {
        let large = || (0..100).rev().map(|at| message(at, 20_000)).collect();
        let page = older(100).page::<Message>(large(), Position::MIN);
        let size: usize = page.items.iter().map(Item::size).sum();
        assert!(size < Page::<Message>::MAX_BYTES + 20_000, "{size}");
        assert!(page.next.is_some());

        let log: Vec<Logged<Message>> = (0..100)
            .map(|at| message(at, 20_000))
            .map(|item| Logged {
                key: LogKey::from(item.id()),
                item,
            })
            .collect();
        let step = Newer {
            scope: older(1).scope,
            limit: 101,
            settled: Position::MIN,
            at: Position::MIN,
        };
        let page = step.page(log, Position::MIN);
        assert!(page.items.len() < 60, "{}", page.items.len());
        let Ok(Target::Newer { at, .. }) = page.prev.target_in(step.scope) else {
            panic!("prev is a newer cursor");
        };
        assert_eq!(at, page.items[0].place(), "the next page goes on from here");
    }

    #[test]
    fn an_empty_page_before_a_future_time_catches_up_from_now() {
        let (now, future) = (Position::of_ticks(5, 0), Position::of_ticks(9, 0));
        let step = Older {
            below: Some(future),
            ..older(1)
        };
        let page = step.page::<Message>(Vec::new(), now);
        let Ok(Target::Newer { at, .. }) = page.prev.target_in(step.scope) else {
            panic!("prev is a newer cursor");
        };
        assert!(at <= now);
    }
}
