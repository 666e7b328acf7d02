//! How much is made, and which users talk to each other.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Result, ensure};
use messenger_core::{Import, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::Xoshiro256PlusPlus;

use super::conversation::{Conversation, Seedling};

/// What to make: so many messages, in so many conversations, between so many users, over so many
/// days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The users are called 1, 2, 3 and so on.
    pub users: u64,
    /// Conversations are between random pairs, each pair at most once.
    pub conversations: u64,
    /// All messages together; each conversation gets at least one.
    pub messages: u64,
    /// How many days the messages reach back.
    pub days: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            users: 10,
            conversations: 15,
            messages: 600,
            days: 21,
        }
    }
}

/// Test data that is still to be made. The same sizes, seed and `until` give the same messages
/// with the same ids, on every machine and in whatever order they are imported.
#[derive(Clone, Debug)]
pub struct Plan {
    sizes: Sizes,
    seed: u64,
    until: Timestamp,
    pairs: Vec<[u64; 2]>,
}

impl Plan {
    /// Plans messages of these sizes, none of them at `until` or later.
    ///
    /// # Errors
    ///
    /// When the sizes contradict each other; it names them as the flags of `generate`.
    pub fn new(sizes: Sizes, seed: u64, until: Timestamp) -> Result<Self> {
        sizes.check()?;
        let pairs = random_pairs(sizes, seed)?;
        Ok(Self {
            sizes,
            seed,
            until,
            pairs,
        })
    }

    /// How much will be made.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The time before which all messages lie.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The time of the oldest message, or somewhat before it.
    pub fn since(&self) -> Timestamp {
        let days = Duration::from_hours(24 * self.sizes.days);
        self.until.saturating_sub(days)
    }

    /// The messages. Of a conversation the newest comes first and then the others in their order;
    /// conversations come side by side, a few hundred at a time, so that the writes spread over a
    /// store's partitions.
    pub fn messages(&self) -> impl Iterator<Item = Import> + Send + use<> {
        let plan = self.clone();
        let conversations =
            (0..plan.pairs.len()).map(move |index| newest_first(plan.conversation(index)));
        Interleaved {
            active: VecDeque::new(),
            waiting: conversations,
        }
    }

    fn conversation(&self, index: usize) -> Conversation {
        Conversation::new(Seedling {
            seed: self.seed,
            index: index as u64,
            users: self.pairs[index],
            messages: self.messages_of(index as u64),
            since: self.since(),
            until: self.until.saturating_sub(Duration::from_millis(1)),
        })
    }

    /// Conversations differ: from half the average to one and a half of it, and the sum is exact.
    fn messages_of(&self, index: u64) -> u64 {
        let Sizes {
            conversations,
            messages,
            ..
        } = self.sizes;
        // What the first so many conversations have of what is left after one message each.
        let first = |n: u64| {
            let (n, all) = (u128::from(n), u128::from(conversations));
            let left = u128::from(messages - conversations);
            (left * n * (n + all) / (2 * all * all)) as u64
        };
        1 + first(index + 1) - first(index)
    }
}

impl Sizes {
    fn check(self) -> Result<()> {
        let Self {
            users,
            conversations,
            messages,
            days,
        } = self;
        ensure!(
            (2..=1_000_000_000).contains(&users),
            "--users must be 2 to 1000000000, not {users}"
        );
        let pairs = users * (users - 1) / 2;
        ensure!(
            (1..=pairs).contains(&conversations),
            "--conversations must be 1 to {pairs} with {users} users (each pair has one), \
             not {conversations}"
        );
        ensure!(
            messages >= conversations,
            "--messages must be at least as many as conversations, {conversations}, not {messages}"
        );
        ensure!(
            (1..=3650).contains(&days),
            "--days must be 1 to 3650, not {days}"
        );
        Ok(())
    }
}

/// A random choice out of all pairs. This is what takes memory: 16 bytes for each conversation.
fn random_pairs(sizes: Sizes, seed: u64) -> Result<Vec<[u64; 2]>> {
    let all = usize::try_from(sizes.users * (sizes.users - 1) / 2)?;
    let wanted = usize::try_from(sizes.conversations)?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let chosen = rand::seq::index::sample(&mut rng, all, wanted);
    Ok(chosen.into_iter().map(|index| pair(index as u64)).collect())
}

/// The pair with this number: 1-2, 1-3, 2-3, 1-4, 2-4, 3-4, 1-5 and so on.
fn pair(index: u64) -> [u64; 2] {
    // The greater one of a pair is the greatest n with n(n-1)/2 <= index, counted from 0.
    let mut greater = u64::midpoint(1, (8 * index + 1).isqrt());
    if greater * (greater - 1) / 2 > index {
        greater -= 1;
    }
    let smaller = index - greater * (greater - 1) / 2;
    [smaller + 1, greater + 1]
}

/// The newest message before all others: with that in, no other one changes an inbox, so that on
/// Cassandra no conversation moves from epoch to epoch and leaves a tombstone in each. It costs
/// making the messages twice, which is little beside writing them, and no memory.
fn newest_first(conversation: Conversation) -> impl Iterator<Item = Import> + Send {
    let newest = conversation.clone().last();
    let others = conversation.len().saturating_sub(1);
    newest.into_iter().chain(conversation.take(others))
}

/// Some conversations at a time, one message from each in turn.
#[derive(Debug)]
struct Interleaved<C, I> {
    active: VecDeque<C>,
    waiting: I,
}

impl<C, I> Interleaved<C, I> {
    const AT_A_TIME: usize = 256;
}

impl<C: Iterator<Item = Import>, I: Iterator<Item = C>> Iterator for Interleaved<C, I> {
    type Item = Import;

    fn next(&mut self) -> Option<Import> {
        loop {
            let missing = Self::AT_A_TIME - self.active.len();
            self.active.extend(self.waiting.by_ref().take(missing));
            let mut conversation = self.active.pop_front()?;
            if let Some(message) = conversation.next() {
                self.active.push_back(conversation);
                return Some(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::btree_map::Entry;
    use std::collections::{BTreeMap, BTreeSet};

    use futures_util::FutureExt as _;
    use messenger_core::{Message, Messenger};
    use messenger_memory::MemoryStore;

    use super::*;

    const UNTIL: &str = "2026-11-23T09:30:00Z";

    fn plan(sizes: Sizes, seed: u64) -> Plan {
        Plan::new(sizes, seed, UNTIL.parse().unwrap()).unwrap()
    }

    #[test]
    fn each_number_is_another_pair() {
        let pairs: BTreeSet<_> = (0..45).map(pair).collect();
        assert_eq!(pairs.len(), 45);
        assert!(
            pairs
                .iter()
                .all(|&[one, other]| 1 <= one && one < other && other <= 10)
        );
        let last = 1_000_000_000 * 999_999_999 / 2 - 1;
        assert_eq!(pair(last), [999_999_999, 1_000_000_000]);
    }

    #[test]
    fn the_same_seed_gives_the_same_messages() {
        let messages = |seed| plan(Sizes::default(), seed).messages().collect::<Vec<_>>();
        assert_eq!(messages(7), messages(7));
        assert_ne!(messages(7), messages(8));
        assert_eq!(messages(7).len(), 600);
    }

    #[test]
    fn the_numbers_are_exact() {
        for (conversations, messages) in [(1, 1), (1, 10_000), (300, 300), (300, 1_001)] {
            let sizes = Sizes {
                users: 100,
                conversations,
                messages,
                days: 3,
            };
            let plan = plan(sizes, 1);
            assert_eq!(plan.messages().count() as u64, messages);
            assert_eq!(plan.pairs.len() as u64, conversations);
        }
    }

    #[test]
    fn the_newest_message_of_a_conversation_comes_first() {
        let sizes = Sizes {
            users: 100,
            conversations: 300,
            messages: 3_000,
            days: 30,
        };
        let mut newest: BTreeMap<_, Message> = BTreeMap::new();
        let mut others = Vec::new();
        for message in plan(sizes, 3).messages().map(message_of) {
            match newest.entry(message.conversation_id()) {
                Entry::Vacant(first) => drop(first.insert(message)),
                Entry::Occupied(first) => others.push((first.get().id(), message.id())),
            }
        }
        assert_eq!((newest.len(), others.len()), (300, 2_700));
        assert!(others.iter().all(|(newest, other)| other < newest));
    }

    /// The message as a store gets it.
    fn message_of(import: Import) -> Message {
        let messenger = Messenger::new(MemoryStore::new());
        let imported = messenger.import(import).now_or_never();
        imported.expect("memory does not wait").unwrap()
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        let with = |change: fn(&mut Sizes)| {
            let mut sizes = Sizes::default();
            change(&mut sizes);
            Plan::new(sizes, 1, UNTIL.parse().unwrap()).map(|_| ())
        };
        assert!(with(|sizes| sizes.users = 1).is_err());
        assert!(with(|sizes| sizes.conversations = 46).is_err());
        assert!(with(|sizes| sizes.messages = 14).is_err());
        assert!(with(|sizes| sizes.days = 0).is_err());
    }
}
