//! The workload that sends new messages, created before the time is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use messenger_core::{Clock, UserId};
use parking_lot::Mutex;
use rand::RngExt as _;

use crate::messages::user;
use crate::operation::Target;
use crate::pair::Workload;

/// The conversations that messages are sent to.
#[derive(Clone, Debug)]
pub(crate) enum Conversations {
    /// One of these at random. Each has a message already.
    Existing(Arc<[[UserId; 2]]>),
    /// A new one for each message.
    New,
}

impl Conversations {
    /// Returns this number of existing conversations.
    pub(crate) fn existing(count: usize) -> Result<Self> {
        let users = |number| Ok([user("a", number)?, user("b", number)?]);
        Ok(Self::Existing(
            (0..count).map(users).collect::<Result<_>>()?,
        ))
    }

    /// Returns the users of the existing conversations.
    pub(crate) fn users(&self) -> &[[UserId; 2]] {
        match self {
            Self::Existing(users) => users,
            Self::New => &[],
        }
    }

    /// Returns the users of the next message.
    pub(crate) fn choose(&self) -> Result<[UserId; 2]> {
        /// Counts for the whole process: each store gets users that it has not seen.
        static NEW: AtomicUsize = AtomicUsize::new(0);
        match self {
            Self::Existing(users) => Ok(users[rand::rng().random_range(0..users.len())].clone()),
            Self::New => {
                let number = NEW.fetch_add(1, Ordering::Relaxed);
                Ok([user("new-a", number)?, user("new-b", number)?])
            }
        }
    }
}

/// Creates the operation that sends one message between two users.
pub(crate) type CreateSend<O> = fn(&[UserId; 2], &Clock) -> Result<O>;

/// Sends new messages.
///
/// The messages of a run are created before it. After `max_sends` the target is replaced by a new
/// one that holds one message in each existing conversation: a faster store is not slowed down by
/// the larger amount of data that it soon holds, and the machine does not run out of memory.
pub(crate) struct Sends<T, O> {
    new_target: Box<dyn Fn() -> T + Send + Sync>,
    create: CreateSend<O>,
    conversations: Conversations,
    max_sends: u64,
    clock: Clock,
    /// `None` before the first run.
    batch: Mutex<Option<Arc<Batch<T, O>>>>,
}

/// The sends that were prepared for a run.
struct Batch<T, O> {
    target: Arc<T>,
    /// The number of sends to the target, this batch included.
    sends: u64,
    operations: Vec<O>,
    next: AtomicU64,
}

impl<T, O> Sends<T, O>
where
    T: Target<O>,
    O: Send + Sync + 'static,
{
    /// Creates a workload that sends to what `new_target` returns.
    pub(crate) fn new(
        new_target: impl Fn() -> T + Send + Sync + 'static,
        create: CreateSend<O>,
        conversations: Conversations,
        max_sends: u64,
    ) -> Self {
        Self {
            new_target: Box::new(new_target),
            create,
            conversations,
            max_sends,
            clock: Clock::new(),
            batch: Mutex::new(None),
        }
    }

    fn batch(&self) -> Option<Arc<Batch<T, O>>> {
        self.batch.lock().clone()
    }

    /// Creates a target that holds the existing conversations.
    async fn target(&self) -> Result<Arc<T>> {
        let target = (self.new_target)();
        for users in self.conversations.users() {
            target.call(&(self.create)(users, &self.clock)?).await?;
        }
        Ok(Arc::new(target))
    }
}

#[async_trait]
impl<T, O> Workload for Sends<T, O>
where
    T: Target<O>,
    O: Send + Sync + 'static,
{
    async fn prepare(&self, times: u64) -> Result<()> {
        let (target, sends) = match self.batch() {
            Some(before) if before.sends < self.max_sends => {
                (Arc::clone(&before.target), before.sends)
            }
            _ => (self.target().await?, 0),
        };
        let operations = (0..times)
            .map(|_| (self.create)(&self.conversations.choose()?, &self.clock))
            .collect::<Result<_>>()?;
        let batch = Batch {
            target,
            sends: sends + times,
            operations,
            next: AtomicU64::new(0),
        };
        *self.batch.lock() = Some(Arc::new(batch));
        Ok(())
    }

    async fn run(&self, times: u64) -> Result<()> {
        let batch = self.batch().context("nothing was prepared")?;
        let from = batch.next.fetch_add(times, Ordering::Relaxed) as usize;
        let operations = batch.operations.get(from..from + times as usize);
        for operation in operations.context("too few sends were prepared")? {
            batch.target.call(operation).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use messenger_core::MessageId;

    use super::*;
    use crate::operation::Operation;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<MessageId>>);

    impl Target<Operation> for Recorder {
        async fn call(&self, operation: &Operation) -> Result<()> {
            if let Operation::Append(message) = operation {
                self.0.lock().push(message.id());
            }
            Ok(())
        }
    }

    fn sends(conversations: Conversations, max_sends: u64) -> Sends<Recorder, Operation> {
        Sends::new(
            Recorder::default,
            Operation::append,
            conversations,
            max_sends,
        )
    }

    fn recorded(sends: &Sends<Recorder, Operation>) -> Vec<MessageId> {
        sends.batch().unwrap().target.0.lock().clone()
    }

    #[tokio::test]
    async fn each_message_is_new_and_sent_once() {
        let sends = sends(Conversations::existing(3).unwrap(), 100);
        sends.prepare(20).await.unwrap();
        tokio::try_join!(sends.run(10), sends.run(10)).unwrap();
        let ids = recorded(&sends);
        let distinct: HashSet<_> = ids.iter().collect();
        // Three of them are the first messages of the existing conversations.
        assert_eq!((ids.len(), distinct.len()), (23, 23));
        assert!(sends.run(1).await.is_err(), "nothing was prepared for it");
    }

    #[tokio::test]
    async fn the_target_is_replaced_after_max_sends() {
        let sends = sends(Conversations::New, 5);
        for expected in [3, 6, 3] {
            sends.prepare(3).await.unwrap();
            sends.run(3).await.unwrap();
            assert_eq!(recorded(&sends).len(), expected);
        }
    }
}
