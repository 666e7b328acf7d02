//! The memory store against bare ordered maps.
//!
//! - A *page* is compared with a page of one ordered map that holds the same rows behind the same
//!   kind of lock. Both clone the rows that they return. (They share the text of a message; its
//!   reference count is in the same memory for both.)
//! - A *send* has two baselines. `one-map` is a single insert into one ordered map of messages by
//!   conversation and id. `all-views` keeps the three views of a store in three such maps:
//!   histories, inboxes and conversations.
//! - `service` is the whole call of `Messenger` above the store, against the same baselines.
//! - `flat` compares the store with itself: pages of a long list with pages of a short one, and
//!   with pages of many short ones that hold as much together.

mod bare;
mod lists;
mod service;

use anyhow::Result;
use messenger_memory::MemoryStore;

use crate::operation::{Operation, StoreTarget};
use crate::page::flat;
use crate::pair::{Pair, Sizes};
use crate::sends::{Conversations, CreateSend, Sends};

use bare::{AllViews, OneMap};

/// The memory store as a target.
type Store = StoreTarget<MemoryStore>;

/// The goal of a page of a history.
const PAGE_GOAL: f64 = 0.5;

/// The goal of a send, against either baseline.
const SEND_GOAL: f64 = 0.3;

/// The number of sends after which a store is replaced by a new one.
const MAX_SENDS: u64 = 500_000;

/// The amounts of data to measure with.
pub const SIZES: Sizes = Sizes {
    histories: &[100, 1_000, 10_000, 100_000, 1_000_000],
    inboxes: &[10, 100, 1_000, 10_000],
    conversations: 10_000,
    flat_histories: [1_000, 1_000_000],
    flat_inboxes: [100, 10_000],
};

/// Returns all pairs of the memory store.
///
/// # Errors
///
/// If the store returns an error.
pub async fn pairs(sizes: &Sizes) -> Result<Vec<Pair>> {
    let histories = lists::histories(sizes.histories).await?;
    let inboxes = lists::inboxes(sizes.inboxes).await?;
    let mut pairs: Vec<Pair> = histories.pairs(Some(PAGE_GOAL)).collect();
    pairs.extend(inboxes.pairs(None));
    pairs.push(lists::conversation(sizes.conversations).await?);
    pairs.extend(sends(sizes.conversations)?);
    pairs.extend(service::pairs(&histories, sizes.conversations).await?);
    pairs.push(lists::spread(&histories.filled, sizes.flat_histories).await?);
    pairs.extend(flat("memory", &histories.filled, sizes.flat_histories)?);
    pairs.extend(flat("memory", &inboxes.filled, sizes.flat_inboxes)?);
    Ok(pairs)
}

/// Returns pairs of sends to existing and to new conversations, and of sends under a key.
fn sends(count: usize) -> Result<Vec<Pair>> {
    let existing = Conversations::existing(count)?;
    let stored = |create: CreateSend<Operation>, conversations: &Conversations| {
        Sends::new(Store::default, create, conversations.clone(), MAX_SENDS)
    };
    let mut pairs = Vec::new();
    for (kind, conversations) in [("warm", existing.clone()), ("new", Conversations::New)] {
        let append = Operation::append;
        let one_map = Sends::new(OneMap::default, append, conversations.clone(), MAX_SENDS);
        let all_views = Sends::new(AllViews::default, append, conversations.clone(), MAX_SENDS);
        let name = |baseline| format!("memory/send/{kind}/{baseline}");
        let stored = || stored(append, &conversations);
        pairs.push(Pair::new(name("one-map"), stored(), one_map).with_goal(SEND_GOAL));
        pairs.push(Pair::new(name("all-views"), stored(), all_views).with_goal(SEND_GOAL));
    }
    let keyed = Operation::append_keyed;
    pairs.push(Pair::new(
        "memory/send/keyed/all-views",
        stored(keyed, &existing),
        Sends::new(AllViews::default, keyed, existing.clone(), MAX_SENDS),
    ));
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[tokio::test]
    async fn every_pair_runs_and_returns_its_rows() {
        let pairs = pairs(&Sizes::SMALL).await.unwrap();
        let names: HashSet<_> = pairs.iter().map(|pair| &pair.name).collect();
        assert_eq!(names.len(), pairs.len(), "two pairs have the same name");
        for pair in &pairs {
            for workload in [&pair.subject, &pair.baseline] {
                for times in [8, 8] {
                    workload.prepare(times).await.unwrap();
                    workload.run(times).await.expect(&pair.name);
                }
            }
        }
    }
}
