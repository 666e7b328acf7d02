//! What a page reads, as the node itself says: it grows with the page, not with what lies beside
//! it.
//!
//! The node is asked to trace every request of a call, and each trace says how many rows and
//! tombstones were read. `MESSENGER_FLAT_MESSAGES` is the length of the longest history, 10,000
//! unless it is set.

use libtest_mimic::Arguments;

mod epochs;
mod history;
mod inbox;
#[path = "../relay/mod.rs"]
mod relay;
mod traced;
mod world;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = vec![
        history::long(),
        history::sparse(),
        inbox::wide(),
        inbox::moved(),
        inbox::imported(),
        inbox::crowded(),
        epochs::trial(),
    ];
    libtest_mimic::run(&arguments, trials).exit()
}
