//! Sends, through the store and with the bare driver.

use std::sync::Arc;

use super::GOAL;
use super::bare::{BareAppend, BareFirst, BareKeyed};
use super::world::World;
use crate::calls::Calls;
use crate::pair::Pair;
use crate::sends::{Between, Sendable, Sends};
use crate::store::{Append, KeyedAppend};

/// Warm, cold and keyed sends.
pub(super) fn pairs(world: &World) -> Vec<Pair> {
    let (store, bare) = (&world.store, &world.bare);
    let (known, new) = (&world.known, &Between::New);
    let warm = Pair::new(
        "cassandra/send/warm",
        sends(store, Append, known),
        sends(bare, BareAppend, known),
    );
    let cold = Pair::new(
        "cassandra/send/cold",
        sends(store, Append, new),
        sends(bare, BareFirst, new),
    );
    let keyed = Pair::new(
        "cassandra/send/keyed",
        sends(store, KeyedAppend, known),
        sends(bare, BareKeyed, known),
    );
    vec![warm.with_goal(GOAL), cold.with_goal(GOAL), keyed]
}

/// Sends to what is there already, and never to another one.
fn sends<T, C, A>(to: &Arc<T>, by: fn(Arc<T>) -> C, between: &Between) -> Sends<C, A>
where
    T: Send + Sync + 'static,
    C: Calls<A>,
    A: Sendable,
{
    let to = Arc::clone(to);
    Sends::new(move || by(Arc::clone(&to)), between.clone(), u64::MAX)
}
