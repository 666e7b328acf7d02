//! A store whose appends can be held up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::store::Slice;
use crate::testing::Failure;
use crate::{
    Claim, Conversation, ConversationId, Error, Message, MessageId, Reservation, Store, UserId,
};

/// A store that holds up appends on demand, so that a test decides in which order messages show.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use messenger_core::testing::{Gate, ModelStore, Point};
/// use messenger_core::{Messenger, NewMessage};
///
/// let gate = Gate::new(ModelStore::new());
/// let messenger = Messenger::new(gate.clone());
///
/// let held = gate.hold(Point::Before);
/// let message = NewMessage::new("alice".parse()?, "bob".parse()?, "Hello")?;
/// let send = tokio::spawn(async move { messenger.send(message).await });
/// let hello = held.arrived().await?; // it has its id, and is not in the store yet
/// held.release();
/// assert_eq!(send.await??, hello);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Gate {
    store: Arc<dyn Store>,
    plans: Arc<Mutex<VecDeque<Plan>>>,
}

/// Where an append is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// Before the store knows of it: nobody sees the message.
    Before,
    /// After the store has it: everybody sees the message, and its sender waits.
    After,
}

#[derive(Debug)]
struct Plan {
    point: Point,
    arrived: oneshot::Sender<Message>,
    release: oneshot::Receiver<()>,
}

/// An append that is held, or will be. Dropping it lets the append go on.
#[derive(Debug)]
pub struct Held {
    arrived: Mutex<Option<oneshot::Receiver<Message>>>,
    release: oneshot::Sender<()>,
}

impl Gate {
    /// A gate, open, in front of a store.
    pub fn new(store: impl Store + 'static) -> Self {
        Self {
            store: Arc::new(store),
            plans: Arc::default(),
        }
    }

    /// Holds the next append that comes and is not held yet.
    pub fn hold(&self, point: Point) -> Held {
        let (arrived, on_arrival) = oneshot::channel();
        let (release, on_release) = oneshot::channel();
        self.plans.lock().push_back(Plan {
            point,
            arrived,
            release: on_release,
        });
        Held {
            arrived: Mutex::new(Some(on_arrival)),
            release,
        }
    }
}

impl Held {
    /// Waits until an append is held, and gives its message.
    ///
    /// # Errors
    ///
    /// When the append ended before it came to the point, or was waited for already.
    pub async fn arrived(&self) -> Result<Message, Failure> {
        let arrived = self.arrived.lock().take();
        let Some(arrived) = arrived else {
            return Err(Failure::new("this append has been waited for already"));
        };
        arrived
            .await
            .map_err(|_| Failure::new("the append failed before it came to where it is held"))
    }

    /// Lets the append go on.
    pub fn release(self) {
        // The append may have been dropped.
        let _ = self.release.send(());
    }
}

impl Plan {
    async fn wait(self, message: &Message) {
        // Nobody may be waiting for it; and a `Held` that was dropped lets it go on.
        let _ = self.arrived.send(message.clone());
        let _ = self.release.await;
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Gate {
    async fn append(&self, message: &Message) -> Result<(), Error> {
        let plan = self.plans.lock().pop_front();
        match plan {
            None => self.store.append(message).await,
            Some(plan) if plan.point == Point::Before => {
                plan.wait(message).await;
                self.store.append(message).await
            }
            Some(plan) => {
                self.store.append(message).await?;
                plan.wait(message).await;
                Ok(())
            }
        }
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        self.store.message(conversation, id).await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        self.store.history(conversation, slice).await
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        self.store.inbox(user, slice).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.store.conversation(id).await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        self.store.reserve(reservation).await
    }

    async fn health(&self) -> Result<(), Error> {
        self.store.health().await
    }

    fn settle(&self) -> Duration {
        self.store.settle()
    }
}
