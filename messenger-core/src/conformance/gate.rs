//! A store whose calls can be held up.

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

/// A store that holds up calls on demand, so that a test decides in which order messages show and
/// what happens while a page is read. Cloning shares it.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use messenger_core::testing::{Gate, ModelStore, Point};
/// use messenger_core::{Messenger, NewMessage};
///
/// let gate = Gate::new(ModelStore::new());
/// let messenger = Messenger::new(gate.clone());
///
/// let mut held = gate.hold(Point::Before);
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
    appends: Plans<(Point, Plan<Message>)>,
    pages: Plans<Plan<()>>,
}

/// For the calls to come, in their order.
type Plans<T> = Arc<Mutex<VecDeque<T>>>;

/// Where an append is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// Before the store knows of it: nobody sees the message.
    Before,
    /// After the store has it: everybody sees the message, and its sender waits.
    After,
}

/// A call that is held, or will be. Dropping it lets the call go on.
#[derive(Debug)]
pub struct Held<T> {
    arrived: oneshot::Receiver<T>,
    release: oneshot::Sender<()>,
}

/// The same, as the call has it.
#[derive(Debug)]
struct Plan<T> {
    arrived: oneshot::Sender<T>,
    release: oneshot::Receiver<()>,
}

fn plan<T>() -> (Plan<T>, Held<T>) {
    let (arrived, on_arrival) = oneshot::channel();
    let (release, on_release) = oneshot::channel();
    let plan = Plan {
        arrived,
        release: on_release,
    };
    let held = Held {
        arrived: on_arrival,
        release,
    };
    (plan, held)
}

impl Gate {
    /// A gate, open, in front of a store.
    pub fn new(store: impl Store + 'static) -> Self {
        Self {
            store: Arc::new(store),
            appends: Arc::default(),
            pages: Arc::default(),
        }
    }

    /// Holds the next append that comes and is not held yet.
    pub fn hold(&self, point: Point) -> Held<Message> {
        let (plan, held) = plan();
        self.appends.lock().push_back((point, plan));
        held
    }

    /// Holds the next slice of a history or an inbox when the store has answered, and before the
    /// answer is given.
    pub fn hold_page(&self) -> Held<()> {
        let (plan, held) = plan();
        self.pages.lock().push_back(plan);
        held
    }

    async fn answer_page(&self) {
        let plan = self.pages.lock().pop_front();
        if let Some(plan) = plan {
            plan.wait(()).await;
        }
    }
}

impl<T> Held<T> {
    /// Waits until the call is held, and gives what it is about.
    ///
    /// # Errors
    ///
    /// When the call ended before it came to the point, or was waited for already.
    pub async fn arrived(&mut self) -> Result<T, Failure> {
        let arrived = (&mut self.arrived).await;
        arrived.map_err(|_| Failure::new("the call failed before it came to where it is held"))
    }

    /// Lets the call go on.
    pub fn release(self) {
        // The call may have been dropped.
        let _ = self.release.send(());
    }
}

impl<T> Plan<T> {
    async fn wait(self, about: T) {
        // Nobody may be waiting for it; and a `Held` that was dropped lets it go on.
        let _ = self.arrived.send(about);
        let _ = self.release.await;
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Gate {
    async fn append(&self, message: &Message) -> Result<(), Error> {
        let plan = self.appends.lock().pop_front();
        match plan {
            None => self.store.append(message).await,
            Some((Point::Before, plan)) => {
                plan.wait(message.clone()).await;
                self.store.append(message).await
            }
            Some((Point::After, plan)) => {
                self.store.append(message).await?;
                plan.wait(message.clone()).await;
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
        let answer = self.store.history(conversation, slice).await;
        self.answer_page().await;
        answer
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        let answer = self.store.inbox(user, slice).await;
        self.answer_page().await;
        answer
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
