//! Reads, and what holds for them.

use crate::conformance::Failure;
use crate::conformance::client::{History, Inbox};
use crate::conformance::describe::{same, same_list};
use crate::conformance::failure::{Checked, ensure};
use crate::conformance::views::{
    conversation_agrees, inbox_agrees, inbox_log_agrees, unread_agrees,
};
use crate::store::MAX_LIMIT;
use crate::{ConversationId, HistoryQuery, Limit, Timestamp};

use super::call::{Listed, User};
use super::reader::{ListReader, Reader, walk};
use super::state::Driver;

impl Driver {
    /// Walks through a whole list.
    pub(super) async fn walk(&self, server: usize, list: Listed, limit: u64) -> Checked {
        let (server, limit) = (&self.servers[server], Limit::new(limit)?);
        match list {
            Listed::History(one, two) => {
                let list = History(self.conversation_of(one, two));
                walk(server, &list, limit, &self.tee).await
            }
            Listed::Inbox(user) => {
                let list = Inbox(self.users[user].clone());
                walk(server, &list, limit, &self.tee).await
            }
        }
    }

    /// Returns a client of a list.
    pub(super) fn client(
        &self,
        server: usize,
        list: Listed,
        limit: u64,
    ) -> Result<Box<dyn Reader>, Failure> {
        let (server, limit) = (&self.servers[server], Limit::new(limit)?);
        Ok(match list {
            Listed::History(one, two) => {
                let list = History(self.conversation_of(one, two));
                Box::new(ListReader::new(server, list, limit))
            }
            Listed::Inbox(user) => {
                let list = Inbox(self.users[user].clone());
                Box::new(ListReader::new(server, list, limit))
            }
        })
    }

    /// Reads the messages before a time: the newest ones of those that are older.
    pub(super) async fn page_before(
        &self,
        server: usize,
        (one, two): (User, User),
        millis: u64,
        limit: u64,
    ) -> Checked {
        let (conversation, limit) = (self.conversation_of(one, two), Limit::new(limit)?);
        let before = Timestamp::from_millis(millis)?;
        let query = HistoryQuery::new().with_limit(limit).with_before(before);
        let page = self.servers[server].history(conversation, query).await?;
        let mut expected = self.tee.state().model.messages(conversation);
        expected.retain(|message| message.created_at() < before);
        let older = expected.len() > limit.get();
        let newest = expected.into_iter().rev().take(limit.get());
        same_list("the page", &page.items, &newest.collect::<Vec<_>>())?;
        ensure!(
            page.next.is_some() == older,
            "the page has a `next` although nothing is older, or none although something is"
        );
        Ok(())
    }

    /// Reads what a user sees of a conversation. The number of unread messages is that of the
    /// messages that others sent, above the marker.
    pub(super) async fn entry(&self, server: usize, user: User, other: User) -> Checked {
        let (user, conversation) = (&self.users[user], self.conversation_of(user, other));
        let server = &self.servers[server];
        server.conversation(conversation).await?;
        let entry = server.entry(user, conversation).await?;
        let unread = server.unread(user, conversation).await?;
        let model = &self.tee.state().model;
        let expected = entry.map(|entry| {
            let messages = model.messages(conversation).into_iter();
            let unread = messages.filter(|message| Some(message.id()) > entry.read_up_to());
            let unread = unread.filter(|message| !message.is_unsent());
            unread.filter(|message| message.sender_id() != user).count()
        });
        let unread = unread.map(|unread| unread.count);
        same("the number of unread messages", &unread, &expected)
    }

    /// Reads every view of a conversation. The tee compares the stores with the model.
    pub(super) async fn views_of(&self, conversation: ConversationId) -> Checked {
        let model = self.tee.state().model.clone();
        let Some(conversation) = model.conversation(conversation) else {
            return Ok(());
        };
        conversation_agrees(&*self.tee, &model, &conversation).await?;
        for user in conversation.participants() {
            inbox_agrees(&*self.tee, &model, user, MAX_LIMIT).await?;
            inbox_log_agrees(&*self.tee, &model, user, MAX_LIMIT).await?;
            unread_agrees(&*self.tee, &model, conversation.id(), user, None, 1).await?;
        }
        Ok(())
    }

    /// Ends a client's walk, and lets it catch up once.
    pub(super) async fn catch_up_to_the_end(&self, client: &mut dyn Reader) -> Checked {
        let server = &self.servers[0];
        let mut left = self.tee.state().model.conversations().len() + self.log.len();
        while client.older(server).await? {
            ensure!(left > 0, "a walk towards older items does not end");
            left -= 1;
        }
        let unsent = self.tee.state().unsent.clone();
        client.catch_up(server, &unsent).await
    }
}
