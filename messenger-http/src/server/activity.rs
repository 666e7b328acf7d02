//! The state of one connection, shared by the parts that serve it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A step in the life of a connection. Each request goes from `Idle` to `Answered` and back.
/// Only answers without a length are `Streaming`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for a request of which nothing has arrived.
    Idle,
    /// Waits for the rest of a request's head.
    Head,
    /// Waits for the rest of a request's body.
    Body,
    /// The whole request has arrived and is being handled.
    Busy,
    /// A stream of events is being written. It goes on until the client leaves or the server ends it.
    Streaming,
    /// The last of the answer was handed over and is being written.
    Answered,
    /// Nothing more will be written. What the client still sends is read and dropped.
    Closing,
}

impl State {
    /// In the order of their numbers.
    const ALL: [Self; 7] = [
        Self::Idle,
        Self::Head,
        Self::Body,
        Self::Busy,
        Self::Streaming,
        Self::Answered,
        Self::Closing,
    ];

    /// Returns `true` if a client that has sent a request is still owed its answer.
    pub(super) fn is_in_progress(self) -> bool {
        matches!(
            self,
            Self::Body | Self::Busy | Self::Streaming | Self::Answered
        )
    }

    /// Returns `true` if the connection waits for its client, and nothing was done for it yet.
    pub(super) fn may_be_evicted(self) -> bool {
        !matches!(self, Self::Busy | Self::Streaming | Self::Answered)
    }
}

/// The state of a connection, and since when it has been in it.
///
/// Only the connection's own task changes the state, so the orderings are relaxed: others read it
/// to choose a connection to replace, and a value that is a moment old is good enough.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Microseconds since `opened`, times [`Self::STATES`], plus the number of the state.
    state: AtomicU64,
    closes: AtomicBool,
    evicted: AtomicBool,
    eviction: Notify,
}

impl Activity {
    /// The factor that leaves room for the number of the state.
    const STATES: u64 = 8;

    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            state: AtomicU64::new(State::Idle as u64),
            closes: AtomicBool::new(false),
            evicted: AtomicBool::new(false),
            eviction: Notify::new(),
        }
    }

    pub(super) fn enter(&self, state: State) {
        // Enough for 73,000 years.
        let micros = self.opened.elapsed().as_micros() as u64;
        self.state
            .store(micros * Self::STATES + state as u64, Ordering::Relaxed);
    }

    pub(super) fn state(&self) -> State {
        self.state_since().0
    }

    pub(super) fn state_since(&self) -> (State, Instant) {
        let packed = self.state.load(Ordering::Relaxed);
        let state = State::ALL[(packed % Self::STATES) as usize];
        let since = self.opened + Duration::from_micros(packed / Self::STATES);
        (state, since)
    }

    /// From now on answers say `Connection: close`.
    pub(super) fn close_after_answer(&self) {
        self.closes.store(true, Ordering::Relaxed);
    }

    pub(super) fn closes_after_answer(&self) -> bool {
        self.closes.load(Ordering::Relaxed)
    }

    /// Tells the connection to make room for another one.
    pub(super) fn evict(&self) {
        self.evicted.store(true, Ordering::Relaxed);
        self.eviction.notify_one();
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Waits until the connection is told to make room.
    pub(super) async fn eviction(&self) {
        self.eviction.notified().await;
    }
}
