//! The plan of the test data: its sizes, and which users talk to each other.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Result, ensure};
use messenger_core::{Import, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::Xoshiro256PlusPlus;

use super::conversation::{Conversation, Seedling};
use super::people::NAMED;
use super::rhythm::DAY;

/// Number of users with whom the first user has a conversation, if there are as many.
const CONTACTS_OF_FIRST: u64 = 30;

/// Additional messages of the first conversation, if there are enough.
const LONG_CONVERSATION: u64 = 240;

/// The sizes of the test data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Number of users; [`user_id`](super::user_id) names them.
    pub users: u64,
    /// Number of conversations, each between another pair of users.
    pub conversations: u64,
    /// Number of messages in all conversations together; each has at least one.
    pub messages: u64,
    /// Number of days over which the messages spread.
    pub days: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            users: NAMED,
            conversations: 75,
            messages: 2_000,
            days: 21,
        }
    }
}

/// Test data that can be generated. The same sizes, seed and `until` give the same messages with the
/// same ids, on every machine and in whatever order they are imported.
#[derive(Clone, Debug)]
pub struct Plan {
    sizes: Sizes,
    seed: u64,
    until: Timestamp,
    interleaved: usize,
    pairs: Vec<[u64; 2]>,
}

impl Plan {
    /// Plans messages of these sizes, all of them before `until`.
    ///
    /// # Errors
    ///
    /// If the sizes contradict each other; the error names them as the flags of `generate`.
    pub fn new(sizes: Sizes, seed: u64, until: Timestamp) -> Result<Self> {
        sizes.check()?;
        let pairs = choose_pairs(sizes, seed)?;
        Ok(Self {
            sizes,
            seed,
            until,
            interleaved: 256,
            pairs,
        })
    }

    /// Sets how many conversations are written at a time (default 256, so that the writes spread over
    /// the partitions of a store; at least 1).
    #[must_use]
    pub fn with_interleaved(mut self, conversations: usize) -> Self {
        self.interleaved = conversations.max(1);
        self
    }

    /// Returns the sizes.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns the time before which all messages lie.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Returns a time at or before the oldest message.
    pub fn since(&self) -> Timestamp {
        let days = Duration::from_millis(self.sizes.days * DAY);
        self.until.saturating_sub(days)
    }

    /// Returns the messages.
    ///
    /// A conversation's newest message comes first, then the others from the oldest on. Some
    /// conversations are interleaved: see [`with_interleaved`](Self::with_interleaved).
    pub fn messages(&self) -> impl Iterator<Item = Import> + Send + use<> {
        let plan = self.clone();
        let conversations =
            (0..plan.pairs.len()).map(move |index| newest_first(plan.conversation(index)));
        Interleaved {
            at_a_time: self.interleaved,
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

    /// Returns the number of messages of a conversation.
    ///
    /// The first conversation is a long one. Apart from that, conversations have between half the
    /// average and one and a half of it, and the sum is exact.
    fn messages_of(&self, index: u64) -> u64 {
        let Sizes {
            conversations,
            messages,
            ..
        } = self.sizes;
        let left = messages - conversations;
        let long = (left / 4).min(LONG_CONVERSATION);
        // The share of the first n conversations in what is left after one message each.
        let share_of_first = |n: u64| {
            let (n, all) = (u128::from(n), u128::from(conversations));
            let left = u128::from(left - long);
            (left * n * (n + all) / (2 * all * all)) as u64
        };
        let share = share_of_first(index + 1) - share_of_first(index);
        1 + share + if index == 0 { long } else { 0 }
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
        let pairs = all_pairs(users);
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

/// Chooses the pairs of users who have a conversation.
///
/// The first user has many conversations, the first of them with the second user; all other pairs
/// are drawn at random. This is what takes memory: 16 bytes per conversation.
fn choose_pairs(sizes: Sizes, seed: u64) -> Result<Vec<[u64; 2]>> {
    let popular = CONTACTS_OF_FIRST
        .min(sizes.users - 1)
        .min(sizes.conversations.div_ceil(2));
    let contacts: Vec<[u64; 2]> = (2..2 + popular).map(|other| [1, other]).collect();
    let taken: Vec<u64> = contacts.iter().copied().map(number_of).collect();

    let others = usize::try_from(all_pairs(sizes.users) - popular)?;
    let wanted = usize::try_from(sizes.conversations - popular)?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let drawn = rand::seq::index::sample(&mut rng, others, wanted);
    let drawn = drawn.into_iter().map(|index| {
        // The numbers that are taken are ascending; each one moves those above it.
        let number = taken.iter().fold(index as u64, |number, &taken| {
            number + u64::from(taken <= number)
        });
        pair(number)
    });
    Ok(contacts.into_iter().chain(drawn).collect())
}

/// Returns the number of pairs among this many users.
fn all_pairs(users: u64) -> u64 {
    users * (users - 1) / 2
}

/// Returns the number of a pair: the inverse of [`pair`].
fn number_of([smaller, greater]: [u64; 2]) -> u64 {
    all_pairs(greater - 1) + smaller - 1
}

/// Returns the pair with this number: 1-2, 1-3, 2-3, 1-4, 2-4, 3-4, 1-5 and so on.
fn pair(index: u64) -> [u64; 2] {
    // The greater one of a pair is the greatest n with n(n-1)/2 <= index, counted from 0.
    let mut greater = u64::midpoint(1, (8 * index + 1).isqrt());
    if all_pairs(greater) > index {
        greater -= 1;
    }
    let smaller = index - all_pairs(greater);
    [smaller + 1, greater + 1]
}

/// Returns the newest message before all others. Once it is in the store, no other one changes an
/// inbox, so that on Cassandra no conversation moves from epoch to epoch and leaves a tombstone in
/// each. Messages are generated twice for it, which costs little next to writing them.
fn newest_first(conversation: Conversation) -> impl Iterator<Item = Import> + Send {
    let newest = conversation.clone().last();
    let others = conversation.len().saturating_sub(1);
    newest.into_iter().chain(conversation.take(others))
}

/// Takes some conversations at a time, and one message of each in turn.
#[derive(Debug)]
struct Interleaved<C, I> {
    at_a_time: usize,
    active: VecDeque<C>,
    waiting: I,
}

impl<C: Iterator<Item = Import>, I: Iterator<Item = C>> Iterator for Interleaved<C, I> {
    type Item = Import;

    fn next(&mut self) -> Option<Import> {
        loop {
            let missing = self.at_a_time - self.active.len();
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
        for number in (0..45).chain([last]) {
            assert_eq!(number_of(pair(number)), number);
        }
    }

    #[test]
    fn no_pair_is_chosen_twice() {
        for (users, conversations) in [(2, 1), (3, 3), (10, 45), (40, 780), (1_000, 5_000)] {
            let sizes = Sizes {
                users,
                conversations,
                ..Sizes::default()
            };
            let chosen = choose_pairs(sizes, 1).unwrap();
            assert_eq!(chosen.len() as u64, conversations);
            let different: BTreeSet<_> = chosen.into_iter().collect();
            assert_eq!(different.len() as u64, conversations);
            assert!(
                different
                    .iter()
                    .all(|&[one, other]| 1 <= one && one < other)
            );
            assert!(different.iter().all(|&[_, other]| other <= users));
        }
    }

    #[test]
    fn the_default_data_has_a_long_conversation_and_a_full_inbox() {
        let plan = plan(Sizes::default(), 1);
        assert_eq!(plan.pairs[0], [1, 2]);
        assert!(plan.conversation(0).len() > 200);
        let of_first = plan.pairs.iter().filter(|pair| pair.contains(&1));
        assert!(of_first.count() >= 25);
    }

    #[test]
    fn the_same_seed_gives_the_same_messages() {
        let messages = |seed| plan(Sizes::default(), seed).messages().collect::<Vec<_>>();
        assert_eq!(messages(7), messages(7));
        assert_ne!(messages(7), messages(8));
        assert_eq!(messages(7).len(), 2_000);
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
        assert!(with(|sizes| sizes.conversations = 497).is_err());
        assert!(with(|sizes| sizes.messages = 74).is_err());
        assert!(with(|sizes| sizes.days = 0).is_err());
    }
}
