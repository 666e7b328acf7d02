//! The comparison of two stores.

use std::collections::HashMap;
use std::fmt;

use futures_util::TryStreamExt as _;
use messenger_core::store::MAX_LIMIT;
use messenger_core::{ConversationId, Error, InboxEntry, MessageId, Store, UserId};
use tokio::sync::Mutex;

use super::merge::{Side, merge};
use super::walk::{history_log, inbox_log, users};
use super::{CONVERSATIONS, Counts, USERS, is_first};
use crate::retry::retried;

/// The differences between two stores: their number, and the first ones in words.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub(super) count: u64,
    first: Vec<String>,
}

impl Differences {
    const SHOWN: usize = 10;

    fn add(&mut self, difference: String) {
        self.count += 1;
        if self.first.len() < Self::SHOWN {
            self.first.push(difference);
        }
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} differences", self.count)?;
        for difference in &self.first {
            write!(f, "\n  {difference}")?;
        }
        if self.count > self.first.len() as u64 {
            write!(f, "\n  and so on")?;
        }
        Ok(())
    }
}

/// Compares everything that two stores show: users, inboxes and histories, and the logs of both.
pub(super) async fn compare(
    source: &dyn Store,
    target: &dyn Store,
    counts: &Counts,
) -> Result<Differences, Error> {
    let comparison = Comparison {
        source,
        target,
        counts,
        differences: Mutex::default(),
    };
    users(source)
        .try_for_each_concurrent(USERS, |user| comparison.user(user))
        .await?;
    users(target)
        .try_for_each_concurrent(USERS, |user| comparison.user_of_target(user))
        .await?;
    Ok(comparison.differences.into_inner())
}

/// Returns a user of the target's first page who is not one of the source. A target that has one
/// holds something else than an interrupted copy.
pub(super) async fn stranger(
    source: &dyn Store,
    target: &dyn Store,
) -> Result<Option<UserId>, Error> {
    for user in retried(|| target.users(None, MAX_LIMIT)).await? {
        if !has_inbox(source, &user).await? {
            return Ok(Some(user));
        }
    }
    Ok(None)
}

async fn has_inbox(store: &dyn Store, user: &UserId) -> Result<bool, Error> {
    let inbox = retried(|| store.inbox(user, None, 1)).await?;
    Ok(!inbox.is_empty())
}

struct Comparison<'a> {
    source: &'a dyn Store,
    target: &'a dyn Store,
    counts: &'a Counts,
    differences: Mutex<Differences>,
}

impl Comparison<'_> {
    async fn user(&self, user: UserId) -> Result<(), Error> {
        Counts::add(&self.counts.users);
        let (source, target) = (inbox_log(self.source, &user), inbox_log(self.target, &user));
        merge(source, target)
            .try_for_each_concurrent(CONVERSATIONS, |side| self.entry(&user, side))
            .await
    }

    async fn user_of_target(&self, user: UserId) -> Result<(), Error> {
        if !has_inbox(self.source, &user).await? {
            self.found(format!("{user}: only in the target")).await;
        }
        Ok(())
    }

    async fn entry(&self, user: &UserId, side: Side<InboxEntry>) -> Result<(), Error> {
        if !side.is_equal() {
            let (Side::Source(entry) | Side::Target(entry) | Side::Both(entry, _)) = &side;
            let id = entry.item.id();
            self.found(format!("{user}: the entry of conversation {id} differs"))
                .await;
        }
        match side {
            Side::Source(entry) | Side::Both(entry, _) if is_first(&entry.item, user) => {
                Counts::add(&self.counts.conversations);
                self.history(entry.item.id()).await
            }
            _ => Ok(()),
        }
    }

    /// Compares two histories.
    ///
    /// A log may show a changed message at each of its keys or only at the greatest one. So a
    /// message that only one log shows is no difference if both show it at a greater key.
    async fn history(&self, id: ConversationId) -> Result<(), Error> {
        let mut unequal = HashMap::<MessageId, &'static str>::new();
        let (source, target) = (history_log(self.source, id), history_log(self.target, id));
        let mut sides = std::pin::pin!(merge(source, target));
        while let Some(side) = sides.try_next().await? {
            Counts::add(&self.counts.messages);
            let is_equal = side.is_equal();
            let (message, difference) = match side {
                Side::Source(message) => (message, "missing in the target"),
                Side::Target(message) => (message, "only in the target"),
                Side::Both(message, _) => (message, "another version"),
            };
            let id = message.item.id();
            if is_equal {
                unequal.remove(&id);
            } else {
                unequal.insert(id, difference);
            }
        }
        for (message, difference) in unequal {
            self.found(format!(
                "conversation {id}, message {message}: {difference}"
            ))
            .await;
        }
        Ok(())
    }

    async fn found(&self, difference: String) {
        self.differences.lock().await.add(difference);
    }
}
