//! One store that is many: each call goes to every store and to the model, and they must agree.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::store::Slice;
use crate::testing::check::{self, same, same_list};
use crate::testing::failure::Verdict;
use crate::testing::{Failure, Model};
use crate::{
    Claim, Conversation, ConversationId, Error, ErrorKind, Message, MessageId, Reservation, Store,
    UserId,
};

/// A store under test.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) store: Arc<dyn Store>,
    /// A second client of the data of another store: it reads what that one has written.
    pub(super) reads_only: bool,
}

#[derive(Debug)]
pub(super) struct Fan {
    stores: Vec<Named>,
    pub(super) model: Mutex<Model>,
    disagreement: Mutex<Option<Failure>>,
}

impl Fan {
    pub(super) fn new(stores: Vec<Named>) -> Self {
        Self {
            stores,
            model: Mutex::new(Model::new()),
            disagreement: Mutex::new(None),
        }
    }

    /// The first disagreement, once.
    pub(super) fn disagreement(&self) -> Option<Failure> {
        self.disagreement.lock().take()
    }

    fn judge(&self, named: &Named, verdict: Verdict) -> Result<(), Error> {
        verdict.map_err(|failure| {
            let failure = failure.during(format!("store `{}`", named.name));
            self.disagreement.lock().get_or_insert(failure);
            Error::new(ErrorKind::Internal, "the stores disagree")
        })
    }

    fn writers(&self) -> impl Iterator<Item = &Named> {
        self.stores.iter().filter(|named| !named.reads_only)
    }
}

#[async_trait]
impl Store for Fan {
    async fn append(&self, message: &Message) -> Result<(), Error> {
        for named in self.writers() {
            let answer = named.store.append(message).await;
            self.judge(named, answer.map_err(Failure::from))?;
        }
        self.model.lock().append(message);
        Ok(())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let expected = self.model.lock().message(conversation, id);
        for named in &self.stores {
            let answer = named.store.message(conversation, id).await;
            let verdict = answer
                .map_err(Failure::from)
                .and_then(|got| same("a message by its id", &got, &expected));
            self.judge(named, verdict)?;
        }
        Ok(expected)
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        let expected = self.model.lock().history(conversation, slice);
        for named in &self.stores {
            let answer = named.store.history(conversation, slice).await;
            let verdict = answer.map_err(Failure::from).and_then(|got| {
                same_list(
                    &format!("a history ({})", check::slice(slice)),
                    &got,
                    &expected,
                )
            });
            self.judge(named, verdict)?;
        }
        Ok(expected)
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        let expected = self.model.lock().inbox(user, slice);
        for named in &self.stores {
            let answer = named.store.inbox(user, slice).await;
            let verdict = answer.map_err(Failure::from).and_then(|got| {
                same_list(
                    &format!("an inbox ({})", check::slice(slice)),
                    &got,
                    &expected,
                )
            });
            self.judge(named, verdict)?;
        }
        Ok(expected)
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let expected = self.model.lock().conversation(id);
        for named in &self.stores {
            let answer = named.store.conversation(id).await;
            let verdict = answer
                .map_err(Failure::from)
                .and_then(|got| same("a conversation", &got, &expected));
            self.judge(named, verdict)?;
        }
        Ok(expected)
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        let expected = self.model.lock().reserve(reservation);
        for named in &self.stores {
            let answer = named.store.reserve(reservation).await;
            let verdict = answer.map_err(Failure::from).and_then(|got| {
                if got == expected {
                    return Ok(());
                }
                Err(Failure::new(format!(
                    "a claim to a key was told that it is held for {}, and it is held for {}",
                    got.message_id, expected.message_id
                )))
            });
            self.judge(named, verdict)?;
        }
        Ok(expected)
    }

    async fn health(&self) -> Result<(), Error> {
        for named in &self.stores {
            named.store.health().await?;
        }
        Ok(())
    }

    fn settle(&self) -> Duration {
        let settle = self.stores.iter().map(|named| named.store.settle());
        settle.max().unwrap_or_default()
    }
}
