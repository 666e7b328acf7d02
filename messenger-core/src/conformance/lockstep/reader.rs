//! Clients that walk through a list, catch up, and must have everything in the end.

use std::collections::HashSet;

use async_trait::async_trait;

use crate::conformance::client::{Client, History, Inbox, List};
use crate::conformance::describe::{Identified, same_list};
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::{Failure, Model};
use crate::{Cursor, InboxEntry, Limit, Message, MessageId, Messenger, Page};

use super::tee::{Shown, State, Tee, shows_no_unsent_text};

/// A list that the lockstep test reads.
pub(super) trait ModelList: List<Item: Shown + PartialEq> {
    /// Returns the whole list, as it must be.
    fn expected(&self, model: &Model) -> Vec<Self::Item>;

    /// Returns the message that an item is, or shows.
    fn message_of(item: &Self::Item) -> MessageId;
}

impl ModelList for History {
    fn expected(&self, model: &Model) -> Vec<Message> {
        model.history(self.0, None, usize::MAX)
    }

    fn message_of(message: &Message) -> MessageId {
        message.id()
    }
}

impl ModelList for Inbox {
    fn expected(&self, model: &Model) -> Vec<InboxEntry> {
        model.inbox(&self.0, None, usize::MAX)
    }

    fn message_of(entry: &InboxEntry) -> MessageId {
        entry.last_message().id()
    }
}

/// A client of one list, as a sequence of calls uses it.
#[async_trait]
pub(super) trait Reader: Send + Sync {
    /// Reads the first page.
    async fn open(&mut self) -> Checked;

    /// Reads one older page. Returns whether there was one.
    async fn older(&mut self, server: &Messenger) -> Result<bool, Failure>;

    /// Follows `prev` until a page is not full.
    async fn catch_up(&mut self, server: &Messenger, unsent: &HashSet<MessageId>) -> Checked;

    /// Takes note of an import, which catching up does not find.
    fn imported(&mut self, id: MessageId);

    /// Takes note of a change, which catching up finds.
    fn changed(&mut self, id: MessageId);

    /// Checks that the client has the whole list, except for imports since it started.
    fn is_complete(&self, state: &State) -> Checked;
}

pub(super) struct ListReader<L: ModelList> {
    client: Client<L>,
    next: Option<Cursor>,
    imported: HashSet<MessageId>,
}

impl<L: ModelList> ListReader<L> {
    pub(super) fn new(server: &Messenger, list: L, limit: Limit) -> Self {
        Self {
            client: Client::new(server, list, limit),
            next: None,
            imported: HashSet::new(),
        }
    }
}

#[async_trait]
impl<L: ModelList> Reader for ListReader<L> {
    async fn open(&mut self) -> Checked {
        self.next = self.client.open().await?;
        Ok(())
    }

    async fn older(&mut self, server: &Messenger) -> Result<bool, Failure> {
        let Some(next) = self.next else {
            return Ok(false);
        };
        self.client.use_messenger(server);
        self.next = self.client.turn(next).await?.1;
        Ok(true)
    }

    async fn catch_up(&mut self, server: &Messenger, unsent: &HashSet<MessageId>) -> Checked {
        self.client.use_messenger(server);
        let came = self.client.catch_up().await?;
        shows_no_unsent_text(&came, unsent)
    }

    fn imported(&mut self, id: MessageId) {
        self.imported.insert(id);
    }

    fn changed(&mut self, id: MessageId) {
        self.imported.remove(&id);
    }

    fn is_complete(&self, state: &State) -> Checked {
        let mut expected = self.client.list().expected(&state.model);
        expected.sort_by_key(Identified::identity);
        let excused: HashSet<_> = expected
            .iter()
            .filter(|item| self.imported.contains(&L::message_of(item)))
            .map(Identified::identity)
            .collect();
        expected.retain(|item| !excused.contains(&item.identity()));
        let got = self.client.items().cloned();
        let got: Vec<_> = got
            .filter(|item| !excused.contains(&item.identity()))
            .collect();
        same_list("the client", &got, &expected)
    }
}

/// Walks through a whole list, and checks each page and the list.
pub(super) async fn walk<L: ModelList>(
    server: &Messenger,
    list: &L,
    limit: Limit,
    tee: &Tee,
) -> Checked {
    let (expected, unsent) = {
        let state = tee.state();
        (list.expected(&state.model), state.unsent.clone())
    };
    let mut got = Vec::new();
    let mut cursor = None;
    loop {
        let Page { items, next, .. } = list.page(server, limit, cursor).await?;
        ensure!(
            items.len() == limit.get() || next.is_none() && items.len() < limit.get(),
            "a page with the limit {limit} has {} items, and a `next`",
            items.len()
        );
        ensure!(
            !items.is_empty() || got.is_empty(),
            "a walk ended with an empty page: `next` was present although nothing older exists"
        );
        shows_no_unsent_text(&items, &unsent)?;
        got.extend(items);
        ensure!(
            got.len() <= expected.len(),
            "a walk through a list of {} items has returned {}",
            expected.len(),
            got.len()
        );
        if next.is_none() {
            return same_list("the walk", &got, &expected);
        }
        cursor = next;
    }
}
