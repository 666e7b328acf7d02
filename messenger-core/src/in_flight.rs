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
