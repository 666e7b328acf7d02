//! Several stores as one: each call goes to every store and to the model, and they must agree.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::conformance::checked::checked;
use crate::conformance::describe::{same, same_list};
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::views::log_holds;
use crate::conformance::{Failure, Model, TestStore};
use crate::store::{Logged, Store};
use crate::{
    Claim, Conversation, ConversationId, Error, ErrorKind, InboxEntry, LogKey, Message, MessageId,
    Position, ReadMarker, Reservation, Revision, UserId,
};

use super::call::Label;

/// A store under test.
#[derive(Debug)]
struct Named {
    name: String,
    store: Arc<dyn Store>,
    /// `true` if it is a second client of another one's data, so that it only reads.
    reads_only: bool,
}

/// The stores and the model.
#[derive(Debug)]
pub(super) struct Tee {
    stores: Vec<Named>,
    // Dropped after the stores.
    _guards: Vec<Option<Box<dyn std::any::Any + Send + Sync>>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) model: Model,
    /// The messages whose unsend was acknowledged.
    pub(super) unsent: HashSet<MessageId>,
    /// The write that is going on, and the log keys of writes, for failures.
    pub(super) writing: Option<Label>,
    pub(super) keys: BTreeMap<Uuid, Label>,
    /// `true` if the last version that was put is the first one of its message.
    pub(super) is_new: bool,
    disagreement: Option<Failure>,
}

impl Tee {
    pub(super) fn new(stores: Vec<(String, TestStore)>) -> Self {
        let mut tee = Self {
            stores: Vec::new(),
            _guards: Vec::new(),
            state: Mutex::default(),
        };
        for (name, test_store) in stores {
            let TestStore {
                store,
                other,
                guard,
            } = test_store;
            if let Some(other) = other {
                tee.stores.push(Named {
                    name: format!("the other client of {name}"),
                    store: Arc::new(checked(other)),
                    reads_only: true,
                });
            }
            tee.stores.push(Named {
                name,
                store: Arc::new(checked(store)),
                reads_only: false,
            });
            tee._guards.push(guard);
        }
        tee
    }

    /// Returns the model and what belongs to it. It must not be held across an await.
    pub(super) fn state(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Returns the first disagreement, once.
    pub(super) fn disagreement(&self) -> Option<Failure> {
        self.state().disagreement.take()
    }

    /// Asks every store with `read`, and checks each answer. Returns the first one.
    async fn ask<T, R>(
        &self,
        read: impl Fn(Arc<dyn Store>) -> R + Send + Sync,
        check: impl Fn(&State, &T) -> Checked + Send + Sync,
    ) -> Result<T, Error>
    where
        T: Shown + Default + Send,
        R: Future<Output = Result<T, Error>> + Send,
    {
        let mut first = None;
        for named in &self.stores {
            let answer = read(Arc::clone(&named.store)).await;
            let checked = answer.map_err(Failure::from).and_then(|answer| {
                let state = self.state();
                shows_no_unsent_text(&answer, &state.unsent)?;
                check(&state, &answer)?;
                Ok(answer)
            });
            let answer = self.agreed(named, checked)?;
            first.get_or_insert(answer);
        }
        Ok(first.unwrap_or_default())
    }

    /// Writes to every store, and returns when all have acknowledged it.
    async fn tell<R>(&self, write: impl Fn(Arc<dyn Store>) -> R + Send + Sync) -> Result<(), Error>
    where
        R: Future<Output = Result<(), Error>> + Send,
    {
        for named in self.stores.iter().filter(|named| !named.reads_only) {
            let written = write(Arc::clone(&named.store)).await;
            self.agreed(named, written.map_err(Failure::from))?;
        }
        Ok(())
    }

    fn agreed<T>(&self, named: &Named, result: Result<T, Failure>) -> Result<T, Error> {
        result.map_err(|failure| {
            let failure = failure.during(format!("store `{}`", named.name));
            self.state().disagreement.get_or_insert(failure);
            Error::new(ErrorKind::Internal, "a store does not agree with the model")
        })
    }
}

impl State {
    fn note_key(&mut self, key: LogKey) {
        if let Some(label) = self.writing {
            self.keys.entry(key.as_uuid()).or_insert(label);
        }
    }
}

/// An answer, and the texts that it shows.
pub(super) trait Shown {
    /// Returns the messages whose text it shows.
    fn texts(&self) -> Vec<MessageId>;
}

impl Shown for Message {
    fn texts(&self) -> Vec<MessageId> {
        self.content().map(|_| self.id()).into_iter().collect()
    }
}

impl Shown for InboxEntry {
    fn texts(&self) -> Vec<MessageId> {
        let last = self.last_message();
        last.preview().map(|_| last.id()).into_iter().collect()
    }
}

impl<T: Shown> Shown for Logged<T> {
    fn texts(&self) -> Vec<MessageId> {
        self.item.texts()
    }
}

impl<T: Shown> Shown for Option<T> {
    fn texts(&self) -> Vec<MessageId> {
        self.iter().flat_map(T::texts).collect()
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn texts(&self) -> Vec<MessageId> {
        self.iter().flat_map(T::texts).collect()
    }
}

impl Shown for Conversation {
    fn texts(&self) -> Vec<MessageId> {
        Vec::new()
    }
}

impl Shown for usize {
    fn texts(&self) -> Vec<MessageId> {
        Vec::new()
    }
}

/// Checks that an answer shows no text whose unsend was acknowledged.
pub(super) fn shows_no_unsent_text(answer: &impl Shown, unsent: &HashSet<MessageId>) -> Checked {
    for id in answer.texts() {
        ensure!(
            !unsent.contains(&id),
            "the text of {id} was returned after its unsend was acknowledged"
        );
    }
    Ok(())
}

fn below(bound: Option<Position>) -> String {
    bound.map_or_else(String::new, |bound| format!("below {}, ", bound.as_uuid()))
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Store for Tee {
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        self.tell(|store| async move { store.put(key, message).await })
            .await?;
        let mut state = self.state();
        let (conversation, id) = (message.conversation_id(), message.id());
        state.is_new = state.model.message(conversation, id).is_none();
        state.note_key(key);
        state.model.put(key, message);
        Ok(())
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        self.tell(|store| async move { store.mark(key, marker).await })
            .await?;
        let mut state = self.state();
        state.note_key(key);
        state.model.mark(key, marker);
        Ok(())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        self.ask(
            |store| async move { store.message(conversation, id).await },
            |state, got| same("`message`", got, &state.model.message(conversation, id)),
        )
        .await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        bound: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        self.ask(
            |store| async move { store.history(conversation, bound, limit).await },
            |state, got| {
                let expected = state.model.history(conversation, bound, limit);
                let what = format!("`history` ({}limit {limit})", below(bound));
                same_list(&what, got, &expected)
            },
        )
        .await
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        self.ask(
            |store| async move { store.history_log(conversation, above, limit).await },
            |state, got: &Vec<Logged<Message>>| {
                let places = state.model.history_log(conversation, above, usize::MAX);
                let full = got.len() == limit;
                let up_to = got.last().filter(|_| full).map(|last| last.key);
                let what = format!("`history_log` (above {}, limit {limit})", above.as_uuid());
                log_holds(&what, got, &places, up_to)
            },
        )
        .await
    }

    async fn inbox(
        &self,
        user: &UserId,
        bound: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        self.ask(
            |store| async move { store.inbox(user, bound, limit).await },
            |state, got| {
                let expected = state.model.inbox(user, bound, limit);
                let what = format!("`inbox` of {user} ({}limit {limit})", below(bound));
                same_list(&what, got, &expected)
            },
        )
        .await
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        self.ask(
            |store| async move { store.inbox_log(user, above, limit).await },
            |state, got| {
                let expected = state.model.inbox_log(user, above, limit);
                let above = above.as_uuid();
                let what = format!("`inbox_log` of {user} (above {above}, limit {limit})");
                same_list(&what, got, &expected)
            },
        )
        .await
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        self.ask(
            |store| async move { store.entry(user, conversation).await },
            |state, got| {
                let expected = state.model.entry(user, conversation);
                same(&format!("`entry` of {user}"), got, &expected)
            },
        )
        .await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        self.ask(
            |store| async move { store.conversation(id).await },
            |state, got| same("`conversation`", got, &state.model.conversation(id)),
        )
        .await
    }

    /// Asks the model only: each store has an order of its own, and a store may hold other users.
    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        Ok(self.state().model.users(after, limit))
    }

    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        self.ask(
            |store| async move { store.unread(conversation, reader, above, cap).await },
            |state, got| {
                let expected = state.model.unread(conversation, reader, above, cap);
                same(&format!("`unread` of {reader}"), got, &expected)
            },
        )
        .await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        let expected = self.state().model.reserve(reservation);
        for named in self.stores.iter().filter(|named| !named.reads_only) {
            let claim = named.store.reserve(reservation).await;
            let checked = claim.map_err(Failure::from);
            let checked = checked.and_then(|got| same("`reserve`", &got, &expected));
            self.agreed(named, checked)?;
        }
        Ok(expected)
    }

    async fn health(&self) -> Result<(), Error> {
        for named in &self.stores {
            named.store.health().await?;
        }
        Ok(())
    }

    fn settle(&self) -> Duration {
        let settle = self.stores.iter().map(|named| named.store.settle());
        settle.max().unwrap_or_default()
    }

    fn in_flight(&self) -> Option<LogKey> {
        let stores = self.stores.iter();
        stores.filter_map(|named| named.store.in_flight()).min()
    }

    fn newest(&self) -> Option<Revision> {
        let newest = self.stores.iter().map(|named| named.store.newest());
        newest.max().flatten()
    }
}
