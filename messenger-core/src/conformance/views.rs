//! Comparing every view of a store with the model.

use std::collections::BTreeMap;

use super::describe::{Describe as _, same, same_list, user_name};
use super::failure::{Checked, ensure};
use super::fixture::{Fixture, Write};
use super::{Failure, Model};
use crate::store::{Logged, MAX_LIMIT};
use crate::{
    Conversation, ConversationId, InboxEntry, LogKey, Message, MessageId, Position, Store, UserId,
};

impl Fixture {
    /// Makes a write, and adds it to the model.
    pub(crate) async fn write(&self, model: &mut Model, write: &Write) -> Checked {
        write.to(&*self.store).await?;
        write.add_to(model);
        Ok(())
    }

    /// Makes the writes one after the other, through both clients in turn, and checks every view
    /// after each.
    pub(crate) async fn write_and_compare(
        &self,
        model: &mut Model,
        writes: impl IntoIterator<Item = Write>,
    ) -> Checked {
        for (n, write) in writes.into_iter().enumerate() {
            write.to(&*self.nth_client(n)).await?;
            write.add_to(model);
            let agreed = self.agrees_with(model).await;
            agreed.map_err(|failure| failure.during(format!("after {}", write.name())))?;
        }
        Ok(())
    }

    /// Sends a message on time.
    pub(crate) async fn send(&self, model: &mut Model, message: &Message) -> Checked {
        self.write(model, &Write::send(message)).await
    }

    /// Sends many messages, some at the same time.
    pub(crate) async fn send_all(&self, model: &mut Model, messages: &[Message]) -> Checked {
        for some in messages.chunks(super::fixture::AT_ONCE) {
            let puts = some
                .iter()
                .map(|message| self.store.put(message.id().into(), message));
            futures_util::future::try_join_all(puts).await?;
        }
        for message in messages {
            model.put(message.id().into(), message);
        }
        Ok(())
    }

    /// Checks every view of everything in the model, through every client.
    pub(crate) async fn agrees_with(&self, model: &Model) -> Checked {
        agree(&*self.store, model).await?;
        if self.has_other {
            let agreed = agree(&*self.other, model).await;
            agreed.map_err(|failure| failure.during("through the other client"))?;
        }
        Ok(())
    }
}

impl Write {
    pub(crate) fn add_to(&self, model: &mut Model) {
        match self {
            Self::Put(key, message) => model.put(*key, message),
            Self::Mark(key, marker) => model.mark(*key, marker),
        }
    }
}

/// Checks every view of everything in the model: conversations, histories and their logs, messages
/// by id, and for each participant the inbox, its log, the entry and the number of unread messages.
pub(crate) async fn agree(store: &dyn Store, model: &Model) -> Checked {
    agree_about(store, model, model).await
}

/// Checks every view of the conversations, messages and users that are in another model.
pub(crate) async fn agree_about(store: &dyn Store, model: &Model, about: &Model) -> Checked {
    let conversations = about.conversations();
    for conversation in &conversations {
        let id = conversation.id();
        conversation_agrees(store, model, conversation).await?;
        for message in about.messages(id) {
            let got = store.message(id, message.id()).await?;
            same("`message`", &got, &model.message(id, message.id()))?;
        }
    }
    let mut users: Vec<_> = conversations
        .iter()
        .flat_map(|conversation| conversation.participants())
        .collect();
    users.sort();
    users.dedup();
    for user in users {
        inbox_agrees(store, model, user, MAX_LIMIT).await?;
        inbox_log_agrees(store, model, user, MAX_LIMIT).await?;
    }
    Ok(())
}

/// Checks every view of one conversation.
pub(crate) async fn conversation_agrees(
    store: &dyn Store,
    model: &Model,
    conversation: &Conversation,
) -> Checked {
    let id = conversation.id();
    let got = store.conversation(id).await?;
    same("`conversation`", &got, &model.conversation(id))?;
    history_agrees(store, model, id, MAX_LIMIT).await?;
    history_log_agrees(store, model, id, MAX_LIMIT).await?;
    for user in conversation.participants() {
        let got = store.entry(user, id).await?;
        let expected = model.entry(user, id);
        same(&format!("`entry` of {}", user_name(user)), &got, &expected)?;
        let read = expected.and_then(|entry| entry.read_up_to());
        unread_agrees(store, model, id, user, read.map(Position::from), MAX_LIMIT).await?;
    }
    Ok(())
}

/// Checks one count of unread messages.
pub(crate) async fn unread_agrees(
    store: &dyn Store,
    model: &Model,
    conversation: ConversationId,
    reader: &UserId,
    above: Option<Position>,
    cap: usize,
) -> Checked {
    let got = store.unread(conversation, reader, above, cap).await?;
    let expected = model.unread(conversation, reader, above, cap);
    let above = above.map_or_else(String::new, |above| format!(" above {}", above.as_uuid()));
    same(
        &format!(
            "`unread` of {}{above} with the cap {cap}",
            user_name(reader)
        ),
        &got,
        &expected,
    )
}

/// Checks a whole history, read this many messages at a time.
pub(crate) async fn history_agrees(
    store: &dyn Store,
    model: &Model,
    conversation: ConversationId,
    limit: usize,
) -> Checked {
    let got = whole_history(store, conversation, limit).await?;
    let expected = model.history(conversation, None, usize::MAX);
    same_list(
        &format!("`history`, read {limit} at a time,"),
        &got,
        &expected,
    )
}

/// Checks a whole inbox, read this many entries at a time.
pub(crate) async fn inbox_agrees(
    store: &dyn Store,
    model: &Model,
    user: &UserId,
    limit: usize,
) -> Checked {
    let got = whole_inbox(store, user, limit).await?;
    let expected = model.inbox(user, None, usize::MAX);
    same_list(
        &format!("`inbox` of {}, read {limit} at a time,", user_name(user)),
        &got,
        &expected,
    )
}

/// Checks the whole log of an inbox, read this many entries at a time.
pub(crate) async fn inbox_log_agrees(
    store: &dyn Store,
    model: &Model,
    user: &UserId,
    limit: usize,
) -> Checked {
    let got = whole_inbox_log(store, user, limit).await?;
    let expected = model.inbox_log(user, Position::MIN, usize::MAX);
    same_list(
        &format!(
            "`inbox_log` of {}, read {limit} at a time,",
            user_name(user)
        ),
        &got,
        &expected,
    )
}

/// Checks the whole log of a history, read this many items at a time.
pub(crate) async fn history_log_agrees(
    store: &dyn Store,
    model: &Model,
    conversation: ConversationId,
    limit: usize,
) -> Checked {
    let got = whole_history_log(store, conversation, limit).await?;
    let what = format!("`history_log`, read {limit} at a time,");
    log_holds(
        &what,
        &got,
        &model.history_log(conversation, Position::MIN, usize::MAX),
        None,
    )
}

/// Checks a part of the log of a history: up to a key, or to its end. `places` are all places of
/// its messages from the beginning of that part. A store returns a message at each of them, or only
/// at the last, always as it is now.
pub(crate) fn log_holds(
    what: &str,
    got: &[Logged<Message>],
    places: &[Logged<Message>],
    up_to: Option<LogKey>,
) -> Checked {
    let mut last_places = BTreeMap::<MessageId, &Logged<Message>>::new();
    for place in places {
        last_places.insert(place.item.id(), place);
    }
    let is_in_part = |last: &&Logged<Message>| up_to.is_none_or(|up_to| last.key <= up_to);
    for last in last_places.into_values().filter(is_in_part) {
        ensure!(
            got.iter().any(|logged| logged.key == last.key),
            "{what} misses {} at its last key, {}",
            last.item.name(),
            last.key
        );
    }
    for logged in got {
        let place = places.iter().find(|place| place.key == logged.key);
        let Some(place) = place else {
            return Err(Failure::new(format!(
                "{what} has {} at the key {}, under which nothing was written",
                logged.item.name(),
                logged.key
            )));
        };
        same(what, logged, place)?;
    }
    Ok(())
}

/// Reads a list to its end. A page that is not full is the last one (rule 11).
macro_rules! whole {
    ($limit:expr, $start:expr, |$from:ident| $page:expr, |$last:ident| $next:expr) => {{
        let (mut items, mut $from) = (Vec::new(), $start);
        loop {
            let page = $page.await?;
            let full = page.len() == $limit;
            items.extend(page);
            match items.last() {
                Some($last) if full => $from = $next,
                _ => return Ok(items),
            }
        }
    }};
}

pub(crate) async fn whole_history(
    store: &dyn Store,
    conversation: ConversationId,
    limit: usize,
) -> Result<Vec<Message>, Failure> {
    whole!(
        limit,
        None,
        |below| store.history(conversation, below, limit),
        |last| Some(Position::from(last.id()))
    )
}

pub(crate) async fn whole_history_log(
    store: &dyn Store,
    conversation: ConversationId,
    limit: usize,
) -> Result<Vec<Logged<Message>>, Failure> {
    whole!(
        limit,
        Position::MIN,
        |above| store.history_log(conversation, above, limit),
        |last| last.key.into()
    )
}

pub(crate) async fn whole_inbox(
    store: &dyn Store,
    user: &UserId,
    limit: usize,
) -> Result<Vec<InboxEntry>, Failure> {
    whole!(
        limit,
        None,
        |below| store.inbox(user, below, limit),
        |last| Some(last.place())
    )
}

pub(crate) async fn whole_inbox_log(
    store: &dyn Store,
    user: &UserId,
    limit: usize,
) -> Result<Vec<Logged<InboxEntry>>, Failure> {
    whole!(
        limit,
        Position::MIN,
        |above| store.inbox_log(user, above, limit),
        |last| last.key.into()
    )
}
