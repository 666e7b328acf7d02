//! The ids that were made and whose messages cannot be seen yet.
//!
//! A newer cursor must not move past a message that is still on its way. The smallest id in flight
//! bounds how far what was read is settled.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::{Clock, MessageId, Position};

#[derive(Debug, Default)]
pub(crate) struct InFlight {
    ids: Mutex<BTreeSet<MessageId>>,
}

impl InFlight {
    /// Makes an id that is in flight until the ticket is dropped.
    pub(crate) fn begin(&self, clock: &Clock) -> Ticket<'_> {
        // The id is made under the lock. Between making and noting it, `settled` would otherwise
        // take the id for settled.
        let mut ids = self.ids.lock();
        let id = clock.next_id();
        ids.insert(id);
        Ticket { ids: &self.ids, id }
    }

    /// The position up to which a read that starts now sees everything that this process will
    /// ever have appended there.
    pub(crate) fn settled(&self, clock: &Clock) -> Position {
        let ids = self.ids.lock();
        match ids.first() {
            Some(&first) => Position::from(first).pred(),
            None => clock.watermark(),
        }
    }
}

/// An id in flight.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    ids: &'a Mutex<BTreeSet<MessageId>>,
    id: MessageId,
}

impl Ticket<'_> {
    pub(crate) fn id(&self) -> MessageId {
        self.id
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.ids.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn no_id_is_made_below_what_was_settled() {
        let (clock, in_flight) = (Clock::new(), InFlight::default());
        let settled = Mutex::new(Position::MIN);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let now = in_flight.settled(&clock);
                        let mut settled = settled.lock();
                        *settled = now.max(*settled);
                    }
                });
            }
            let start = Instant::now();
            let mut below = None;
            while below.is_none() && start.elapsed() < Duration::from_millis(300) {
                let ticket = in_flight.begin(&clock);
                below = Some(ticket.id()).filter(|&id| Position::from(id) <= *settled.lock());
            }
            done.store(true, Ordering::Relaxed);
            assert_eq!(below, None, "made after its position was settled");
        });
    }

    #[test]
    fn the_smallest_id_in_flight_bounds_what_is_settled() {
        let (clock, in_flight) = (Clock::new(), InFlight::default());
        let first = in_flight.begin(&clock);
        let second = in_flight.begin(&clock);
        let below = |ticket: &Ticket<'_>| Position::from(ticket.id()).pred();
        assert_eq!(in_flight.settled(&clock), below(&first));
        let (one, two) = (first.id(), second.id());
        drop(first);
        assert_eq!(in_flight.settled(&clock), below(&second));
        drop(second);
        assert!(in_flight.settled(&clock) >= Position::from(one.max(two)));
    }
}
