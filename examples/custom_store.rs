//! A store of your own, and the conformance suite that checks it: `cargo run --example custom_store`.
//!
//! The store is a few ordered maps behind one lock. Comments name the rules of the [`Store`] contract
//! that a method has to keep.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Failed, Trial};
use messenger_core::testing::{self, Lockstep};
use messenger_core::{
    Claim, Conversation, ConversationId, Error, IdempotencyKey, Message, MessageId, Order,
    Position, Reservation, Slice, Store, UserId,
};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

/// Runs every case as a test of its own, and then generated calls that are compared with a model. The
/// flags are those of `cargo test`: a name selects cases, and `--list` shows them.
fn main() {
    let cases = testing::cases().iter().map(|case| {
        Trial::test(case.to_string(), || {
            Ok(case.run_blocking(&MapStore::default)?)
        })
    });
    let model = Trial::test("it_agrees_with_the_model", agrees_with_the_model);
    let trials = cases.chain([model]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

fn agrees_with_the_model() -> Result<(), Failed> {
    let lockstep = Lockstep::new().with_store("map", MapStore::default);
    lockstep.with_cases(50).run(&Runtime::new()?)?;
    Ok(())
}

/// One lock for everything makes each call atomic, and the rules easy to keep.
#[derive(Debug, Default)]
struct MapStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    histories: HashMap<ConversationId, BTreeMap<Position, Message>>,
    conversations: HashMap<ConversationId, Conversation>,
    /// Each user's conversations, by the position of their last message.
    inboxes: HashMap<UserId, BTreeMap<Position, ConversationId>>,
    keys: HashMap<(UserId, IdempotencyKey), Claim>,
}

#[async_trait]
impl Store for MapStore {
    /// Inserting into a map is idempotent (rule 1), and the order does not matter (rule 4).
    async fn append(&self, message: &Message) -> Result<(), Error> {
        let mut tables = self.tables.lock();
        tables
            .histories
            .entry(message.conversation_id())
            .or_default()
            .insert(message.id().into(), message.clone());
        tables.move_up(message);
        Ok(())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        let tables = self.tables.lock();
        let history = tables.histories.get(&conversation);
        Ok(history.and_then(|history| history.get(&id.into()).cloned()))
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        let tables = self.tables.lock();
        let history = tables.histories.get(&conversation);
        Ok(history.map_or_else(Vec::new, |history| cut(history, slice).cloned().collect()))
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        let tables = self.tables.lock();
        let inbox = tables.inboxes.get(user);
        Ok(inbox.map_or_else(Vec::new, |inbox| {
            cut(inbox, slice)
                .map(|id| tables.conversations[id].clone())
                .collect()
        }))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        Ok(self.tables.lock().conversations.get(&id).cloned())
    }

    /// The first claim wins (rule 9). A store for production forgets keys after a day or so.
    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        let key = (reservation.sender_id.clone(), reservation.key.clone());
        let mut tables = self.tables.lock();
        Ok(*tables.keys.entry(key).or_insert(reservation.claim))
    }

    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }

    /// No other process writes here.
    fn settle(&self) -> Duration {
        Duration::ZERO
    }
}

impl Tables {
    /// Makes this the conversation's last message, unless there is a later one (rules 5 and 6).
    fn move_up(&mut self, message: &Message) {
        let id = message.conversation_id();
        let last = self
            .conversations
            .get(&id)
            .map(|old| old.last_message().id());
        if last >= Some(message.id()) {
            return;
        }
        let conversation = Conversation::of(message);
        for user in conversation.participants() {
            let inbox = self.inboxes.entry(user.clone()).or_default();
            if let Some(last) = last {
                inbox.remove(&last.into());
            }
            inbox.insert(message.id().into(), id);
        }
        self.conversations.insert(id, conversation);
    }
}

/// Returns a slice of an ordered map: both bounds are exclusive (rule 3), and it reads no more than
/// it returns (rule 12).
fn cut<T>(map: &BTreeMap<Position, T>, slice: Slice) -> impl Iterator<Item = &T> {
    let bound = |position: Option<Position>| position.map_or(Bound::Unbounded, Bound::Excluded);
    let (above, below) = (bound(slice.above), bound(slice.below));
    let mut rows = is_possible(slice).then(|| map.range((above, below)));
    let next = move || match slice.order {
        Order::NewestFirst => rows.as_mut()?.next_back(),
        Order::OldestFirst => rows.as_mut()?.next(),
    };
    std::iter::from_fn(next)
        .take(slice.limit)
        .map(|(_, row)| row)
}

/// Returns whether anything can lie between the bounds; otherwise `BTreeMap::range` panics.
fn is_possible(slice: Slice) -> bool {
    match (slice.above, slice.below) {
        (Some(above), Some(below)) => above < below,
        _ => true,
    }
}
