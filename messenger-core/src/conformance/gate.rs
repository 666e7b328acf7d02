//! A store whose calls can be held, or fail.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Failure;
use crate::store::{Logged, Wrap, Wrapped};
use crate::{
    Claim, Conversation, ConversationId, Error, InboxEntry, LogKey, Message, MessageId, Position,
    ReadMarker, Reservation, Store, UserId,
};

/// Holds calls of a store on demand, or lets them fail, so that a test decides in which order writes
/// become visible and what happens while a page is read. Cloning shares it.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use messenger_core::conformance::tools::{Call, Gate, Point};
/// use messenger_core::{Messenger, NewMessage};
/// use messenger_memory::MemoryStore;
///
/// let gate = Gate::new();
/// let messenger = Messenger::new(gate.before(MemoryStore::new()));
///
/// let mut held = gate.hold(Call::Put, Point::Before);
/// let message = NewMessage::new("alice".parse()?, "bob".parse()?, "Hello")?;
/// let send = tokio::spawn(async move { messenger.send(message).await });
/// held.arrived().await?; // the message has its id, and is not in the store yet
/// held.release();
/// send.await??;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate {
    planned: Arc<Mutex<VecDeque<Planned>>>,
}

/// A kind of call that a [`Gate`] can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Store::put`].
    Put,
    /// [`Store::mark`].
    Mark,
    /// [`Store::reserve`].
    Reserve,
    /// A read of a list or a log.
    Page,
    /// Any other read.
    Read,
}

/// The point at which a call is held or fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before the store has the call: nobody sees the write.
    Before,
    /// After the store has returned: everybody sees the write, and the caller waits.
    After,
}

#[derive(Debug)]
struct Planned {
    call: Call,
    point: Point,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Hold {
        arrived: oneshot::Sender<()>,
        release: oneshot::Receiver<()>,
    },
    Fail(Error),
}

/// A call that is held, or will be. Dropping it lets the call continue.
#[derive(Debug)]
pub struct Held {
    arrived: oneshot::Receiver<()>,
    release: oneshot::Sender<()>,
}

impl Gate {
    /// Creates a gate that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the store behind this gate.
    pub fn before<S: Store>(&self, store: S) -> Wrapped<Gated<S>> {
        Wrapped(Gated {
            gate: self.clone(),
            store,
        })
    }

    /// Holds the next call of this kind that is not held yet.
    pub fn hold(&self, call: Call, point: Point) -> Held {
        let (arrived, on_arrival) = oneshot::channel();
        let (release, on_release) = oneshot::channel();
        let action = Action::Hold {
            arrived,
            release: on_release,
        };
        self.plan(call, point, action);
        Held {
            arrived: on_arrival,
            release,
        }
    }

    /// Lets the next call of this kind fail, before it reaches the store or after.
    pub fn fail(&self, call: Call, point: Point, error: Error) {
        self.plan(call, point, Action::Fail(error));
    }

    fn plan(&self, call: Call, point: Point, action: Action) {
        self.planned.lock().push_back(Planned {
            call,
            point,
            action,
        });
    }

    /// Starts a write as a task, and returns when its call of the store is held.
    ///
    /// # Errors
    ///
    /// If the write ended before.
    pub async fn start<T: Send + 'static>(
        &self,
        call: Call,
        point: Point,
        write: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<HeldWrite<T>, Failure> {
        match self.start_or_end(call, point, write).await? {
            Started::Held(write) => Ok(write),
            Started::Ended(_) => Err(Failure::new(
                "the write ended before the point at which it is held",
            )),
        }
    }

    /// Starts a write as a task, and returns when its call of the store is held, or when the write
    /// ends without that call.
    pub(crate) async fn start_or_end<T: Send + 'static>(
        &self,
        call: Call,
        point: Point,
        write: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<Started<T>, Failure> {
        let mut held = self.hold(call, point);
        let mut task = tokio::spawn(write);
        let ended = match select(pin!(held.arrived()), &mut task).await {
            Either::Left((arrived, _)) => {
                arrived?;
                None
            }
            Either::Right((ended, _)) => Some(ended?),
        };
        Ok(match ended {
            None => Started::Held(HeldWrite { held, task }),
            Some(result) => Started::Ended(result),
        })
    }

    async fn pass<T>(
        &self,
        call: Call,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let planned = {
            let mut planned = self.planned.lock();
            // Nobody waits for a call of a `Held` that was dropped.
            planned.retain(|planned| !planned.action.is_off());
            let next = planned.iter().position(|planned| planned.call == call);
            next.and_then(|next| planned.remove(next))
        };
        match planned {
            None => answer.await,
            Some(planned) if planned.point == Point::Before => {
                planned.action.act().await?;
                answer.await
            }
            Some(planned) => {
                let answer = answer.await;
                planned.action.act().await?;
                answer
            }
        }
    }
}

impl Action {
    /// Returns whether it is a hold whose [`Held`] was dropped.
    fn is_off(&self) -> bool {
        matches!(self, Self::Hold { arrived, .. } if arrived.is_closed())
    }

    async fn act(self) -> Result<(), Error> {
        match self {
            Self::Hold { arrived, release } => {
                // Nobody may be waiting for it, and a `Held` that was dropped lets it continue.
                let _ = arrived.send(());
                let _ = release.await;
                Ok(())
            }
            Self::Fail(error) => Err(error),
        }
    }
}

impl Held {
    /// Waits until the call is held.
    ///
    /// # Errors
    ///
    /// If the call ended before it came to the point, or was waited for already.
    pub async fn arrived(&mut self) -> Result<(), Failure> {
        let arrived = (&mut self.arrived).await;
        arrived.map_err(|_| Failure::new("the call ended before the point at which it is held"))
    }

    /// Lets the call continue.
    pub fn release(self) {
        // The call may have been dropped.
        let _ = self.release.send(());
    }
}

/// A write that was started.
pub(crate) enum Started<T> {
    Held(HeldWrite<T>),
    Ended(Result<T, Error>),
}

/// A write in a task of its own that is held at a gate: its log key is in flight.
#[derive(Debug)]
pub struct HeldWrite<T> {
    held: Held,
    task: JoinHandle<Result<T, Error>>,
}

impl<T> HeldWrite<T> {
    /// Lets the write continue, and returns its result.
    ///
    /// # Errors
    ///
    /// The error of the write.
    pub async fn finish(self) -> Result<T, Failure> {
        self.held.release();
        Ok(self.task.await??)
    }

    /// Drops the future of the write where it is held.
    pub async fn drop(self) {
        self.task.abort();
        // It was cancelled, and says so.
        let _ = self.task.await;
    }
}

/// A store behind a [`Gate`].
#[derive(Clone, Debug)]
pub struct Gated<S> {
    gate: Gate,
    store: S,
}

#[async_trait]
impl<S: Store> Wrap for Gated<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.store
    }

    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        let answer = self.store.put(key, message);
        self.gate.pass(Call::Put, answer).await
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        let answer = self.store.mark(key, marker);
        self.gate.pass(Call::Mark, answer).await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let answer = self.store.message(conversation, id);
        self.gate.pass(Call::Read, answer).await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let answer = self.store.history(conversation, below, limit);
        self.gate.pass(Call::Page, answer).await
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        let answer = self.store.history_log(conversation, above, limit);
        self.gate.pass(Call::Page, answer).await
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        let answer = self.store.inbox(user, below, limit);
        self.gate.pass(Call::Page, answer).await
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        let answer = self.store.inbox_log(user, above, limit);
        self.gate.pass(Call::Page, answer).await
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        let answer = self.store.entry(user, conversation);
        self.gate.pass(Call::Read, answer).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.gate
            .pass(Call::Read, self.store.conversation(id))
            .await
    }

    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        let answer = self.store.unread(conversation, reader, above, cap);
        self.gate.pass(Call::Read, answer).await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        let answer = self.store.reserve(reservation);
        self.gate.pass(Call::Reserve, answer).await
    }
}
