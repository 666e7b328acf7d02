//! The memory store against bare ordered maps.
//!
//! - A *page* is read from one ordered map of the same rows, behind the same kind of lock; both
//!   clone the rows that they give. Pages from within a list lie at random places of all of it, so
//!   a long list is not read from the caches any more than it would be in a service. (The text of
//!   a message is shared by both sides; its count of references is where it is read from.)
//! - A *send* has two baselines. `one-map` is a single insert into one ordered map of messages by
//!   conversation and id; `all-views` keeps, in three such maps, the three views that a store must
//!   keep: histories, inboxes and conversations.
//! - `service` is the whole call of the `Messenger` above the store, against the same baselines.
//! - `flat` is no comparison with a baseline but of the store with itself: its pages of a long list
//!   against its pages of a short one, and against pages of many short ones that hold as much
//!   together (see `spread`).

mod bare;
mod page;
mod send;
mod service;
mod spread;

use anyhow::{Context as _, Result};

use crate::lists::flat;
use crate::pair::Pair;

/// How much is in the stores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nobody else uses this crate")]
pub struct Sizes {
    /// The lengths of histories, the shortest first. Each is longer than two pages.
    pub histories: Vec<usize>,
    /// How many conversations inboxes have, the fewest first. None has less than two.
    pub inboxes: Vec<usize>,
    /// How many conversations exist where one of them is read or written to.
    pub conversations: usize,
    /// After how many sends a store is replaced by one that is as small as at the beginning.
    pub sends: u64,
    /// The two histories whose pages are compared with each other.
    pub flat_histories: [usize; 2],
    /// The two inboxes whose pages are compared with each other.
    pub flat_inboxes: [usize; 2],
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            histories: vec![100, 1_000, 10_000, 100_000, 1_000_000],
            inboxes: vec![10, 100, 1_000, 10_000],
            conversations: 10_000,
            sends: 500_000,
            flat_histories: [1_000, 1_000_000],
            flat_inboxes: [100, 10_000],
        }
    }
}

/// Everything of the memory store that is measured.
///
/// # Errors
///
/// None, unless the store has some.
pub async fn pairs(sizes: &Sizes) -> Result<Vec<Pair>> {
    let histories = page::histories(&sizes.histories).await?;
    let inboxes = page::inboxes(&sizes.inboxes).await?;
    let mut pairs = page::pairs(&histories, &inboxes);
    pairs.push(page::conversation(sizes.conversations).await?);
    pairs.extend(send::pairs(sizes)?);
    pairs.extend(service::pairs(&histories, sizes).await?);
    let [short, long] = sizes.flat_histories;
    let longest = histories.iter().find(|of| of.list.ids().len() == long);
    pairs.push(spread::pair(longest.context("no history to compare")?, short).await?);
    let histories = histories.iter().map(|history| &history.list);
    pairs.extend(flat("memory", histories, sizes.flat_histories)?);
    let inboxes = inboxes.iter().map(|inbox| &inbox.list);
    pairs.extend(flat("memory", inboxes, sizes.flat_inboxes)?);
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_pair_runs_and_gives_its_rows() {
        let sizes = Sizes {
            histories: vec![50, 200],
            inboxes: vec![10, 50],
            conversations: 20,
            sends: 10,
            flat_histories: [50, 200],
            flat_inboxes: [10, 50],
        };
        let pairs = pairs(&sizes).await.unwrap();
        let names: std::collections::HashSet<_> = pairs.iter().map(|pair| &pair.name).collect();
        assert_eq!(names.len(), pairs.len(), "a name stands for two pairs");
        for pair in &pairs {
            for side in [&pair.subject, &pair.baseline] {
                for times in [8, 8] {
                    side.prepare(times).await.unwrap();
                    side.run(times).await.expect(&pair.name);
                }
            }
        }
    }
}
