//! What a page must hold, worked out from the whole list.

use crate::Position;
use crate::walk::Placed;

/// Where a cursor must lead.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// To what lies below.
    Older(Position),
    /// To what lies above `at`; below `settled` nothing can come any more.
    Newer { settled: Position, at: Position },
}

/// A page as it must be.
#[derive(Debug)]
pub(super) struct Expected<T> {
    /// Newest first.
    pub(super) items: Vec<T>,
    pub(super) next: Option<Mark>,
    pub(super) prev: Mark,
}

/// The page of a list, which is given whole and newest first. `settled` is the position up to which
/// everything is there for good when the page is read.
pub(super) fn page<T: Placed + Clone>(
    list: &[T],
    from: Option<Mark>,
    limit: usize,
    before: Option<Position>,
    settled: Position,
) -> Expected<T> {
    let (mut above, mut below) = (None, before);
    match from {
        None => {}
        Some(Mark::Older(mark)) => below = Some(below.map_or(mark, |below| below.min(mark))),
        Some(Mark::Newer { at, .. }) => above = Some(at),
    }
    let within: Vec<_> = list
        .iter()
        .filter(|item| above.is_none_or(|above| item.position() > above))
        .filter(|item| below.is_none_or(|below| item.position() < below))
        .cloned()
        .collect();
    match from {
        Some(Mark::Newer {
            settled: before,
            at,
        }) => newer(within, limit, before, at, settled),
        _ => older(within, limit, below, settled),
    }
}

fn older<T: Placed>(
    mut within: Vec<T>,
    limit: usize,
    below: Option<Position>,
    settled: Position,
) -> Expected<T> {
    let more = within.len() > limit;
    within.truncate(limit);
    let at = match (within.first(), below) {
        (Some(newest), _) => newest.position(),
        (None, Some(below)) => below.pred(),
        (None, None) => Position::MIN,
    };
    Expected {
        next: within
            .last()
            .filter(|_| more)
            .map(|last| Mark::Older(last.position())),
        prev: Mark::Newer {
            settled: settled.min(at),
            at,
        },
        items: within,
    }
}

fn newer<T: Placed>(
    within: Vec<T>,
    limit: usize,
    settled_before: Position,
    at: Position,
    settled: Position,
) -> Expected<T> {
    // The nearest ones: the last of a list that is newest first.
    let items = within
        .into_iter()
        .rev()
        .take(limit)
        .rev()
        .collect::<Vec<_>>();
    let read_to = items.first().map_or(at, Placed::position);
    // Who has read without a gap since what was settled may take as settled what is now.
    let settled = if settled_before == at {
        settled.min(read_to).max(settled_before)
    } else {
        settled_before
    };
    let at = if items.len() == limit {
        read_to
    } else {
        settled
    };
    Expected {
        next: items.last().map(|last| Mark::Older(last.position())),
        prev: Mark::Newer { settled, at },
        items,
    }
}
