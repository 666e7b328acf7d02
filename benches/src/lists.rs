//! Lists that are read in pages, and the pairs that follow from one.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use messenger_core::MessageId;

use crate::calls::{Again, Calls};
use crate::pages::{Page, PageCall};
use crate::pair::Pair;

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The messages of a conversation.
    History,
    /// The conversations of a user.
    Inbox,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Inbox => "inbox",
        }
    }

    /// Its pages, with their names.
    const fn pages(self) -> &'static [(Page, &'static str)] {
        match self {
            Self::History => &[
                (Page::First, "first"),
                (Page::Middle, "middle"),
                (Page::Before, "before"),
                (Page::Newer, "newer"),
            ],
            Self::Inbox => &[(Page::First, "first"), (Page::Middle, "later")],
        }
    }
}

/// A list in a store.
#[derive(Debug)]
pub struct List<C> {
    kind: Kind,
    reader: Arc<C>,
    ids: Vec<MessageId>,
}

impl<C: Calls<PageCall>> List<C> {
    /// A list that this reads, with the ids of its rows, the smallest first.
    pub fn new(kind: Kind, reader: C, ids: Vec<MessageId>) -> Self {
        Self {
            kind,
            reader: Arc::new(reader),
            ids,
        }
    }

    /// What reads it.
    pub fn reader(&self) -> &C {
        &self.reader
    }

    /// The ids of its rows, the smallest first.
    pub fn ids(&self) -> &[MessageId] {
        &self.ids
    }

    /// Each page of it, against the same one from elsewhere.
    pub fn pairs<B: Calls<PageCall>>(
        &self,
        subject: &str,
        baseline: &Arc<B>,
        goal: Option<f64>,
    ) -> Vec<Pair> {
        let pair = |&(page, name): &(Page, &str)| {
            let name = format!("{subject}/{}/{name}/{}", self.kind.name(), self.ids.len());
            let calls = page.calls(&self.ids);
            let read = Again::new(Arc::clone(&self.reader), Arc::clone(&calls));
            Pair::new(name, read, Again::new(Arc::clone(baseline), calls)).with_goal(goal)
        };
        self.kind.pages().iter().map(pair).collect()
    }

    /// Reads this page of it again and again.
    pub fn read(&self, page: Page) -> Again<Arc<C>, PageCall> {
        Again::new(Arc::clone(&self.reader), page.calls(&self.ids))
    }
}

/// What a page of a long list is to reach against one of a short one: at most one and a half times
/// the time.
pub const FLAT: f64 = 1.0 / 1.5;

/// Whether a page costs the same however long its list is: each page of the long one of these lists
/// against that of the short one, both in the store.
///
/// # Errors
///
/// When there are no lists of these lengths.
pub fn flat<'a, C: Calls<PageCall>>(
    subject: &str,
    lists: impl IntoIterator<Item = &'a List<C>>,
    [short, long]: [usize; 2],
) -> Result<Vec<Pair>> {
    let lists: Vec<_> = lists.into_iter().collect();
    let find = |length| {
        let found = lists.iter().find(|list| list.ids.len() == length);
        found.with_context(|| format!("no list of {length} to compare"))
    };
    let (near, far) = (find(short)?, find(long)?);
    let pair = |&(page, name): &(Page, &str)| {
        let name = format!("{subject}/flat/{}-{name}/{long}-{short}", near.kind.name());
        Pair::new(name, far.read(page), near.read(page)).with_goal(FLAT)
    };
    Ok(near.kind.pages().iter().map(pair).collect())
}
