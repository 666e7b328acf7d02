//! What a client finds that comes afterwards.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use messenger_core::{
    ConversationId, Error, HistoryQuery, InboxQuery, Limit, MessageId, Messenger, UserId,
};

use super::load::Record;
use super::world::{Pair, Verdict, ensure, failed};

/// How often a read is tried that an overloaded machine was too slow for.
const TRIES: usize = 5;

/// All views of some conversations, as they were read.
#[derive(Debug)]
pub(crate) struct Views {
    conversations: HashMap<ConversationId, View>,
}

#[derive(Debug)]
struct View {
    history: BTreeSet<MessageId>,
    /// The last message: in each inbox, and of the conversation.
    last: [Option<MessageId>; 3],
}

impl Views {
    /// Reads all of it, and fails where anything comes twice or in the wrong order.
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
            let of = |user: &UserId| inboxes.get(user).and_then(|inbox| inbox.get(&id)).copied();
            let conversation = patiently(async || messenger.conversation(id).await).await?;
            let view = View {
                history: history(messenger, id).await?,
                last: [
                    of(&pair.one),
                    of(&pair.two),
                    conversation.map(|found| found.last_message().id()),
                ],
            };
            conversations.insert(id, view);
        }
        Ok(Self { conversations })
    }

    /// Reads until all views agree, which they do when hints and the batch log have been played.
    /// Until then too, whatever was acknowledged must be there.
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
                // The batch log is played every ten seconds, with what is older than four; after a
                // start it waits once more.
                Some(text) if started.elapsed() > Duration::from_secs(60) => {
                    return Err(format!("the views do not come to agree: {text}").into());
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    /// What was acknowledged is in every view; what was refused is in none; and there is nothing
    /// that nobody sent.
    pub(crate) fn hold(&self, record: &Record) -> Verdict {
        for (conversation, id) in &record.acknowledged {
            let view = self.conversations.get(conversation);
            let view = view.ok_or("a conversation was not read")?;
            ensure!(
                view.history.contains(id),
                "{id} was acknowledged, and is not in the history of {conversation}"
            );
            for (last, place) in view.last.iter().zip(PLACES) {
                ensure!(
                    *last >= Some(*id),
                    "{id} was acknowledged in {conversation}, and {place} is at {last:?}"
                );
            }
        }
        let refused: HashSet<_> = record.refused.iter().collect();
        let acknowledged = record.acknowledged.iter().map(|(_, id)| id);
        let possible: HashSet<_> = acknowledged.chain(&record.unknown).collect();
        for id in self.conversations.values().flat_map(|view| &view.history) {
            ensure!(!refused.contains(id), "{id} was refused, and is there");
            ensure!(possible.contains(id), "{id} is there, and nobody sent it");
        }
        Ok(())
    }

    /// A conversation whose last message is not the newest of its history in every view.
    pub(crate) fn disagreement(&self) -> Option<String> {
        let mut conversations = self.conversations.iter();
        conversations.find_map(|(id, View { history, last })| {
            let newest = history.last().copied();
            let differ = last.iter().any(|last| *last != newest);
            differ.then(|| format!("{id} has {newest:?} in its history, and at its heads {last:?}"))
        })
    }

    /// How many messages there are in all histories.
    pub(crate) fn messages(&self) -> usize {
        let histories = self.conversations.values().map(|view| view.history.len());
        histories.sum()
    }
}

const PLACES: [&str; 3] = ["one inbox", "the other inbox", "the conversation"];

async fn history(messenger: &Messenger, id: ConversationId) -> Result<BTreeSet<MessageId>, Failed> {
    let mut ids: Vec<MessageId> = Vec::new();
    let mut next = None;
    loop {
        let query = HistoryQuery::new().with_limit(Limit::MAX).with_cursor(next);
        let page = patiently(async || messenger.history(id, query).await).await?;
        ids.extend(page.items.iter().map(messenger_core::Message::id));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    ensure!(
        ids.is_sorted_by(|one, other| one > other),
        "the history of {id} has a message twice or in the wrong place"
    );
    Ok(ids.into_iter().collect())
}

async fn inbox(
    messenger: &Messenger,
    user: &UserId,
) -> Result<HashMap<ConversationId, MessageId>, Failed> {
    let mut heads = Vec::new();
    let mut next = None;
    loop {
        let query = InboxQuery::new().with_limit(Limit::MAX).with_cursor(next);
        let page = patiently(async || messenger.inbox(user, query).await).await?;
        let items = page.items.iter();
        heads.extend(items.map(|item| (item.id(), item.last_message().id())));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    ensure!(
        heads.is_sorted_by(|(_, one), (_, other)| one > other),
        "the inbox of {user} is out of order"
    );
    let count = heads.len();
    let heads: HashMap<_, _> = heads.into_iter().collect();
    ensure!(
        heads.len() == count,
        "the inbox of {user} lists a conversation twice"
    );
    Ok(heads)
}

/// What a client would do: ask again when told that it may help.
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
