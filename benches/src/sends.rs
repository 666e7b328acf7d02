//! Messages to send: each one is new, and made before the time is taken.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use messenger_core::{
    Claim, Clock, Fingerprint, IdempotencyKey, Message, NewMessage, Reservation, UserId,
};
use parking_lot::Mutex;
use rand::RngExt as _;

use crate::calls::Calls;
use crate::pair::Side;

/// What everybody writes.
pub const TEXT: &str = "It is quiet on the square at this hour. Shall we meet at the fountain?";

/// Who writes to whom.
#[derive(Clone, Debug)]
pub enum Between {
    /// Any of these, chosen at random: they have written before.
    Known(Arc<[[UserId; 2]]>),
    /// Two whom nobody has seen before.
    New,
}

impl Between {
    /// So many pairs of users.
    ///
    /// # Errors
    ///
    /// None: the names are valid.
    pub fn known(pairs: usize) -> Result<Self> {
        let pair = |number| Ok([user("a", number)?, user("b", number)?]);
        Ok(Self::Known((0..pairs).map(pair).collect::<Result<_>>()?))
    }

    /// All who have written before.
    pub fn all_known(&self) -> &[[UserId; 2]] {
        match self {
            Self::Known(pairs) => pairs,
            Self::New => &[],
        }
    }

    fn choose(&self) -> Result<[UserId; 2]> {
        /// Of the whole process: what one side wrote to is not new to the other one's store.
        static NEW: AtomicUsize = AtomicUsize::new(0);
        match self {
            Self::Known(pairs) => Ok(pairs[rand::rng().random_range(0..pairs.len())].clone()),
            Self::New => {
                let number = NEW.fetch_add(1, Ordering::Relaxed);
                Ok([user("new-a", number)?, user("new-b", number)?])
            }
        }
    }
}

/// A user with this name and number.
///
/// # Errors
///
/// If that is no valid id.
pub fn user(name: &str, number: usize) -> Result<UserId> {
    Ok(UserId::new(format!("{name}{number}"))?)
}

/// Something to be sent, made of who writes to whom.
pub trait Sendable: Send + Sync + Sized + 'static {
    /// Makes it, with an id of this clock if it has one.
    ///
    /// # Errors
    ///
    /// When the two are the same user.
    fn make(between: [UserId; 2], clock: &Clock) -> Result<Self>;
}

/// For the messenger, which makes the id.
impl Sendable for NewMessage {
    fn make([sender, receiver]: [UserId; 2], _: &Clock) -> Result<Self> {
        Ok(Self::new(sender, receiver, TEXT)?)
    }
}

/// For a store.
impl Sendable for Message {
    fn make(between: [UserId; 2], clock: &Clock) -> Result<Self> {
        Ok(NewMessage::make(between, clock)?.with_id(clock.next_id()))
    }
}

/// A message for the messenger, under a key that nobody has used.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "nobody else uses this crate")]
pub struct KeyedNew {
    /// The message.
    pub message: NewMessage,
    /// Its key.
    pub key: IdempotencyKey,
}

impl Sendable for KeyedNew {
    fn make(between: [UserId; 2], clock: &Clock) -> Result<Self> {
        Ok(Self {
            message: NewMessage::make(between, clock)?,
            key: IdempotencyKey::new(format!("{:032x}", rand::random::<u128>()))?,
        })
    }
}

/// A message for a store, with the claim to a key that nobody has used.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "nobody else uses this crate")]
pub struct Keyed {
    /// The message.
    pub message: Message,
    /// What claims its key.
    pub reservation: Reservation,
}

impl Sendable for Keyed {
    fn make(between: [UserId; 2], clock: &Clock) -> Result<Self> {
        let KeyedNew { message, key } = KeyedNew::make(between, clock)?;
        let claim = Claim {
            message_id: clock.next_id(),
            fingerprint: Fingerprint::of(&message),
        };
        Ok(Self {
            reservation: Reservation::new(message.sender_id().clone(), key, claim),
            message: message.with_id(claim.message_id),
        })
    }
}

/// A side that sends new messages.
///
/// Before a run it makes the messages. And it begins anew, with a callee that knows of one message
/// between each two who have written before, when one has taken too many: neither may a faster
/// side be slowed down by the larger store that it soon has, nor may the machine run out of memory.
pub struct Sends<C, A> {
    empty: Box<dyn Fn() -> C + Send + Sync>,
    between: Between,
    at_most: u64,
    clock: Clock,
    batch: Mutex<Arc<Batch<C, A>>>,
}

/// What was prepared for a run.
struct Batch<C, A> {
    /// `None` before the first run.
    callee: Option<Arc<C>>,
    /// How many messages it has taken or is about to.
    taken: u64,
    messages: Vec<A>,
    next: AtomicU64,
}

impl<C, A> Sends<C, A>
where
    C: Calls<A>,
    A: Sendable,
{
    /// Sends to what `empty` makes, and to another one after so many messages.
    pub fn new(
        empty: impl Fn() -> C + Send + Sync + 'static,
        between: Between,
        at_most: u64,
    ) -> Self {
        Self {
            empty: Box::new(empty),
            between,
            at_most,
            clock: Clock::new(),
            batch: Mutex::new(Arc::new(Batch {
                callee: None,
                taken: 0,
                messages: Vec::new(),
                next: AtomicU64::new(0),
            })),
        }
    }

    fn batch(&self) -> Arc<Batch<C, A>> {
        Arc::clone(&self.batch.lock())
    }

    fn make(&self, between: [UserId; 2]) -> Result<A> {
        A::make(between, &self.clock)
    }

    /// One that knows all who have written before.
    async fn begin(&self) -> Result<Arc<C>> {
        let callee = Arc::new((self.empty)());
        for between in self.between.all_known() {
            callee.call(&self.make(between.clone())?).await?;
        }
        Ok(callee)
    }
}

impl<C, A> fmt::Debug for Sends<C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sends")
            .field("at_most", &self.at_most)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<C, A> Side for Sends<C, A>
where
    C: Calls<A>,
    A: Sendable,
{
    async fn prepare(&self, times: u64) -> Result<()> {
        let before = self.batch();
        let (callee, taken) = match &before.callee {
            Some(callee) if before.taken < self.at_most => (Arc::clone(callee), before.taken),
            _ => (self.begin().await?, 0),
        };
        let messages = (0..times)
            .map(|_| self.make(self.between.choose()?))
            .collect::<Result<_>>()?;
        *self.batch.lock() = Arc::new(Batch {
            callee: Some(callee),
            taken: taken + times,
            messages,
            next: AtomicU64::new(0),
        });
        Ok(())
    }

    async fn run(&self, times: u64) -> Result<()> {
        let batch = self.batch();
        let from = batch.next.fetch_add(times, Ordering::Relaxed) as usize;
        let messages = batch.messages.get(from..from + times as usize);
        let callee = batch.callee.as_ref().context("nothing was prepared")?;
        for message in messages.context("too few messages were prepared")? {
            callee.call(message).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[derive(Default)]
    struct Notes(Mutex<Vec<Message>>);

    impl Calls<Message> for Notes {
        async fn call(&self, message: &Message) -> Result<()> {
            self.0.lock().push(message.clone());
            Ok(())
        }
    }

    fn noted(side: &Sends<Notes, Message>) -> Vec<Message> {
        side.batch().callee.as_ref().unwrap().0.lock().clone()
    }

    #[tokio::test]
    async fn each_message_is_new_and_sent_once() {
        let side = Sends::new(Notes::default, Between::known(3).unwrap(), 100);
        side.prepare(20).await.unwrap();
        tokio::try_join!(side.run(10), side.run(10)).unwrap();
        let noted = noted(&side);
        let ids: HashSet<_> = noted.iter().map(Message::id).collect();
        // One for each two who have written before.
        assert_eq!((noted.len(), ids.len()), (23, 23));
        assert!(side.run(1).await.is_err(), "nothing was prepared for it");
    }

    #[tokio::test]
    async fn it_begins_anew_after_so_many() {
        let side = Sends::new(Notes::default, Between::New, 5);
        for expected in [3, 6, 3] {
            side.prepare(3).await.unwrap();
            side.run(3).await.unwrap();
            assert_eq!(noted(&side).len(), expected);
        }
    }
}
