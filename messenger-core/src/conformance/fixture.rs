//! The fixture of a case: its store, users that nobody else has, and chosen ids.

use std::sync::Arc;
use std::time::Duration;

use super::checked::checked;
use super::describe::user_name;
use super::{Failure, TestStore};
use crate::ids::uuid_v7::Ticks;
use crate::{
    Content, Conversation, ConversationId, LogKey, Message, MessageId, NewMessage, Participants,
    ReadMarker, Store, UserId,
};

/// The time at which cases run, in milliseconds since the epoch: in the past, so that no id is ahead
/// of a clock. (2025-03-01T12:00:00Z)
pub(crate) const NOON: u64 = 1_740_830_400_000;

/// A day in milliseconds.
pub(crate) const DAY: u64 = 86_400_000;

/// The number of concurrent calls of a case that only fills a store.
pub(crate) const AT_ONCE: usize = 16;

/// The store of a case, and its users.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    /// Another client of the same data, or the same one if the store has only one.
    pub(crate) other: Arc<dyn Store>,
    pub(crate) has_other: bool,
    names: Names,
    // Dropped last.
    _guard: Option<Box<dyn std::any::Any + Send + Sync>>,
}

impl Fixture {
    pub(crate) fn new(test_store: TestStore) -> Self {
        let TestStore {
            store,
            other,
            guard,
        } = test_store;
        let store: Arc<dyn Store> = Arc::new(checked(store));
        let other = other.map(|other| Arc::new(checked(other)) as Arc<dyn Store>);
        Self {
            has_other: other.is_some(),
            other: other.unwrap_or_else(|| Arc::clone(&store)),
            store,
            names: Names::new(),
            _guard: guard,
        }
    }

    /// Returns a user who takes part in this case only.
    pub(crate) fn user(&self, name: &str) -> Result<UserId, Failure> {
        self.names.user(name)
    }

    /// Returns the user with a number after the name.
    pub(crate) fn nth_user(&self, name: &str, n: usize) -> Result<UserId, Failure> {
        self.user(&format!("{name}{n}"))
    }

    /// Returns alice and bob.
    pub(crate) fn pair(&self) -> Result<Pair, Failure> {
        Ok(Pair::new(self.user("alice")?, self.user("bob")?))
    }

    /// Returns two users with a number after their names.
    pub(crate) fn nth_pair(&self, n: usize) -> Result<Pair, Failure> {
        let (alice, bob) = (self.nth_user("alice", n)?, self.nth_user("bob", n)?);
        Ok(Pair::new(alice, bob))
    }

    /// Returns conversations of one user with this many others. The friend begins every second one.
    pub(crate) fn pairs_of(&self, user: &UserId, count: usize) -> Result<Vec<Pair>, Failure> {
        (0..count)
            .map(|n| {
                let pair = Pair::new(user.clone(), self.nth_user("friend", n)?);
                Ok(if n % 2 == 0 { pair } else { pair.turned() })
            })
            .collect()
    }

    /// Returns both clients of the store in turn.
    pub(crate) fn nth_client(&self, n: usize) -> Arc<dyn Store> {
        Arc::clone([&self.store, &self.other][n % 2])
    }
}

/// User names that nobody else has.
pub(crate) struct Names {
    suffix: String,
}

impl Names {
    /// Creates names with enough random letters that no two runs share a user.
    pub(crate) fn new() -> Self {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut random: u64 = rand::random();
        let letters = std::iter::repeat_with(|| {
            let letter = LETTERS[(random % 32) as usize];
            random /= 32;
            char::from(letter)
        });
        Self {
            suffix: letters.take(12).collect(),
        }
    }

    pub(crate) fn user(&self, name: &str) -> Result<UserId, Failure> {
        Ok(UserId::new(format!("{name}.{}", self.suffix))?)
    }
}

/// Two users who write to each other.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) one: UserId,
    pub(crate) two: UserId,
}

impl Pair {
    pub(crate) fn new(one: UserId, two: UserId) -> Self {
        Self { one, two }
    }

    /// Returns the id of their conversation.
    pub(crate) fn id(&self) -> ConversationId {
        ConversationId::direct(&self.one, &self.two)
    }

    /// Returns their conversation.
    pub(crate) fn conversation(&self) -> Conversation {
        let participants = Participants::direct(self.one.clone(), self.two.clone());
        Conversation::direct(self.id(), participants)
    }

    /// Returns the two in the other order.
    pub(crate) fn turned(&self) -> Self {
        Self::new(self.two.clone(), self.one.clone())
    }

    /// Returns a message to be sent, from the first to the second.
    pub(crate) fn text(&self, text: impl Into<String>) -> Result<NewMessage, Failure> {
        let (one, two) = (self.one.clone(), self.two.clone());
        Ok(NewMessage::new(one, two, text.into())?)
    }

    /// Returns a message under an id.
    pub(crate) fn message(
        &self,
        id: MessageId,
        text: impl Into<String>,
    ) -> Result<Message, Failure> {
        Ok(self.text(text)?.with_id(id))
    }

    /// Returns one message for each id, sent by both in turn.
    pub(crate) fn messages(
        &self,
        ids: impl IntoIterator<Item = MessageId>,
    ) -> Result<Vec<Message>, Failure> {
        let turned = self.turned();
        let in_turn = [self, &turned].into_iter().cycle();
        ids.into_iter()
            .zip(in_turn)
            .enumerate()
            .map(|(n, (id, pair))| pair.message(id, format!("message {n}")))
            .collect()
    }

    /// Returns a mark of the first user.
    pub(crate) fn read(&self, up_to: MessageId, key: MessageId) -> Write {
        let marker = ReadMarker::new(self.conversation(), self.one.clone(), up_to);
        Write::Mark(key.into(), marker)
    }
}

/// A write, as a store gets it.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Put(LogKey, Message),
    Mark(LogKey, ReadMarker),
}

impl Write {
    /// A message that is sent on time.
    pub(crate) fn send(message: &Message) -> Self {
        Self::Put(message.id().into(), message.clone())
    }

    /// The first version of a message, sent late or again.
    pub(crate) fn late(message: &Message, key: MessageId) -> Self {
        Self::Put(key.into(), message.clone())
    }

    /// An edit.
    pub(crate) fn edit(
        message: &Message,
        revision: MessageId,
        text: &str,
    ) -> Result<Self, Failure> {
        let edited = message.edited(revision.into(), Content::new(text)?);
        Ok(Self::Put(revision.into(), edited))
    }

    /// An unsend.
    pub(crate) fn unsend(message: &Message, revision: MessageId) -> Self {
        Self::Put(revision.into(), message.unsent(revision.into()))
    }

    /// The same write under another log key.
    pub(crate) fn again(&self, key: MessageId) -> Self {
        match self {
            Self::Put(_, message) => Self::Put(key.into(), message.clone()),
            Self::Mark(_, marker) => Self::Mark(key.into(), marker.clone()),
        }
    }

    /// Writes it to a store.
    pub(crate) async fn to(&self, store: &dyn Store) -> Result<(), Failure> {
        match self {
            Self::Put(key, message) => store.put(*key, message).await?,
            Self::Mark(key, marker) => store.mark(*key, marker).await?,
        }
        Ok(())
    }

    /// Names the write in failures.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Put(key, message) => match message.content() {
                None => format!("an unsend of {}", tail(message.id())),
                Some(text) if !message.is_original() => {
                    format!("an edit of {} to {:?}", tail(message.id()), text.preview())
                }
                Some(text) if *key == message.id().into() => format!("{:?}", text.preview()),
                Some(text) => format!("{:?}, sent late", text.preview()),
            },
            Self::Mark(_, marker) => format!(
                "a mark of {} at {}",
                user_name(&marker.reader),
                tail(marker.up_to)
            ),
        }
    }
}

/// Returns the end of an id, by which it can be found among those of a failure.
fn tail(id: MessageId) -> String {
    format!("…{}", &id.to_string()[32..])
}

/// Returns an id of this millisecond, with random bits below it.
pub(crate) fn id_at(millis: u64) -> MessageId {
    exact_id(millis, 0, rand::random())
}

/// Returns an id of this millisecond, this fraction of it (12 bits) and these random bits (62).
pub(crate) fn exact_id(millis: u64, fraction: u64, random: u64) -> MessageId {
    MessageId::from_ticks(
        Ticks(millis << Ticks::FRACTION_BITS | fraction),
        random.max(1),
    )
}

/// Returns this many ids, a second apart.
pub(crate) fn ids(count: u64) -> impl Iterator<Item = MessageId> {
    (0..count).map(|n| id_at(NOON + n * 1_000))
}

/// Returns the items in another order, the same one each time.
pub(crate) fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    use rand::SeedableRng as _;
    use rand::seq::SliceRandom as _;
    items.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
    items
}

/// Longer than it takes until what was written is settled.
pub(crate) fn long_enough(store: &dyn Store) -> Duration {
    store.settle() + Duration::from_secs(1)
}
