//! Rules that core keeps for every store, tried over the memory store: paging, catching up,
//! idempotent sends, changes and their errors.

mod actor;
mod catch_up;
mod change;
mod conformance;
mod idempotency;
mod paging;

use std::time::Duration;

use messenger_core::conformance::Failure;
use messenger_core::conformance::tools::{
    Client, Gate, Gated, History, Inbox, List, ManualTime, with_settle_time,
};
use messenger_core::store::Wrapped;
use messenger_core::{
    ConversationId, Error, Limit, Logged, Message, Messenger, MessengerOptions, NewMessage,
    Position, Store, UserId,
};
use messenger_memory::MemoryStore;

type Tested = Result<(), Failure>;

/// The time at which tests run: in the past, so that no id is ahead of the system's clock.
const NOON: u64 = 1_740_830_400_000;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A server: a messenger on a time of its own, with a gate before the store.
struct Server {
    messenger: Messenger,
    time: ManualTime,
    gate: Gate,
}

impl Server {
    /// Creates a server that alone writes to its store.
    fn new() -> Self {
        Self::over(&std::sync::Arc::new(MemoryStore::new()))
    }

    fn over<S: Store + Clone + 'static>(store: &S) -> Self {
        Self::with_options(store, MessengerOptions::new())
    }

    fn with_options<S: Store + Clone + 'static>(store: &S, options: MessengerOptions) -> Self {
        let (time, gate) = (noon(), Gate::new());
        let gated: Wrapped<Gated<S>> = gate.before(store.clone());
        let messenger = Messenger::with_options(gated, options.with_clock(time.clock()));
        Self {
            messenger,
            time,
            gate,
        }
    }

    /// Creates two servers over one store with this settle time.
    fn two(settle: Duration) -> [Self; 2] {
        let store = std::sync::Arc::new(with_settle_time(MemoryStore::new(), settle));
        [Self::over(&store), Self::over(&store)]
    }

    fn store(&self) -> &dyn Store {
        self.messenger.store()
    }

    /// Sends this many messages from one user to the other, a second apart. Returns them newest
    /// first.
    async fn send(&self, pair: &Pair, count: usize) -> Result<Vec<Message>, Error> {
        let mut sent = Vec::new();
        for n in 0..count {
            let message = pair.text(&format!("message {n}"))?;
            sent.push(self.messenger.send(message).await?);
            self.time.advance(SECOND);
        }
        sent.reverse();
        Ok(sent)
    }

    fn client<L: List>(&self, list: L, limit: u64) -> Result<Client<L>, Error> {
        Ok(Client::new(&self.messenger, list, Limit::new(limit)?))
    }

    fn history(&self, pair: &Pair, limit: u64) -> Result<Client<History>, Error> {
        self.client(History(pair.id()), limit)
    }

    fn inbox(&self, user: &UserId, limit: u64) -> Result<Client<Inbox>, Error> {
        self.client(Inbox(user.clone()), limit)
    }
}

fn noon() -> ManualTime {
    ManualTime::at(messenger_core::Timestamp::from_millis(NOON).unwrap())
}

/// Two users who write to each other.
#[derive(Clone)]
struct Pair {
    one: UserId,
    two: UserId,
}

impl Pair {
    fn new(one: &str, two: &str) -> Self {
        let user = |name| UserId::new(name).unwrap();
        Self {
            one: user(one),
            two: user(two),
        }
    }

    fn alice_and_bob() -> Self {
        Self::new("alice", "bob")
    }

    fn id(&self) -> ConversationId {
        ConversationId::direct(&self.one, &self.two)
    }

    /// Returns a message from the first to the second.
    fn text(&self, text: &str) -> Result<NewMessage, Error> {
        NewMessage::new(self.one.clone(), self.two.clone(), text)
    }

    fn turned(&self) -> Self {
        Self {
            one: self.two.clone(),
            two: self.one.clone(),
        }
    }
}

/// Everything that a store has of two users: every view of their conversation and both inbox logs.
/// Two are equal if nothing was written in between, not even to a log.
async fn everything(
    store: &dyn Store,
    pair: &Pair,
) -> Result<impl PartialEq + std::fmt::Debug, Error> {
    let start = Position::MIN;
    let logs = [
        store.inbox_log(&pair.one, start, 100).await?,
        store.inbox_log(&pair.two, start, 100).await?,
    ];
    let history: Vec<Logged<Message>> = store.history_log(pair.id(), start, 100).await?;
    Ok((history, logs))
}
