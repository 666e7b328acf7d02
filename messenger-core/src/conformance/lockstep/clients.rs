//! Clients that walk a list, catch up with it, and must have everything in the end.

use crate::MessageId;
use crate::store::Order;
use crate::testing::Failure;
use crate::testing::check::{Brief, read_all};
use crate::testing::client::{Client, History, Inbox};
use crate::testing::failure::{Verdict, ensure};

use super::play::Play;
use super::script::{Label, Listed};
/// A client that catches up, and the imports that came after it began.
pub(super) struct Follower {
    client: AnyClient,
    pub(super) imported: Vec<MessageId>,
}

enum AnyClient {
    History(Client<History>),
    Inbox(Client<Inbox>),
}

impl Play {
    pub(super) async fn follow(
        &mut self,
        label: Label,
        list: Listed,
        limit: u64,
    ) -> Result<String, Failure> {
        let messenger = &self.messenger;
        let client = match list {
            Listed::History(one, two) => {
                let list = History(self.conversation_of(one, two));
                let mut client = Client::new(messenger, list, limit)?;
                let next = client.open().await?;
                client.walk(next).await?;
                AnyClient::History(client)
            }
            Listed::Inbox(user) => {
                let mut client = Client::new(messenger, Inbox(self.users[user].clone()), limit)?;
                let next = client.open().await?;
                client.walk(next).await?;
                AnyClient::Inbox(client)
            }
        };
        let imported = Vec::new();
        self.clients.insert(label, Follower { client, imported });
        Ok(String::new())
    }

    pub(super) async fn catch_up(&mut self, label: Label) -> Result<String, Failure> {
        match self.clients.get_mut(&label) {
            None => return Ok("it never walked".into()),
            Some(follower) => follower.client.catch_up().await?,
        }
        Ok(String::new())
    }

    /// A client that walked and caught up has all but what was imported since.
    pub(super) fn is_complete(&self, label: Label) -> Verdict {
        let Some(Follower { client, imported }) = self.clients.get(&label) else {
            return Ok(());
        };
        let model = self.fan.model.lock();
        match client {
            AnyClient::History(client) => {
                let whole = read_all(
                    |slice| model.history(client.list.0, slice),
                    Order::NewestFirst,
                );
                for message in whole {
                    ensure!(
                        client.has(message.id()) || imported.contains(&message.id()),
                        "has walked and caught up, and has missed {}",
                        message.brief()
                    );
                }
            }
            AnyClient::Inbox(client) => {
                let whole = read_all(
                    |slice| model.inbox(&client.list.0, slice),
                    Order::NewestFirst,
                );
                for conversation in whole {
                    let last = conversation.last_message().id();
                    let seen = client.seen.get(&conversation.id().as_uuid());
                    ensure!(
                        seen == Some(&conversation) || imported.contains(&last),
                        "has walked and caught up, and has missed {}",
                        conversation.brief()
                    );
                }
            }
        }
        Ok(())
    }
}

impl AnyClient {
    async fn catch_up(&mut self) -> Verdict {
        match self {
            Self::History(client) => client.catch_up().await.map(drop),
            Self::Inbox(client) => client.catch_up().await.map(drop),
        }
    }
}
