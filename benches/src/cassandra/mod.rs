//! The store on Cassandra against the bare driver that sends the same statements.
//!
//! Both have connections of their own to the same node. A *cold* send is the first message of two
//! users; a *warm* one goes to a conversation that the store knows. Pages from within a list lie at
//! random places of it. `flat` is the store with itself: its pages of a long list against its pages
//! of a short one.

mod bare;
mod node;
mod reads;
mod rows;
mod sends;
mod world;

use anyhow::Result;

use crate::lists::flat;
use crate::pair::Pair;
use crate::ratio;

pub use node::{Missing, Node};

use world::World;

/// How many calls are in flight, each time that a pair is measured.
const IN_FLIGHT: [usize; 2] = [1, 16];

/// What a send, a page of a history and a page of an inbox are to reach.
const GOAL: f64 = 0.85;

/// How much is in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nobody else uses this crate")]
pub struct Sizes {
    /// The lengths of histories, the shortest first. Each is longer than two pages.
    pub histories: Vec<usize>,
    /// How many conversations inboxes have, the fewest first: six in each epoch.
    pub inboxes: Vec<usize>,
    /// How many conversations are read and written to in turn.
    pub conversations: usize,
    /// The two histories whose pages are compared with each other.
    pub flat_histories: [usize; 2],
    /// The two inboxes whose pages are compared with each other.
    pub flat_inboxes: [usize; 2],
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            histories: vec![100, 1_000, 10_000],
            inboxes: vec![10, 300, 2_000],
            conversations: 64,
            flat_histories: [100, 10_000],
            flat_inboxes: [300, 2_000],
        }
    }
}

/// Everything of the store on Cassandra that is measured, in a keyspace of its own.
///
/// # Errors
///
/// When the node cannot be filled.
pub async fn pairs(node: &Node, sizes: &Sizes) -> Result<Vec<Pair>> {
    let world = World::fill(node, sizes).await?;
    let mut pairs = sends::pairs(&world);
    pairs.extend(reads::pairs(&world));
    for pair in &mut pairs {
        pair.in_flight = IN_FLIGHT.into();
    }
    pairs.extend(flat("cassandra", &world.histories, sizes.flat_histories)?);
    pairs.extend(flat("cassandra", &world.inboxes, sizes.flat_inboxes)?);
    warm_up(&pairs).await?;
    Ok(pairs)
}

/// The goals are those of a warm node. One that has just been started compiles for a quarter of a
/// minute what it then runs, and whatever is measured first is measured on its interpreter.
async fn warm_up(pairs: &[Pair]) -> Result<()> {
    const IN_FLIGHT: usize = 16;
    const TIMES: u64 = 100;
    for pair in pairs {
        for side in [&pair.subject, &pair.baseline] {
            ratio::run(side, IN_FLIGHT, TIMES).await?;
        }
    }
    Ok(())
}
