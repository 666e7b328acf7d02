//! What a case plays on: the store, users that nobody else has, ids to choose.

use std::sync::Arc;
use std::time::Duration;

use crate::id::Ticks;
use crate::testing::check;
use crate::testing::failure::Verdict;
use crate::testing::{Failure, Fresh, ManualTime, Model};
use crate::{
    ConversationId, Error, Message, MessageId, Messenger, NewMessage, Store, Timestamp, UserId,
};

/// When cases play, in milliseconds since the epoch: in the past, so that nothing is ahead of
/// anybody's clock. (2025-03-01T12:00:00Z; a minute is enough room within a case.)
pub(crate) const NOON: u64 = 1_740_830_400_000;

/// A day in milliseconds.
pub(crate) const DAY: u64 = 86_400_000;

/// How many calls a case has in flight where it only fills a store.
pub(crate) const AT_ONCE: usize = 16;

pub(crate) struct Stage {
    pub(crate) store: Arc<dyn Store>,
    /// Another client of the same data, or the same one where a store has only one.
    pub(crate) other: Arc<dyn Store>,
    pub(crate) has_other: bool,
    names: Names,
    // Dropped last.
    _guard: Option<Box<dyn std::any::Any + Send + Sync>>,
}

impl Stage {
    pub(crate) fn new(fresh: Fresh) -> Self {
        let Fresh {
            store,
            other,
            guard,
        } = fresh;
        Self {
            has_other: other.is_some(),
            other: other.unwrap_or_else(|| Arc::clone(&store)),
            store,
            names: names(),
            _guard: guard,
        }
    }

    /// A user who takes part in this case and in nothing else.
    pub(crate) fn user(&self, name: &str) -> Result<UserId, Failure> {
        self.names.user(name)
    }

    /// `user` with a number behind the name.
    pub(crate) fn nth_user(&self, name: &str, n: usize) -> Result<UserId, Failure> {
        self.user(&format!("{name}{n}"))
    }

    pub(crate) fn pair(&self) -> Result<Pair, Failure> {
        Ok(Pair::new(self.user("alice")?, self.user("bob")?))
    }

    /// Appends to the store and to the model.
    pub(crate) async fn append(&self, model: &mut Model, message: &Message) -> Verdict {
        self.store.append(message).await?;
        model.append(message);
        Ok(())
    }

    /// Appends many, some at the same time.
    pub(crate) async fn append_all(&self, model: &mut Model, messages: &[Message]) -> Verdict {
        for some in messages.chunks(AT_ONCE) {
            let appends = some.iter().map(|message| self.store.append(message));
            futures_util::future::try_join_all(appends).await?;
        }
        for message in messages {
            model.append(message);
        }
        Ok(())
    }

    /// Every view of everything in the model, through every client.
    pub(crate) async fn agrees_with(&self, model: &Model) -> Verdict {
        check::agrees(&*self.store, model).await?;
        if self.has_other {
            check::agrees(&*self.other, model)
                .await
                .map_err(|failure| failure.during("through the other client"))?;
        }
        Ok(())
    }

    /// A messenger over the store, on a time that the case moves.
    pub(crate) fn messenger(&self) -> (Messenger, ManualTime) {
        let time = ManualTime::at(Timestamp::saturating_from_millis(NOON.into()));
        let messenger = Messenger::with_clock(Arc::clone(&self.store), time.clock());
        (messenger, time)
    }

    /// Longer than it takes until what was made is settled.
    pub(crate) fn long_enough(&self) -> Duration {
        self.store.settle() + Duration::from_secs(1)
    }
}

/// Names that nobody else has.
pub(crate) struct Names {
    suffix: String,
}

impl Names {
    pub(crate) fn user(&self, name: &str) -> Result<UserId, Failure> {
        Ok(UserId::new(format!("{name}.{}", self.suffix))?)
    }
}

/// Enough random letters behind each name that no two runs share a user.
pub(crate) fn names() -> Names {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random: u64 = rand::random();
    let letters = std::iter::repeat_with(|| {
        let letter = LETTERS[(random % 32) as usize];
        random /= 32;
        char::from(letter)
    });
    Names {
        suffix: letters.take(12).collect(),
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

    pub(crate) fn conversation(&self) -> ConversationId {
        ConversationId::direct(&self.one, &self.two)
    }

    /// A message that is still to be sent, from the first to the second.
    pub(crate) fn text(&self, text: impl Into<String>) -> Result<NewMessage, Failure> {
        Ok(self.try_text(text)?)
    }

    fn try_text(&self, text: impl Into<String>) -> Result<NewMessage, Error> {
        NewMessage::new(self.one.clone(), self.two.clone(), text.into())
    }

    /// A message under an id.
    pub(crate) fn message(
        &self,
        id: MessageId,
        text: impl Into<String>,
    ) -> Result<Message, Failure> {
        Ok(self.text(text)?.with_id(id))
    }

    /// The two the other way round.
    pub(crate) fn turned(&self) -> Self {
        Self::new(self.two.clone(), self.one.clone())
    }

    /// One message for each id, written by both in turn.
    pub(crate) fn messages(
        &self,
        ids: impl IntoIterator<Item = MessageId>,
    ) -> Result<Vec<Message>, Failure> {
        let turned = self.turned();
        let by_turns = [self, &turned].into_iter().cycle();
        ids.into_iter()
            .zip(by_turns)
            .enumerate()
            .map(|(n, (id, pair))| pair.message(id, format!("message {n}")))
            .collect()
    }
}

/// An id of this millisecond, with a random rest.
pub(crate) fn id_at(millis: u64) -> MessageId {
    exact_id(millis, 0, rand::random())
}

/// An id of this millisecond, this fraction of it (12 bits) and this rest (62 bits).
pub(crate) fn exact_id(millis: u64, fraction: u64, rest: u64) -> MessageId {
    MessageId::from_ticks(
        Ticks(millis << Ticks::FRACTION_BITS | fraction),
        rest.max(1),
    )
}

/// So many ids, a second apart.
pub(crate) fn ids(count: u64) -> impl Iterator<Item = MessageId> {
    (0..count).map(|n| id_at(NOON + n * 1_000))
}

/// The same things in another order, the same one each time.
pub(crate) fn shuffled<T>(mut things: Vec<T>, seed: u64) -> Vec<T> {
    use rand::SeedableRng as _;
    use rand::seq::SliceRandom as _;
    things.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
    things
}
