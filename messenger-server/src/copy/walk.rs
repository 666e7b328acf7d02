//! Walks through the lists of a store.

use futures_util::{Stream, TryStreamExt as _, stream};
use messenger_core::store::MAX_LIMIT;
use messenger_core::{ConversationId, Error, InboxEntry, Logged, Message, Position, Store, UserId};

use crate::retry::retried;

/// Returns all users.
pub(super) fn users(store: &dyn Store) -> impl Stream<Item = Result<UserId, Error>> {
    pages(
        None,
        |user: &UserId| Some(user.clone()),
        async move |after| retried(|| store.users(after.as_ref(), MAX_LIMIT)).await,
    )
}

/// Returns all conversations of a user, in the order of their log keys.
pub(super) fn inbox_log<'a>(
    store: &'a dyn Store,
    user: &'a UserId,
) -> impl Stream<Item = Result<Logged<InboxEntry>, Error>> {
    pages(Position::MIN, above, async move |above| {
        retried(|| store.inbox_log(user, above, MAX_LIMIT)).await
    })
}

/// Returns all messages of a conversation, in the order of their log keys.
pub(super) fn history_log(
    store: &dyn Store,
    id: ConversationId,
) -> impl Stream<Item = Result<Logged<Message>, Error>> {
    pages(Position::MIN, above, async move |above| {
        retried(|| store.history_log(id, above, MAX_LIMIT)).await
    })
}

fn above<T>(last: &Logged<T>) -> Position {
    last.key.into()
}

/// Returns the items of all pages, each of which begins after the last item of the one before.
fn pages<T, K>(
    first: K,
    after: impl Fn(&T) -> K,
    read: impl AsyncFn(K) -> Result<Vec<T>, Error>,
) -> impl Stream<Item = Result<T, Error>> {
    let state = (Some(first), after, read);
    stream::try_unfold(state, async move |(from, after, read)| {
        let Some(from) = from else { return Ok(None) };
        let page = read(from).await?;
        let is_full = page.len() == MAX_LIMIT;
        let next = page.last().filter(|_| is_full).map(&after);
        let items = stream::iter(page.into_iter().map(Ok));
        Ok(Some((items, (next, after, read))))
    })
    .try_flatten()
}
