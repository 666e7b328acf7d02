//! Tools that the cases share.

use std::collections::BTreeSet;

use libtest_mimic::Failed;
use messenger_core::{
    HistoryQuery, InboxQuery, Limit, Message, MessageId, Messenger, NewMessage, UserId,
};
use tokio::runtime::Runtime;

pub(crate) type Result<T = ()> = std::result::Result<T, Failed>;

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn message(from: &str, to: &str, text: &str) -> NewMessage {
    NewMessage::new(user(from), user(to), text).unwrap()
}

pub(crate) fn ensure(holds: bool, what: impl Into<String>) -> Result {
    if holds {
        Ok(())
    } else {
        Err(what.into().into())
    }
}

/// The ids of a whole history, oldest first.
pub(crate) async fn history(messenger: &Messenger, of: &Message) -> Result<Vec<MessageId>> {
    let mut ids = Vec::new();
    let mut query = HistoryQuery::new().with_limit(Limit::MAX);
    loop {
        let page = messenger.history(of.conversation_id(), query).await?;
        ids.extend(page.items.iter().map(Message::id));
        match page.next {
            Some(next) => query = query.with_cursor(next),
            None => break,
        }
    }
    ids.reverse();
    Ok(ids)
}

/// Checks that a conversation's last message is the same in its history and in both inboxes.
pub(crate) async fn views_agree(messenger: &Messenger, of: &Message) -> Result {
    let newest = messenger
        .history(of.conversation_id(), HistoryQuery::new())
        .await?;
    let last = newest.items.first().map(Message::id);
    for reader in of.participants().iter() {
        let inbox = messenger.inbox(reader, InboxQuery::new()).await?;
        let listed: Vec<_> = inbox
            .items
            .iter()
            .filter(|entry| entry.id() == of.conversation_id())
            .collect();
        ensure(
            listed.len() == 1 && Some(listed[0].last_message().id()) == last,
            format!("the inbox of {reader} does not agree with the history"),
        )?;
    }
    Ok(())
}

/// Checks that every one of some ids is in a history.
pub(crate) fn contains_all(history: &[MessageId], ids: &BTreeSet<MessageId>) -> Result {
    let history: BTreeSet<_> = history.iter().copied().collect();
    let missing = ids.difference(&history).count();
    ensure(
        missing == 0,
        format!("{missing} acknowledged messages are missing"),
    )
}
