//! The writes that a child said were acknowledged, and the check that a store has all of them.

use std::collections::BTreeMap;

use messenger_core::store::MAX_LIMIT;
use messenger_core::{
    ConversationId, LastMessage, LogKey, Message, MessageId, Position, Store, UserId,
};
use messenger_sqlite::SqliteStore;

use crate::child;
use crate::world::{Result, ensure, user};

/// The text of every edit of a child.
pub(crate) const EDITED: &str = "edited";

/// The number of messages of a conversation that are also read one by one.
const PROBES: usize = 10;

/// A kind of write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Sent,
    Edited,
    Unsent,
    /// "hub" read up to the message.
    Marked,
}

impl Act {
    const ALL: [Self; 4] = [Self::Sent, Self::Edited, Self::Unsent, Self::Marked];

    /// Returns the line with which a child says it.
    pub(crate) fn line(self, sender: &str, id: MessageId) -> String {
        format!("{self:?} {sender} {id}\n")
    }
}

/// Acknowledged writes: each with the name of the sender and the id of the message.
#[derive(Debug, Default)]
pub(crate) struct Said(Vec<(Act, String, MessageId)>);

impl Said {
    /// Adds the write of a line. A line that was cut off is ignored.
    pub(crate) fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let [act, sender, id] = words[..] else {
            return;
        };
        let act = Act::ALL.into_iter().find(|it| format!("{it:?}") == act);
        if let (Some(act), Ok(id)) = (act, id.parse()) {
            self.0.push((act, sender.to_owned(), id));
        }
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn count(&self, act: Act) -> usize {
        self.0.iter().filter(|(it, ..)| *it == act).count()
    }

    /// Checks that a store has every write, and each write that it has in all views.
    pub(crate) async fn is_in(&self, store: &SqliteStore) -> Result {
        for sender in 0..child::SENDERS {
            let name = format!("user{sender}");
            let history = views_agree(store, &user(&name)).await?;
            let history: BTreeMap<_, _> = history.iter().map(|item| (item.id(), item)).collect();
            let conversation = ConversationId::direct(&user(&name), &user("hub"));
            let entry = store.entry(&user("hub"), conversation).await?;
            let read = entry.and_then(|entry| entry.read_up_to());
            for (act, _, id) in self.0.iter().filter(|(_, sender, _)| *sender == name) {
                let Some(message) = history.get(id) else {
                    return Err(format!("{id} of {name} is missing").into());
                };
                let holds = match act {
                    Act::Sent => true,
                    Act::Edited => message.content().is_some_and(|it| it.as_str() == EDITED),
                    Act::Unsent => message.is_unsent(),
                    Act::Marked => read >= Some(*id),
                };
                ensure(holds, format!("{id} of {name} is not {act:?}: {message:?}"))?;
            }
        }
        Ok(())
    }
}

/// Checks that the conversation of a sender with "hub" is the same in all views, and returns its
/// history.
async fn views_agree(store: &SqliteStore, sender: &UserId) -> Result<Vec<Message>> {
    let hub = user("hub");
    let conversation = ConversationId::direct(sender, &hub);
    let mut history: Vec<Message> = Vec::new();
    loop {
        let below = history.last().map(|message| message.id().into());
        let page = store.history(conversation, below, MAX_LIMIT).await?;
        if page.is_empty() {
            break;
        }
        history.extend(page);
    }
    let mut log = Vec::new();
    loop {
        let above = log
            .last()
            .map_or(Position::MIN, |last: &(LogKey, Message)| last.0.into());
        let page = store.history_log(conversation, above, MAX_LIMIT).await?;
        if page.is_empty() {
            break;
        }
        log.extend(page.into_iter().map(|logged| (logged.key, logged.item)));
    }
    // A message stands in the log at its revision, once it was changed, and otherwise at its id.
    let mut unlogged: BTreeMap<_, _> = history.iter().map(|item| (item.id(), item)).collect();
    for (key, item) in &log {
        let stored = unlogged.get(&item.id());
        let known = stored.map_or(*key < LogKey::from(item.revision()), |stored| {
            *stored == item
        });
        ensure(known, format!("the log has {item:?} at {key}"))?;
        if *key == LogKey::from(item.revision()) {
            unlogged.remove(&item.id());
        }
    }
    ensure(unlogged.is_empty(), format!("the log misses {unlogged:?}"))?;
    for message in history.iter().take(PROBES) {
        let got = store.message(conversation, message.id()).await?;
        ensure(
            got.as_ref() == Some(message),
            format!("`message` returns {got:?}"),
        )?;
    }
    let last = history.first().map(LastMessage::of);
    for reader in [sender, &hub] {
        let entry = store.entry(reader, conversation).await?;
        let got = entry.as_ref().map(|entry| entry.last_message());
        ensure(
            got == last.as_ref(),
            format!("the entry of {reader} is {entry:?}"),
        )?;
        let inbox = store.inbox(reader, None, MAX_LIMIT).await?;
        let inbox_log = store.inbox_log(reader, Position::MIN, MAX_LIMIT).await?;
        let is_it = |id| id == conversation;
        let listed = inbox.iter().filter(|entry| is_it(entry.id()));
        let logged = inbox_log.iter().map(|logged| &logged.item);
        let logged = logged.filter(|entry| is_it(entry.id()));
        let expected: Vec<_> = entry.iter().collect();
        ensure(
            listed.collect::<Vec<_>>() == expected && logged.collect::<Vec<_>>() == expected,
            format!("the inbox of {reader} does not agree with the entry"),
        )?;
    }
    Ok(history)
}
