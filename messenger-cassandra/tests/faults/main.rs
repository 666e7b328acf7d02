//! Faults on purpose, on real nodes: nodes and clients are killed and stopped, clocks disagree, and
//! what was acknowledged must be there.
//!
//! Cases run one at a time. Without a Cassandra each is ignored with the reason, or fails if
//! `MESSENGER_REQUIRE_CASSANDRA=1`. More of them than a normal run has room for:
//!
//! | variable | meaning | unless set |
//! | --- | --- | --- |
//! | `MESSENGER_RING_FAULTS` | how often a node of the ring is killed or stopped | 2 |
//! | `MESSENGER_NODE_KILLS` | how often the single node is killed | 1 |
//! | `MESSENGER_CLIENT_KILLS` | how often a client is killed | 10 |

use libtest_mimic::Arguments;

mod child;
mod client;
mod clocks;
mod load;
mod node;
#[path = "../relay/mod.rs"]
mod relay;
mod ring;
mod views;
mod world;

fn main() {
    if let Some(role) = child::role() {
        return child::play(&role);
    }
    let mut arguments = Arguments::from_args();
    // A fault of one case is not to be a fault of another, and a ring takes all of a small machine.
    arguments.test_threads = Some(1);
    let trials = vec![
        ring::trial(),
        node::trial(),
        client::trial(),
        clocks::apart(),
        clocks::too_far_apart(),
    ];
    libtest_mimic::run(&arguments, trials).exit()
}
