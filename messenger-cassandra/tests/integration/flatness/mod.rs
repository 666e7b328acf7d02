//! The rows that a page reads, as the node itself reports them: they grow with the page, not with the
//! rows beside it.
//!
//! The node is asked to trace every request of a call, and each trace says how many rows and
//! tombstones were read. `MESSENGER_FLAT_MESSAGES` is the length of the longest history, 10,000
//! unless it is set.

use libtest_mimic::Trial;

mod active;
mod epochs;
mod history;
mod inbox;
mod traced;
mod world;

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        history::long(),
        history::sparse(),
        inbox::wide(),
        inbox::moved(),
        inbox::imported(),
        inbox::crowded(),
        inbox::idle(),
        active::trial(),
        epochs::trial(),
    ]
}
