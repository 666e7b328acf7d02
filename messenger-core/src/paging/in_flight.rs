//! The log keys that were made and whose changes may not be visible yet.
//!
//! A `prev` cursor must not move past a change that is still on its way. The smallest key in flight
//! bounds the settled position.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::ids::{MessageId, Position};

/// The log keys in flight in this process. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight {
    ids: Arc<Mutex<BTreeSet<MessageId>>>,
}

impl InFlight {
    /// Makes an id that is in flight until the ticket is dropped.
    pub(crate) fn begin(&self, clock: &Clock) -> Ticket {
        // The id is made under the lock. Otherwise `settled` could pass it between the two lines.
        let mut ids = self.ids.lock();
        let id = clock.next_id();
        ids.insert(id);
        Ticket {
            in_flight: self.clone(),
            id,
        }
    }

    /// Returns the position up to which a read that starts now sees every change that this process
    /// will ever make there.
    pub(crate) fn settled(&self, clock: &Clock) -> Position {
        let ids = self.ids.lock();
        match ids.first() {
            Some(&first) => Position::from(first).pred(),
            None => clock.watermark(),
        }
    }
}

/// An id in flight. It serves as a message id, a revision or a log key.
#[derive(Debug)]
pub(crate) struct Ticket {
    in_flight: InFlight,
    id: MessageId,
}

impl Ticket {
    pub(crate) fn id(&self) -> MessageId {
        self.id
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.in_flight.ids.lock().remove(&self.id);
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
        let below = |ticket: &Ticket| Position::from(ticket.id()).pred();
        assert_eq!(in_flight.settled(&clock), below(&first));
        let (one, two) = (first.id(), second.id());
        drop(first);
        assert_eq!(in_flight.settled(&clock), below(&second));
        drop(second);
        assert!(in_flight.settled(&clock) >= Position::from(one.max(two)));
    }
}
