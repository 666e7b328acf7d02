//! The views of a client that comes afterwards.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use messenger_core::{
    ConversationId, Error, HistoryQuery, InboxEntry, InboxQuery, LastMessage, Limit, Message,
    MessageId, Messenger, UserId,
};

use super::load::Record;
use super::world::{Pair, Verdict, ensure, failed};

/// The attempts of a read for which an overloaded machine was too slow.
const TRIES: usize = 5;

/// All views of some conversations, as they were read.
#[derive(Debug)]
pub(crate) struct Views {
    conversations: HashMap<ConversationId, View>,
}

#[derive(Debug)]
struct View {
    history: BTreeMap<MessageId, Message>,
    /// The conversation in both inboxes, and as the entry of both users, in the order of `PLACES`.
    entries: [Option<InboxEntry>; 4],
}

const PLACES: [&str; 4] = [
    "one inbox",
    "the other inbox",
    "one entry",
    "the other entry",
];

impl Views {
    /// Reads all of it, and fails if anything comes twice or in the wrong order.
    pub(crate) async fn read(messenger: &Messenger, pairs: &[Pair]) -> Result<Self, Failed> {
        let mut inboxes = HashMap::new();
        for user in pairs.iter().flat_map(|pair| [&pair.one, &pair.two]) {
            if !inboxes.contains_key(user) {
                inboxes.insert(user.clone(), inbox(messenger, user).await?);
            }
        }
        let mut conversations = HashMap::new();
        for pair in pairs {
            let id = pair.id();
            let listed =
                |user: &UserId| inboxes.get(user).and_then(|inbox| inbox.get(&id)).cloned();
            let entry = async |user| patiently(async || messenger.entry(user, id).await).await;
            let view = View {
                history: history(messenger, id).await?,
                entries: [
                    listed(&pair.one),
                    listed(&pair.two),
                    entry(&pair.one).await?,
                    entry(&pair.two).await?,
                ],
            };
            conversations.insert(id, view);
        }
        Ok(Self { conversations })
    }

    /// Reads until all views agree, which they do when hints and the batch log have been replayed.
    /// Until then too, everything that was acknowledged must be there.
    pub(crate) async fn settled(
        messenger: &Messenger,
        pairs: &[Pair],
        record: &Record,
    ) -> Result<(Self, Duration), Failed> {
        let started = Instant::now();
        loop {
            let views = Self::read(messenger, pairs).await?;
            views.hold(record)?;
            match views.disagreement() {
                None => return Ok((views, started.elapsed())),
                // The batch log is replayed every ten seconds, with what is older than four; after a
                // start it waits once more. First pages may be a minute old.
                Some(text) if started.elapsed() > Duration::from_secs(90) => {
                    return Err(format!("the views do not come to agree: {text}").into());
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    /// Checks that what was acknowledged is in every view; what was refused is in none; and there is nothing
    /// that nobody wrote.
    pub(crate) fn hold(&self, record: &Record) -> Verdict {
        for (conversation, id) in &record.acknowledged {
            let view = self.view(*conversation)?;
            ensure!(
                view.history.contains_key(id),
                "{id} was acknowledged, and is not in the history of {conversation}"
            );
            for (entry, place) in view.entries.iter().zip(PLACES) {
                let last = entry.as_ref().map(|entry| entry.last_message().id());
                ensure!(
                    last >= Some(*id),
                    "{id} was acknowledged in {conversation}, and {place} is at {last:?}"
                );
            }
        }
        for version in &record.versions {
            let view = self.view(version.conversation_id())?;
            let (id, acknowledged) = (version.id(), version.version());
            let found = view.history.get(&id).map(Message::version);
            ensure!(
                found >= Some(acknowledged),
                "{acknowledged:?} of {id} was acknowledged, and the history has {found:?}"
            );
            for (entry, place) in view.entries.iter().zip(PLACES) {
                let last = entry.as_ref().map(InboxEntry::last_message);
                let found = last.filter(|last| last.id() == id);
                ensure!(
                    found.is_none_or(|found| found.version() >= acknowledged),
                    "{acknowledged:?} of {id} was acknowledged, and {place} has {found:?}"
                );
            }
        }
        for (pair, reader, up_to) in &record.marks {
            let view = self.view(pair.id())?;
            let is_one = *reader == pair.one;
            for (entry, of_one) in view.entries.iter().zip([true, false, true, false]) {
                let entry = entry.as_ref();
                let found = entry.and_then(|entry| match of_one == is_one {
                    true => entry.read_up_to(),
                    false => entry.seen_up_to(),
                });
                ensure!(
                    found >= Some(*up_to),
                    "{reader} has read up to {up_to}, and an entry has {found:?}"
                );
            }
        }
        self.has_nothing_else(record)
    }

    fn has_nothing_else(&self, record: &Record) -> Verdict {
        let refused: HashSet<_> = record.refused.iter().collect();
        let acknowledged = record.acknowledged.iter().map(|(_, id)| id);
        let possible: HashSet<_> = acknowledged.chain(&record.unknown).collect();
        for message in self
            .conversations
            .values()
            .flat_map(|view| view.history.values())
        {
            let id = message.id();
            ensure!(!refused.contains(&id), "{id} was refused, and is there");
            ensure!(possible.contains(&id), "{id} is there, and nobody sent it");
            let Some(content) = message.content() else {
                ensure!(record.unsent.contains(&id), "{id} is unsent, by nobody");
                continue;
            };
            let text = content.as_str();
            ensure!(
                !record.refused_texts.contains(text),
                "the edit to {text} was refused, and is there"
            );
        }
        Ok(())
    }

    fn view(&self, conversation: ConversationId) -> Result<&View, Failed> {
        let view = self.conversations.get(&conversation);
        view.ok_or_else(|| "a conversation was not read".into())
    }

    /// A conversation whose last message is not the newest of its history in every view, or whose
    /// markers are in one inbox only.
    pub(crate) fn disagreement(&self) -> Option<String> {
        let mut conversations = self.conversations.iter();
        conversations.find_map(|(id, View { history, entries })| {
            let newest = history.values().next_back().map(LastMessage::of);
            let last = |entry: &Option<InboxEntry>| {
                entry.as_ref().map(|entry| entry.last_message().clone())
            };
            let differ = entries.iter().any(|entry| last(entry) != newest);
            let markers = |entry: &Option<InboxEntry>| {
                let entry = entry.as_ref();
                entry.map(|entry| [entry.read_up_to(), entry.seen_up_to()])
            };
            let [one, other, ..] = entries.each_ref().map(markers);
            let crossed = other.map(|[read, seen]| [seen, read]);
            (differ || one != crossed)
                .then(|| format!("{id} has {newest:?} in its history, and {entries:?}"))
        })
    }

    /// Returns the number of messages in all histories.
    pub(crate) fn messages(&self) -> usize {
        let histories = self.conversations.values().map(|view| view.history.len());
        histories.sum()
    }
}

async fn history(
    messenger: &Messenger,
    id: ConversationId,
) -> Result<BTreeMap<MessageId, Message>, Failed> {
    let mut messages = Vec::new();
    let mut next = None;
    loop {
        let query = HistoryQuery::new().with_limit(Limit::MAX).with_cursor(next);
        let page = patiently(async || messenger.history(id, query).await).await?;
        messages.extend(page.items);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    ensure!(
        messages.is_sorted_by(|one, other| one.id() > other.id()),
        "the history of {id} has a message twice or in the wrong place"
    );
    Ok(messages
        .into_iter()
        .map(|message| (message.id(), message))
        .collect())
}

async fn inbox(
    messenger: &Messenger,
    user: &UserId,
) -> Result<HashMap<ConversationId, InboxEntry>, Failed> {
    let mut entries: Vec<InboxEntry> = Vec::new();
    let mut next = None;
    loop {
        let query = InboxQuery::new().with_limit(Limit::MAX).with_cursor(next);
        let page = patiently(async || messenger.inbox(user, query).await).await?;
        entries.extend(page.items);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    ensure!(
        entries.is_sorted_by(|one, other| one.place() > other.place()),
        "the inbox of {user} is out of order"
    );
    let count = entries.len();
    let entries: HashMap<_, _> = entries
        .into_iter()
        .map(|entry| (entry.id(), entry))
        .collect();
    ensure!(
        entries.len() == count,
        "the inbox of {user} lists a conversation twice"
    );
    Ok(entries)
}

/// Reads again as long as the error says that it may help, as a client would.
async fn patiently<T>(mut read: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Failed> {
    for _ in 1..TRIES {
        match read().await {
            Err(error) if error.is_retryable() => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            other => return other.map_err(failed),
        }
    }
    read().await.map_err(failed)
}
