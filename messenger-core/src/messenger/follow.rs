//! Following a list live: its log as a stream.
//!
//! A follower is a cursor that catches up by itself. It holds no place in a queue: it reads the log
//! when a write in this process wakes it, and otherwise every poll interval, for the writes of other
//! processes. So a slow follower gets later, larger batches, never a gap and never an overflow; and
//! whoever has its last cursor can go on from it on any server, after any interruption.
//!
//! Followers of one list share their reads: see `shared_read`.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Weak};

use futures_core::Stream;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Messenger;
use crate::error::{Error, ErrorKind};
use crate::ids::{ConversationId, LogKey, MessageId, Position, UserId};
use crate::model::{InboxEntry, Message, Version};
use crate::paging::{Advanced, Cursor, HistoryQuery, InboxQuery, Item, Limit, Newer, Step};
use crate::store::Logged;

/// The items of one batch at most.
const LIMIT: Limit = Limit::MAX;

/// The states that a follower remembers, to leave out items that a poll returns again. If a list
/// changes more often than this within the settle time, some items come twice.
const REMEMBERED: usize = 1_024;

/// A batch of changes to a list that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch<T> {
    /// The changed items as they are now, oldest change first. It is empty in the first batch of a
    /// follower that starts without a cursor.
    pub items: Vec<T>,
    /// The cursor after these items: following it goes on without a gap.
    pub cursor: Cursor,
}

impl Messenger {
    /// Returns a stream of the changes to a conversation's history: new messages, edits and unsends,
    /// those of a cursor that are in the past first, then each as it happens.
    ///
    /// Without a cursor it starts now, and the first batch is empty: it holds the cursor of the
    /// start. The stream ends after an error; follow the last cursor again then.
    ///
    /// A change by this messenger (or a clone of it) is delivered at once; one by another process
    /// within the [poll interval](crate::MessengerOptions::with_poll_interval). Dropping the stream
    /// at any point is safe.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] for a cursor of another list or a `next` cursor.
    ///
    /// # Panics
    ///
    /// Polling the stream panics outside a tokio runtime with time enabled.
    pub async fn follow_history(
        &self,
        conversation: ConversationId,
        cursor: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<Batch<Message>, Error>> + Send + Unpin + use<>, Error>
    {
        let (cursor, starts_now) = match cursor {
            Some(cursor) => (cursor, false),
            None => {
                let query = HistoryQuery::new().with_limit(Limit::MIN);
                (self.history(conversation, query).await?.prev, true)
            }
        };
        let query = HistoryQuery::new().with_limit(LIMIT).with_cursor(cursor);
        let step = newer(Step::of_history(conversation, query)?)?;
        let messenger = self.clone();
        let read: Box<Read<Message>> = Box::new(move |above, limit| {
            let messenger = messenger.clone();
            let read = async move {
                let store = messenger.store();
                store.history_log(conversation, above, limit).await
            };
            read.boxed()
        });
        let feed = self.inner.feeds.history.get(conversation);
        Ok(Follower::new(self.clone(), feed, read, step, starts_now).into_stream())
    }

    /// Returns a stream of the changes to a user's inbox: new messages, edits and unsends in any of
    /// the user's conversations, and read markers. As [`follow_history`](Self::follow_history)
    /// otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] for a cursor of another list or a `next` cursor.
    ///
    /// # Panics
    ///
    /// Polling the stream panics outside a tokio runtime with time enabled.
    pub async fn follow_inbox(
        &self,
        user: UserId,
        cursor: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<Batch<InboxEntry>, Error>> + Send + Unpin + use<>, Error>
    {
        let (cursor, starts_now) = match cursor {
            Some(cursor) => (cursor, false),
            None => {
                let query = InboxQuery::new().with_limit(Limit::MIN);
                (self.inbox(&user, query).await?.prev, true)
            }
        };
        let query = InboxQuery::new().with_limit(LIMIT).with_cursor(cursor);
        let step = newer(Step::of_inbox(&user, query)?)?;
        let messenger = self.clone();
        let feed = self.inner.feeds.inbox.get(user.clone());
        let read: Box<Read<InboxEntry>> = Box::new(move |above, limit| {
            let (messenger, user) = (messenger.clone(), user.clone());
            let read = async move { messenger.store().inbox_log(&user, above, limit).await };
            read.boxed()
        });
        Ok(Follower::new(self.clone(), feed, read, step, starts_now).into_stream())
    }
}

fn newer(step: Step) -> Result<Newer, Error> {
    match step {
        Step::Newer(step) => Ok(step),
        Step::Older(_) => Err(Error::about(
            ErrorKind::Malformed,
            crate::error::Subject::CursorScope,
            "a next cursor leads to older items and cannot be followed; use a prev cursor",
        )),
    }
}

/// The feeds of the lists that are followed in this process.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    history: FeedMap<ConversationId, Message>,
    inbox: FeedMap<UserId, InboxEntry>,
}

impl Feeds {
    /// Wakes the followers of the lists that a write to a conversation changes.
    pub(super) fn wake<'a>(
        &self,
        conversation: ConversationId,
        participants: impl IntoIterator<Item = &'a UserId>,
    ) {
        self.history.wake(&conversation);
        for user in participants {
            self.inbox.wake(user);
        }
    }
}

/// The feeds of one kind of list. A feed lives as long as it has followers.
#[derive(Debug)]
struct FeedMap<K, T>(Mutex<FeedMapInner<K, T>>);

#[derive(Debug)]
struct FeedMapInner<K, T> {
    feeds: HashMap<K, Weak<Feed<T>>>,
    /// The size at which feeds without followers are removed.
    sweep_at: usize,
}

impl<K, T> Default for FeedMap<K, T> {
    fn default() -> Self {
        Self(Mutex::new(FeedMapInner {
            feeds: HashMap::new(),
            sweep_at: 16,
        }))
    }
}

impl<K: Eq + Hash, T> FeedMap<K, T> {
    fn get(&self, key: K) -> Arc<Feed<T>> {
        let mut map = self.0.lock();
        if let Some(feed) = map.feeds.get(&key).and_then(Weak::upgrade) {
            return feed;
        }
        if map.feeds.len() >= map.sweep_at {
            map.feeds.retain(|_, feed| feed.strong_count() > 0);
            map.sweep_at = 16.max(2 * map.feeds.len());
        }
        let feed = Arc::new(Feed::default());
        map.feeds.insert(key, Arc::downgrade(&feed));
        feed
    }

    fn wake(&self, key: &K) {
        let feed = self.0.lock().feeds.get(key).and_then(Weak::upgrade);
        if let Some(feed) = feed {
            feed.writes.send_modify(|writes| *writes += 1);
        }
    }
}

/// The state that the followers of one list share.
#[derive(Debug)]
struct Feed<T> {
    /// The number of writes to the list by this process since the feed began.
    writes: watch::Sender<u64>,
    last_read: Mutex<Option<SharedRead<T>>>,
}

impl<T> Default for Feed<T> {
    fn default() -> Self {
        Self {
            writes: watch::Sender::new(0),
            last_read: Mutex::default(),
        }
    }
}

/// A read of the log that followers at one position share, while it runs and for a while after.
#[derive(Debug)]
struct SharedRead<T> {
    above: Position,
    /// The settled position, taken before the read.
    settled: Position,
    /// The number of writes that were acknowledged before the read began.
    writes: u64,
    began: Instant,
    log: SharedLog<T>,
}

type SharedLog<T> = Shared<BoxFuture<'static, Arc<Result<Vec<Logged<T>>, Error>>>>;

type Read<T> =
    dyn Fn(Position, usize) -> BoxFuture<'static, Result<Vec<Logged<T>>, Error>> + Send + Sync;

/// One follower.
struct Follower<T: Followed> {
    messenger: Messenger,
    feed: Arc<Feed<T>>,
    read: Box<Read<T>>,
    writes: watch::Receiver<u64>,
    step: Newer,
    given: Given<T>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was read yet, and the first batch tells the cursor of the start.
    Announce,
    /// There may be more to read at once.
    Read,
    /// Everything there was has been read.
    Wait,
    Ended,
}

impl<T: Followed> Follower<T> {
    fn new(
        messenger: Messenger,
        feed: Arc<Feed<T>>,
        read: Box<Read<T>>,
        step: Newer,
        starts_now: bool,
    ) -> Self {
        Self {
            messenger,
            writes: feed.writes.subscribe(),
            feed,
            read,
            step,
            given: Given::default(),
            state: if starts_now {
                State::Announce
            } else {
                State::Read
            },
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Batch<T>, Error>> + Send + Unpin {
        Box::pin(stream::unfold(self, |mut follower| async move {
            let batch = follower.next().await?;
            Some((batch, follower))
        }))
    }

    /// Returns the next batch. If it is dropped, nothing is lost: the follower goes on from where it
    /// was.
    async fn next(&mut self) -> Option<Result<Batch<T>, Error>> {
        loop {
            match self.state {
                State::Ended => return None,
                State::Announce => {
                    self.state = State::Read;
                    return Some(Ok(self.batch(Vec::new())));
                }
                State::Wait => {
                    let poll = self.messenger.poll_interval();
                    // An elapsed time and a write both lead to a read. The feed lives as long as
                    // this follower, so the channel is open.
                    let _ = tokio::time::timeout(poll, self.writes.changed()).await;
                }
                State::Read => {}
            }
            match self.read().await {
                Ok(items) if items.is_empty() => {}
                Ok(items) => return Some(Ok(self.batch(items))),
                Err(error) => {
                    self.state = State::Ended;
                    return Some(Err(error));
                }
            }
        }
    }

    fn batch(&self, items: Vec<T>) -> Batch<T> {
        Batch {
            items,
            cursor: self.step.cursor(),
        }
    }

    /// Reads one step, and returns the items whose states were not returned before.
    async fn read(&mut self) -> Result<Vec<T>, Error> {
        let writes = *self.writes.borrow_and_update();
        let (settled, log) = self.shared_read(writes);
        let log = match &*log.await {
            Ok(log) => log.clone(),
            Err(error) => return Err(copy(error)),
        };
        let Advanced { log, next, full } = self.step.advance(log, settled);
        self.step = next;
        self.state = if full { State::Read } else { State::Wait };
        let new = log.into_iter().filter(|entry| self.given.insert(entry));
        Ok(new.map(|entry| entry.item).collect())
    }

    /// Joins the last read of the feed, or begins one.
    ///
    /// A read serves this follower if it began at the same position, after all writes that the
    /// follower was woken for, and less than a poll interval ago.
    fn shared_read(&self, writes: u64) -> (Position, SharedLog<T>) {
        let settled = self.messenger.settled();
        let above = self.step.from(settled);
        let mut last = self.feed.last_read.lock();
        if let Some(last) = &*last
            && last.above == above
            && self.step.from(last.settled) == above
            && last.writes >= writes
            && last.began.elapsed() < self.messenger.poll_interval()
        {
            return (last.settled, last.log.clone());
        }
        let read = (self.read)(above, self.step.limit());
        let log = read.map(Arc::new).boxed().shared();
        *last = Some(SharedRead {
            above,
            settled,
            writes,
            began: Instant::now(),
            log: log.clone(),
        });
        (settled, log)
    }
}

/// Returns an error like one that several followers share.
fn copy(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.message().to_owned());
    match error.operation() {
        Some(operation) => copy.with_operation(operation),
        None => copy,
    }
}

/// An item of a list that can be followed.
pub(super) trait Followed: Item + Clone + Send + Sync + 'static {
    type Id: Clone + Eq + Hash + Send;
    /// The part of an item that differs between its states.
    type State: Eq + Send;

    fn id(&self) -> Self::Id;
    fn state(&self) -> Self::State;
}

impl Followed for Message {
    type Id = MessageId;
    type State = Version;

    fn id(&self) -> MessageId {
        Self::id(self)
    }

    fn state(&self) -> Version {
        self.version()
    }
}

impl Followed for InboxEntry {
    type Id = ConversationId;
    /// The log key is not enough: of two changes in flight the one with the smaller key may become
    /// visible later.
    type State = (LogKey, Version, Option<MessageId>, Option<MessageId>);

    fn id(&self) -> ConversationId {
        Self::id(self)
    }

    fn state(&self) -> Self::State {
        let last = self.last_message();
        (
            last.id().into(),
            last.version(),
            self.read_up_to(),
            self.seen_up_to(),
        )
    }
}

/// The states of items that were returned lately.
struct Given<T: Followed> {
    states: HashMap<T::Id, T::State>,
    order: VecDeque<T::Id>,
}

impl<T: Followed> Default for Given<T> {
    fn default() -> Self {
        Self {
            states: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Followed> Given<T> {
    /// Remembers the state of an item, and returns whether it is new.
    fn insert(&mut self, entry: &Logged<T>) -> bool {
        let (id, state) = (entry.item.id(), entry.item.state());
        match self.states.insert(id.clone(), state) {
            Some(before) => self.states.get(&id) != Some(&before),
            None => {
                self.order.push_back(id);
                if self.order.len() > REMEMBERED
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.states.remove(&oldest);
                }
                true
            }
        }
    }
}
