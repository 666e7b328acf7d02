//! Reads: each answer is compared with what it must be.

use crate::cursor::Position;
use crate::id::Ticks;
use crate::store::Order;
use crate::testing::Failure;
use crate::testing::check::{Brief, read_all, same, same_list};
use crate::testing::client::over_the_wire;
use crate::testing::failure::ensure;
use crate::walk::Placed;
use crate::{
    Cursor, HistoryQuery, InboxQuery, Limit, MessageId, Page, Store as _, Subject, Timestamp,
};

use super::paging::{self, Expected, Mark};
use super::play::Play;
use super::script::{From, Label, Listed, Who};
/// The cursors of a page that was read, and where they must lead.
pub(super) struct Turned {
    pub(super) next: Option<(Cursor, Mark)>,
    pub(super) prev: (Cursor, Mark),
}

impl Play {
    /// Up to where a read that starts now sees all that there will ever be.
    pub(super) fn settled(&self) -> Position {
        let first = self.in_flight.values().map(|sending| sending.message.id());
        let here = match first.min() {
            Some(first) => Position::from(first).pred(),
            None => {
                let now = Ticks::start_of(self.time.now());
                let made = self.greatest.map_or(now, MessageId::ticks);
                Position::end_of(now.max(made))
            }
        };
        let settle = self.fan.settle();
        if settle.is_zero() {
            return here;
        }
        let elsewhere = self.time.now().saturating_sub(settle);
        here.min(Position::start_of(elsewhere).pred())
    }

    pub(super) async fn page(
        &mut self,
        label: Label,
        list: Listed,
        from: From,
        limit: u64,
        before: Option<u64>,
    ) -> Result<String, Failure> {
        let from = match from {
            From::Start => None,
            From::Next(page) => match self.pages.get(&page).and_then(|page| page.next) {
                None => return Ok("there is nothing older".into()),
                next => next,
            },
            From::Prev(page) => match self.pages.get(&page) {
                None => return Ok("there was no such page".into()),
                Some(page) => Some(page.prev),
            },
        };
        let cursor = from.map(|(cursor, _)| over_the_wire(cursor)).transpose()?;
        let mark = from.map(|(_, mark)| mark);
        let limit = Limit::new(limit)?;
        let settled = self.settled();
        let (turned, answer) = match list {
            Listed::History(one, two) => {
                let conversation = self.conversation_of(one, two);
                let before = before.map(Timestamp::from_millis).transpose()?;
                let query = HistoryQuery::new()
                    .with_limit(limit)
                    .with_cursor(cursor)
                    .with_before(before);
                let page = self.messenger.history(conversation, query).await?;
                let whole = {
                    let model = self.fan.model.lock();
                    read_all(
                        |slice| model.history(conversation, slice),
                        Order::NewestFirst,
                    )
                };
                let before = before.map(Position::start_of);
                let expected = paging::page(&whole, mark, limit.get(), before, settled);
                (turned(&page, &expected)?, self.brief(&page))
            }
            Listed::Inbox(user) => {
                let user = self.users[user].clone();
                let query = InboxQuery::new().with_limit(limit).with_cursor(cursor);
                let page = self.messenger.inbox(&user, query).await?;
                let whole = {
                    let model = self.fan.model.lock();
                    read_all(|slice| model.inbox(&user, slice), Order::NewestFirst)
                };
                let expected = paging::page(&whole, mark, limit.get(), None, settled);
                (turned(&page, &expected)?, self.brief(&page))
            }
        };
        self.pages.insert(label, turned);
        Ok(answer)
    }

    pub(super) fn brief<T: Placed>(&self, page: &Page<T>) -> String {
        let items: Vec<_> = page
            .items
            .iter()
            .map(|item| {
                let labels = self.labels.iter();
                let label = labels
                    .filter(|(id, _)| Position::from(**id) == item.position())
                    .map(|(_, label)| label.as_str());
                label.last().unwrap_or("?")
            })
            .collect();
        let more = if page.next.is_some() { ", more" } else { "" };
        format!("[{}]{more}", items.join(" "))
    }

    pub(super) async fn stray(&mut self, page: Label, list: Listed) -> Result<String, Failure> {
        let Some(page) = self.pages.get(&page) else {
            return Ok("there was no such page".into());
        };
        let next = page.next.map(|(cursor, _)| cursor);
        for cursor in [Some(page.prev.0), next].into_iter().flatten() {
            let cursor = over_the_wire(cursor)?;
            let error = match list {
                Listed::History(one, two) => {
                    let query = HistoryQuery::new().with_cursor(cursor);
                    let conversation = self.conversation_of(one, two);
                    self.messenger.history(conversation, query).await.err()
                }
                Listed::Inbox(user) => {
                    let query = InboxQuery::new().with_cursor(cursor);
                    self.messenger.inbox(&self.users[user], query).await.err()
                }
            };
            ensure!(
                error.as_ref().and_then(crate::Error::subject) == Some(Subject::CursorScope),
                "a cursor of another list was not refused: {error:?}"
            );
        }
        Ok("refused".into())
    }

    pub(super) async fn message(
        &mut self,
        of: Label,
        one: Who,
        two: Who,
    ) -> Result<String, Failure> {
        let Some(message) = self.messages.get(&of) else {
            return Ok("it was never made".into());
        };
        let conversation = self.conversation_of(one, two);
        let got = self.messenger.message(conversation, message.id()).await?;
        let expected = self.fan.model.lock().message(conversation, message.id());
        same("the message", &got, &expected)?;
        Ok(if got.is_some() { "there" } else { "not there" }.into())
    }

    pub(super) async fn conversation(&mut self, one: Who, two: Who) -> Result<String, Failure> {
        let id = self.conversation_of(one, two);
        let got = self.messenger.conversation(id).await?;
        let expected = self.fan.model.lock().conversation(id);
        same("the conversation", &got, &expected)?;
        Ok(if got.is_some() { "there" } else { "not there" }.into())
    }
}

/// Compares a page with what it must be, and keeps its cursors.
fn turned<T: Placed + Brief + PartialEq>(
    page: &Page<T>,
    expected: &Expected<T>,
) -> Result<Turned, Failure> {
    same_list("the page", &page.items, &expected.items)?;
    let next = match (page.next, expected.next) {
        (Some(cursor), Some(mark)) => Some((cursor, mark)),
        (None, None) => None,
        (Some(_), None) => return Err(Failure::new("the page has a `next`, and nothing is older")),
        (None, Some(_)) => return Err(Failure::new("the page has no `next`, and there is more")),
    };
    Ok(Turned {
        next,
        prev: (page.prev, expected.prev),
    })
}
