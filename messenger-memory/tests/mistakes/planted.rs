//! A planted mistake: a wrapper of the memory store that overrides the methods it gets wrong.

use std::sync::Arc;

use async_trait::async_trait;
use messenger_core::conformance::{StoreBuilder, TestStore};
use messenger_core::store::{Wrap, Wrapped};
use messenger_core::{Error, InboxEntry, LastMessage, Logged, Position};
use messenger_memory::MemoryStore;

/// A mistake that people make when they write a store.
#[derive(Clone, Copy)]
pub(crate) struct Mistake {
    /// The rule that it breaks.
    pub(crate) rule: u8,
    /// The name, as names of tests are written.
    pub(crate) name: &'static str,
    /// `true` if generated calls find it. Otherwise it only shows in a case made for it: under
    /// concurrency, in long lists, with rare texts.
    pub(crate) in_lockstep: bool,
    build: fn() -> TestStore,
}

#[async_trait]
impl StoreBuilder for Mistake {
    async fn build(&self) -> Result<TestStore, Error> {
        Ok((self.build)())
    }
}

impl Mistake {
    /// Returns a mistake of a store that one process writes to.
    pub(crate) fn of<P: Planted>() -> Self {
        let build = || TestStore::new(Wrapped(P::over(Arc::default())));
        Self::new::<P>(build)
    }

    /// Returns a mistake of a store that several processes write to.
    pub(crate) fn of_two_clients<P: Planted>() -> Self {
        let build = || {
            let data = Arc::<MemoryStore>::default();
            let other = Wrapped(P::over(Arc::clone(&data)));
            TestStore::new(Wrapped(P::over(data))).with_other(other)
        };
        Self::new::<P>(build)
    }

    fn new<P: Planted>(build: fn() -> TestStore) -> Self {
        Self {
            rule: P::RULE,
            name: P::NAME,
            in_lockstep: true,
            build,
        }
    }

    /// States that only a case finds it.
    pub(crate) fn only_in_a_case(mut self) -> Self {
        self.in_lockstep = false;
        self
    }
}

/// A store with a mistake.
pub(crate) trait Planted: Wrap + 'static {
    const RULE: u8;
    const NAME: &'static str;

    /// Returns a client of this data.
    fn over(data: Arc<MemoryStore>) -> Self;
}

/// Plants a mistake: `mistake! { 13 => name(State) { put(this, key, message) { … } … } }`. Each
/// method is one of [`Wrap`]; `this.store` is the memory store, and `this.state` what the mistake
/// keeps besides.
macro_rules! mistake {
    // All methods are there.
    (@methods [$rule:literal $name:ident $state:ty] {} $($done:tt)*) => {
        #[allow(non_camel_case_types, reason = "its name is that of a test")]
        #[derive(Debug)]
        struct $name {
            store: std::sync::Arc<messenger_memory::MemoryStore>,
            #[allow(dead_code, reason = "few mistakes keep anything")]
            state: $state,
        }

        impl crate::planted::Planted for $name {
            const RULE: u8 = $rule;
            const NAME: &'static str = stringify!($name);

            fn over(store: std::sync::Arc<messenger_memory::MemoryStore>) -> Self {
                Self { store, state: Default::default() }
            }
        }

        #[async_trait::async_trait]
        impl messenger_core::store::Wrap for $name {
            type Inner = messenger_memory::MemoryStore;

            fn inner(&self) -> &messenger_memory::MemoryStore {
                &self.store
            }

            $($done)*
        }
    };
    // One after the other.
    (@methods $of:tt { put($this:ident, $key:ident, $message:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn put(&self, $key: LogKey, $message: &Message) -> Result<(), Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { mark($this:ident, $key:ident, $marker:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn mark(&self, $key: LogKey, $marker: &ReadMarker) -> Result<(), Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { message($this:ident, $conversation:ident, $id:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn message(&self, $conversation: ConversationId, $id: MessageId) -> Result<Option<Message>, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { history($this:ident, $conversation:ident, $below:ident, $limit:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn history(&self, $conversation: ConversationId, $below: Option<Position>, $limit: usize) -> Result<Vec<Message>, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { history_log($this:ident, $conversation:ident, $above:ident, $limit:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn history_log(&self, $conversation: ConversationId, $above: Position, $limit: usize) -> Result<Vec<Logged<Message>>, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { inbox($this:ident, $user:ident, $below:ident, $limit:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn inbox(&self, $user: &UserId, $below: Option<Position>, $limit: usize) -> Result<Vec<InboxEntry>, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { inbox_log($this:ident, $user:ident, $above:ident, $limit:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn inbox_log(&self, $user: &UserId, $above: Position, $limit: usize) -> Result<Vec<Logged<InboxEntry>>, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { entry($this:ident, $user:ident, $conversation:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn entry(&self, $user: &UserId, $conversation: ConversationId) -> Result<Option<InboxEntry>, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { conversation($this:ident, $id:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn conversation(&self, $id: ConversationId) -> Result<Option<Conversation>, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { unread($this:ident, $conversation:ident, $reader:ident, $above:ident, $cap:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn unread(&self, $conversation: ConversationId, $reader: &UserId, $above: Option<Position>, $cap: usize) -> Result<usize, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { users($this:ident, $after:ident, $limit:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn users(&self, $after: Option<&UserId>, $limit: usize) -> Result<Vec<UserId>, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { reserve($this:ident, $reservation:ident) $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            async fn reserve(&self, $reservation: &Reservation) -> Result<Claim, Error> {
                let $this = self;
                $body
            }
        }
    };
    (@methods $of:tt { settle() $body:block $($rest:tt)* } $($done:tt)*) => {
        mistake! { @methods $of { $($rest)* } $($done)*
            fn settle(&self) -> Duration $body
        }
    };
    ($rule:literal => $name:ident($state:ty) $methods:tt) => {
        mistake! { @methods [$rule $name $state] $methods }
    };
    ($rule:literal => $name:ident $methods:tt) => {
        mistake! { @methods [$rule $name ()] $methods }
    };
}
pub(crate) use mistake;

/// The limit with which a wrapper reads a whole list.
pub(crate) const ALL: usize = usize::MAX;

/// Returns a page of a list that is given newest first.
pub(crate) fn older<T>(
    list: Vec<T>,
    place: impl Fn(&T) -> Position,
    below: Option<Position>,
    limit: usize,
) -> Vec<T> {
    let is_below = |item: &T| below.is_none_or(|below| place(item) < below);
    list.into_iter().filter(is_below).take(limit).collect()
}

/// Returns a page of a log, given in any order.
pub(crate) fn newer<T>(mut log: Vec<Logged<T>>, above: Position, limit: usize) -> Vec<Logged<T>> {
    log.retain(|logged| Position::from(logged.key) > above);
    log.sort_by_key(|logged| logged.key);
    log.truncate(limit);
    log
}

/// Returns the entry with another last message.
pub(crate) fn with_last(entry: &InboxEntry, last: LastMessage) -> InboxEntry {
    InboxEntry::new(entry.conversation().clone(), last)
        .with_markers(entry.read_up_to(), entry.seen_up_to())
}

/// Returns the entry with another preview of its last message.
pub(crate) fn with_preview(
    entry: &InboxEntry,
    preview: Option<messenger_core::Preview>,
) -> InboxEntry {
    let last = entry.last_message();
    let (id, sender, revision) = (last.id(), last.sender_id().clone(), last.revision());
    with_last(
        entry,
        LastMessage::from_parts(id, sender, revision, preview),
    )
}
