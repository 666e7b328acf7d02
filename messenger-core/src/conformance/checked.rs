//! Checks of every answer of a store, at every call of every case.

use async_trait::async_trait;

use crate::store::{Logged, Wrap, Wrapped};
use crate::{
    Claim, Conversation, ConversationId, Error, ErrorKind, InboxEntry, LogKey, Message, MessageId,
    Position, ReadMarker, Reservation, Store, UserId,
};

/// Returns a store that passes calls on, names the call in each error, and returns an error for an
/// answer that breaks its limit, its bound or its order.
///
/// A list whose places strictly descend ends, and so does a log whose keys strictly ascend. So no
/// walk through a store that is wrong goes in a circle.
pub(crate) fn checked<S: Store>(store: S) -> impl Store {
    Wrapped(CheckedStore { store })
}

#[derive(Debug)]
struct CheckedStore<S> {
    store: S,
}

fn named<T>(call: &'static str, answer: Result<T, Error>) -> Result<T, Error> {
    answer.map_err(|error| match error.operation() {
        Some(_) => error,
        None => error.with_operation(call),
    })
}

fn wrong(call: &'static str, message: String) -> Error {
    Error::new(ErrorKind::Internal, message).with_operation(call)
}

/// Checks the limit of an answer, and that its positions lie beyond the bound and go one way.
fn in_order<T>(
    call: &'static str,
    answer: Result<Vec<T>, Error>,
    limit: usize,
    bound: Option<Position>,
    position: impl Fn(&T) -> Position,
    ascending: bool,
) -> Result<Vec<T>, Error> {
    let items = named(call, answer)?;
    if items.len() > limit {
        let message = format!("it returned {} items for a limit of {limit}", items.len());
        return Err(wrong(call, message));
    }
    let (beyond, way) = if ascending {
        ("above", "ascending")
    } else {
        ("below", "descending")
    };
    let mut last = bound;
    for (n, item) in items.iter().enumerate() {
        let next = position(item);
        let follows = last.is_none_or(|last| if ascending { next > last } else { next < last });
        if !follows {
            let previous = last.map_or_else(String::new, |last| last.as_uuid().to_string());
            let message = if n == 0 {
                format!(
                    "asked for what is {beyond} {previous}, it returned {}",
                    next.as_uuid()
                )
            } else {
                format!(
                    "its answer is not strictly {way}: {} follows {previous}",
                    next.as_uuid()
                )
            };
            return Err(wrong(call, message));
        }
        last = Some(next);
    }
    Ok(items)
}

#[async_trait]
impl<S: Store> Wrap for CheckedStore<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.store
    }

    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        named("put", self.store.put(key, message).await)
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        named("mark", self.store.mark(key, marker).await)
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        named("message", self.store.message(conversation, id).await)
    }

    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let answer = self.store.history(conversation, below, limit).await;
        let place = |message: &Message| message.id().into();
        in_order("history", answer, limit, below, place, false)
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        let answer = self.store.history_log(conversation, above, limit).await;
        let key = |logged: &Logged<Message>| logged.key.into();
        in_order("history_log", answer, limit, Some(above), key, true)
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        let answer = self.store.inbox(user, below, limit).await;
        in_order("inbox", answer, limit, below, InboxEntry::place, false)
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        let answer = self.store.inbox_log(user, above, limit).await;
        let key = |logged: &Logged<InboxEntry>| logged.key.into();
        in_order("inbox_log", answer, limit, Some(above), key, true)
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        named("entry", self.store.entry(user, conversation).await)
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        named("conversation", self.store.conversation(id).await)
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        let users = named("users", self.store.users(after, limit).await)?;
        if users.len() > limit {
            let message = format!("it returned {} users for a limit of {limit}", users.len());
            return Err(wrong("users", message));
        }
        Ok(users)
    }

    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        let answer = self.store.unread(conversation, reader, above, cap).await;
        let count = named("unread", answer)?;
        if count > cap {
            let message = format!("it returned {count} for a cap of {cap}");
            return Err(wrong("unread", message));
        }
        Ok(count)
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        named("reserve", self.store.reserve(reservation).await)
    }

    async fn health(&self) -> Result<(), Error> {
        named("health", self.store.health().await)
    }
}
