//! Sends, from a store to the bare maps.

use std::sync::Arc;

use anyhow::Result;
use messenger_memory::MemoryStore;

use crate::memory::Sizes;
use crate::memory::bare::{AllViews, KeyedViews, OneMap};
use crate::pair::Pair;
use crate::sends::{Between, Sends};
use crate::store;

/// What a send is to reach, against either baseline.
const GOAL: f64 = 0.3;

/// Sends to a conversation that exists among many, the first message of two users, and a send under
/// a key.
pub(super) fn pairs(sizes: &Sizes) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let at_most = sizes.sends;
    let known = Between::known(sizes.conversations)?;
    for (kind, between) in [("warm", known.clone()), ("new", Between::New)] {
        let append = || Sends::new(append, between.clone(), at_most);
        let one_map = Sends::new(OneMap::default, between.clone(), at_most);
        let all_views = Sends::new(AllViews::default, between.clone(), at_most);
        let name = |baseline| format!("memory/send/{kind}/{baseline}");
        pairs.push(Pair::new(name("one-map"), append(), one_map).with_goal(GOAL));
        pairs.push(Pair::new(name("all-views"), append(), all_views).with_goal(GOAL));
    }
    pairs.push(Pair::new(
        "memory/send/keyed/all-views",
        Sends::new(keyed_append, known.clone(), at_most),
        Sends::new(KeyedViews::default, known, at_most),
    ));
    Ok(pairs)
}

fn append() -> store::Append<MemoryStore> {
    store::Append(Arc::default())
}

fn keyed_append() -> store::KeyedAppend<MemoryStore> {
    store::KeyedAppend(Arc::default())
}
