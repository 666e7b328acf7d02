//! A store that makes one mistake, and is right in all else.
//!
//! It wraps the memory store. What it does wrong it does to what that answers, or beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Claim, Conversation, ConversationId, Error, ErrorKind, IdempotencyKey, LastMessage, Message,
    MessageId, Participants, Preview, Reservation, Slice, Store, UserId,
};
use messenger_memory::MemoryStore;
use parking_lot::Mutex;

use crate::distort::{self, Placed};
use crate::mistake::Mistake;

#[derive(Debug)]
pub(crate) struct Broken {
    mistake: Option<Mistake>,
    /// What all clients of the data share.
    data: Arc<Data>,
    /// What this client remembers.
    cache: Mutex<HashMap<ConversationId, Conversation>>,
}

#[derive(Debug, Default)]
pub(crate) struct Data {
    store: MemoryStore,
    notes: Mutex<Notes>,
    arrivals: AtomicU64,
}

/// What mistakes need to know beside the messages.
#[derive(Debug, Default)]
struct Notes {
    appended_again: HashSet<MessageId>,
    senders: HashSet<(ConversationId, UserId)>,
    heads: HashMap<ConversationId, Conversation>,
    previews: HashMap<ConversationId, Preview>,
    rows: BTreeMap<(UserId, ConversationId, u64), Conversation>,
    arrived: HashMap<ConversationId, u64>,
    unfinished: HashSet<MessageId>,
    listed: HashMap<ConversationId, BTreeSet<MessageId>>,
    claims: HashMap<(Option<UserId>, String), Claim>,
    found_by_id: HashMap<MessageId, Message>,
    newest: Option<MessageId>,
}

impl Broken {
    /// A client of this data.
    pub(crate) fn over(mistake: Option<Mistake>, data: Arc<Data>) -> Self {
        Self {
            mistake,
            data,
            cache: Mutex::default(),
        }
    }

    fn store(&self) -> &MemoryStore {
        &self.data.store
    }

    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// The whole history, oldest first.
    async fn whole_history(&self, conversation: ConversationId) -> Result<Vec<Message>, Error> {
        self.store().history(conversation, distort::WHOLE).await
    }

    /// The whole inbox, oldest first.
    async fn whole_inbox(&self, user: &UserId) -> Result<Vec<Conversation>, Error> {
        self.store().inbox(user, distort::WHOLE).await
    }

    /// Who a claim is filed under.
    fn claim_name(&self, sender: &UserId, key: &IdempotencyKey) -> (Option<UserId>, String) {
        let sender = (!self.makes(Mistake::KeysOfAllSendersShared)).then(|| sender.clone());
        let key = if self.makes(Mistake::KeysWithoutCase) {
            key.as_str().to_lowercase()
        } else {
            key.as_str().to_owned()
        };
        (sender, key)
    }

    /// What an append leaves beside the message, before or after it is stored.
    fn note(&self, message: &Message) {
        let mut notes = self.data.notes.lock();
        let id = message.conversation_id();
        let conversation = Conversation::of(message);
        let arrival = self.data.arrivals.fetch_add(1, Ordering::Relaxed);
        notes.senders.insert((id, message.sender_id().clone()));
        notes.arrived.insert(id, arrival);
        notes.found_by_id.insert(message.id(), message.clone());
        for user in [message.sender_id(), message.receiver_id()] {
            let row = (user.clone(), id, distort::epoch(message.id()));
            let kept = notes
                .rows
                .entry(row)
                .or_insert_with(|| conversation.clone());
            if kept.last_message().id() < message.id() {
                *kept = conversation.clone();
            }
        }
        let before = notes.heads.insert(id, conversation);
        if let Some(before) = before {
            let preview = before.last_message().preview().clone();
            notes.previews.insert(id, preview);
        }
    }
}

#[async_trait]
impl Store for Broken {
    async fn append(&self, message: &Message) -> Result<(), Error> {
        let conversation = message.conversation_id();
        let known = self.store().message(conversation, message.id()).await?;
        if known.is_some() {
            self.data.notes.lock().appended_again.insert(message.id());
        }
        self.note(message);
        match self.mistake {
            Some(Mistake::AcknowledgedBeforeItShows) => {
                let (data, message) = (Arc::clone(&self.data), message.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    data.store.append(&message).await
                });
                return Ok(());
            }
            Some(Mistake::LongContentCut) => {
                return self.store().append(&distort::cut(message)?).await;
            }
            Some(Mistake::WhiteSpaceTrimmed) => {
                return self.store().append(&distort::trimmed(message)?).await;
            }
            Some(Mistake::OlderMessagesRefused) => {
                let head = self.store().conversation(conversation).await?;
                if head.is_some_and(|head| head.last_message().id() > message.id()) {
                    return Ok(());
                }
            }
            Some(Mistake::HalfAnAppendWhenDropped) => {
                self.store().append(message).await?;
                self.data.notes.lock().unfinished.insert(message.id());
                tokio::task::yield_now().await;
                self.data.notes.lock().unfinished.remove(&message.id());
                return Ok(());
            }
            Some(Mistake::HeadLostInARace) => {
                let read = self.cached(conversation);
                tokio::task::yield_now().await;
                if read.is_none_or(|read| read.last_message().id() < message.id()) {
                    let head = Conversation::of(message);
                    self.cache.lock().insert(conversation, head);
                }
            }
            Some(Mistake::HistoryLostInARace) => {
                let mut listed = self.listed(conversation);
                tokio::task::yield_now().await;
                listed.insert(message.id());
                self.data.notes.lock().listed.insert(conversation, listed);
            }
            Some(Mistake::LateIdsTakenForKnown) => {
                // "Ids only grow": what is smaller than the greatest so far is taken as known.
                let mut notes = self.data.notes.lock();
                if notes.newest.is_some_and(|newest| {
                    newest > message.id()
                        && newest.created_at().as_millis() - message.created_at().as_millis() < 100
                }) {
                    return Ok(());
                }
                notes.newest = notes.newest.max(Some(message.id()));
            }
            _ => {}
        }
        self.store().append(message).await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        if self.makes(Mistake::MessageFoundInAnyConversation) {
            return Ok(self.data.notes.lock().found_by_id.get(&id).cloned());
        }
        self.store().message(conversation, id).await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        let mistake = match self.mistake {
            Some(Mistake::UnknownConversationIsAnError) => {
                if self.store().conversation(conversation).await?.is_none() {
                    return Err(Error::new(ErrorKind::NotFound, "no such conversation"));
                }
                return self.store().history(conversation, slice).await;
            }
            Some(mistake) if distort::in_history(mistake) => mistake,
            _ => return self.store().history(conversation, slice).await,
        };
        let mut whole = self.whole_history(conversation).await?;
        let notes = self.data.notes.lock();
        if mistake == Mistake::AppendedTwiceShowsTwice {
            whole = whole
                .into_iter()
                .flat_map(|message| {
                    let twice = notes.appended_again.contains(&message.id());
                    vec![message; if twice { 2 } else { 1 }]
                })
                .collect();
        }
        if mistake == Mistake::HistoryLostInARace {
            let listed = notes.listed.get(&conversation).cloned().unwrap_or_default();
            whole.retain(|message| listed.contains(&message.id()));
        }
        Ok(distort::slice(mistake, whole, slice))
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        let mistake = match self.mistake {
            Some(mistake) if distort::in_inbox(mistake) => mistake,
            _ => return self.store().inbox(user, slice).await,
        };
        let mut whole = self.whole_inbox(user).await?;
        let notes = self.data.notes.lock();
        match mistake {
            Mistake::ReceiversInboxForgotten => whole
                .retain(|conversation| notes.senders.contains(&(conversation.id(), user.clone()))),
            Mistake::PreviewOfTheMessageBefore => {
                for conversation in &mut whole {
                    *conversation = notes.with_preview_before(conversation.clone());
                }
            }
            Mistake::LastWriteIsTheHead => {
                for conversation in &mut whole {
                    let head = notes.heads.get(&conversation.id());
                    *conversation = head.unwrap_or(conversation).clone();
                }
                whole.sort_by_key(Placed::position);
            }
            Mistake::InboxByArrival => {
                whole.sort_by_key(|conversation| notes.arrived.get(&conversation.id()).copied());
            }
            Mistake::AppendedAgainMovesUp => whole.sort_by_key(|conversation| {
                let id = conversation.last_message().id();
                let again = notes.appended_again.contains(&id);
                let arrived = notes.arrived.get(&conversation.id()).copied();
                (again.then_some(arrived), id)
            }),
            Mistake::StaleInboxRowsStay => {
                let rows = notes.rows.iter().filter(|((of, ..), _)| of == user);
                whole = rows.map(|(_, conversation)| conversation.clone()).collect();
                whole.sort_by_key(Placed::position);
            }
            Mistake::InboxTiesByConversation => whole.sort_by_key(|conversation| {
                (conversation.last_message().created_at(), conversation.id())
            }),
            Mistake::HalfAnAppendWhenDropped => whole.retain(|conversation| {
                !notes.unfinished.contains(&conversation.last_message().id())
            }),
            _ => {}
        }
        Ok(distort::slice(mistake, whole, slice))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let found = self.store().conversation(id).await?;
        Ok(match self.mistake {
            Some(Mistake::CacheThatMissesOtherWriters) => found.map(|found| {
                let mut cache = self.cache.lock();
                cache.entry(id).or_insert(found).clone()
            }),
            Some(Mistake::LastWriteIsTheHead) => self.data.notes.lock().heads.get(&id).cloned(),
            Some(Mistake::PreviewOfTheMessageBefore) => {
                found.map(|found| self.data.notes.lock().with_preview_before(found))
            }
            Some(Mistake::HeadLostInARace) => self.cached(id),
            Some(Mistake::UnknownConversationIsEmptyOne) => {
                Some(found.map_or_else(|| distort::nobodys(id), Ok)?)
            }
            Some(Mistake::UnknownConversationIsAnError) if found.is_none() => {
                return Err(Error::new(ErrorKind::NotFound, "no such conversation"));
            }
            _ => found,
        })
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        let name = self.claim_name(&reservation.sender_id, &reservation.key);
        match self.mistake {
            Some(Mistake::LastClaimWins) => {
                let mut notes = self.data.notes.lock();
                notes.claims.insert(name, reservation.claim);
                Ok(reservation.claim)
            }
            Some(Mistake::ClaimsRace) => {
                let held = self.data.notes.lock().claims.get(&name).copied();
                tokio::task::yield_now().await;
                if let Some(held) = held {
                    return Ok(held);
                }
                let mut notes = self.data.notes.lock();
                notes.claims.insert(name, reservation.claim);
                Ok(reservation.claim)
            }
            Some(Mistake::KeysOfAllSendersShared | Mistake::KeysWithoutCase) => {
                let mut notes = self.data.notes.lock();
                Ok(*notes.claims.entry(name).or_insert(reservation.claim))
            }
            _ => self.store().reserve(reservation).await,
        }
    }

    async fn health(&self) -> Result<(), Error> {
        self.store().health().await
    }

    fn settle(&self) -> Duration {
        match self.mistake {
            Some(Mistake::CacheThatMissesOtherWriters) => Duration::from_secs(1),
            _ => Duration::ZERO,
        }
    }
}

impl Broken {
    fn cached(&self, id: ConversationId) -> Option<Conversation> {
        self.cache.lock().get(&id).cloned()
    }

    fn listed(&self, id: ConversationId) -> BTreeSet<MessageId> {
        let notes = self.data.notes.lock();
        notes.listed.get(&id).cloned().unwrap_or_default()
    }
}

impl Notes {
    fn with_preview_before(&self, conversation: Conversation) -> Conversation {
        let Some(preview) = self.previews.get(&conversation.id()) else {
            return conversation;
        };
        let last = conversation.last_message();
        let [one, other] = conversation.participants() else {
            return conversation;
        };
        Conversation::from_parts(
            conversation.id(),
            Participants::direct(one.clone(), other.clone()),
            LastMessage::from_parts(last.id(), last.sender_id().clone(), preview.clone()),
        )
    }
}
