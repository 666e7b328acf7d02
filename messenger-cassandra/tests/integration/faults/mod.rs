//! Faults on purpose, on real nodes: requests and answers are lost, nodes and clients are killed and
//! stopped, clocks disagree; and what was acknowledged must be there.
//!
//! A run has room for a few of them. For more:
//!
//! | variable | meaning | unless set |
//! | --- | --- | --- |
//! | `MESSENGER_RING_FAULTS` | how often a node of the ring is killed or stopped | 2 |
//! | `MESSENGER_NODE_KILLS` | how often the single node is killed | 1 |
//! | `MESSENGER_CLIENT_KILLS` | how often a client is killed | 10 |

use libtest_mimic::Trial;

pub(crate) mod child;
mod client;
mod clocks;
mod load;
mod node;
mod requests;
mod ring;
mod views;
mod world;

/// A ring takes a minute, mostly of waiting: it comes first, and the others run beside it.
pub(crate) fn long() -> Vec<Trial> {
    vec![ring::trial()]
}

pub(crate) fn cases() -> Vec<Trial> {
    let mut cases = requests::cases();
    // Processes with deadlines come last, when nothing else starts.
    cases.extend([
        node::trial(),
        client::trial(),
        clocks::apart(),
        clocks::too_far_apart(),
        clocks::steps(),
    ]);
    cases
}
