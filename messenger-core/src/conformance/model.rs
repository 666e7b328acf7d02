//! The reference: the simplest store that keeps the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::store::{Logged, Store};
use crate::{
    Claim, Conversation, ConversationId, Error, InboxEntry, LastMessage, LogKey, Message,
    MessageId, Position, ReadMarker, Reservation, Revision, UserId,
};

/// The facts that a store was told, and the answers that follow from them.
///
/// It keeps the facts in a list and works out every answer from all of them. So the views cannot
/// disagree, and the order of the facts has no influence.
#[derive(Clone, Debug, Default)]
pub struct Model {
    versions: Vec<Logged<Message>>,
    markers: Vec<Logged<ReadMarker>>,
    reservations: Vec<Reservation>,
}

impl Model {
    /// Creates a model without facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a version of a message.
    pub fn put(&mut self, key: LogKey, message: &Message) {
        let item = message.clone();
        self.versions.push(Logged { key, item });
    }

    /// Adds a read marker.
    pub fn mark(&mut self, key: LogKey, marker: &ReadMarker) {
        let item = marker.clone();
        self.markers.push(Logged { key, item });
    }

    /// Returns the claim that holds the key: the first one.
    pub fn reserve(&mut self, reservation: &Reservation) -> Claim {
        self.reservations.push(reservation.clone());
        let mut claims = self.reservations.iter().filter(|earlier| {
            (&earlier.sender_id, &earlier.key) == (&reservation.sender_id, &reservation.key)
        });
        claims.next().map_or(reservation.claim, |first| first.claim)
    }

    /// Returns all conversations.
    pub fn conversations(&self) -> Vec<Conversation> {
        let first_of_each: BTreeMap<_, _> = self
            .versions
            .iter()
            .map(|version| (version.item.conversation_id(), &version.item))
            .collect();
        first_of_each.into_values().map(Conversation::of).collect()
    }

    /// See [`Store::users`]. In the order of their ids.
    pub fn users(&self, after: Option<&UserId>, limit: usize) -> Vec<UserId> {
        let conversations = self.conversations();
        let participants = conversations.iter().flat_map(Conversation::participants);
        let users: BTreeSet<_> = participants
            .filter(|&user| after.is_none_or(|after| user > after))
            .collect();
        users.into_iter().take(limit).cloned().collect()
    }

    /// Returns all messages of a conversation, oldest first.
    pub fn messages(&self, conversation: ConversationId) -> Vec<Message> {
        let mut greatest = BTreeMap::<MessageId, &Message>::new();
        for Logged { item, .. } in self.versions_of(conversation) {
            let shown = greatest.entry(item.id()).or_insert(item);
            if item.version() > shown.version() {
                *shown = item;
            }
        }
        greatest.into_values().cloned().collect()
    }

    /// Returns all places of a history in its log, in ascending order: each message at its id and
    /// at each log key.
    pub fn places(&self, conversation: ConversationId) -> Vec<(LogKey, MessageId)> {
        let places: BTreeSet<_> = self
            .versions_of(conversation)
            .map(|version| (version.key, version.item.id()))
            .flat_map(|(key, id)| [(id.into(), id), (key, id)])
            .collect();
        places.into_iter().collect()
    }

    /// See [`Store::message`].
    pub fn message(&self, conversation: ConversationId, id: MessageId) -> Option<Message> {
        let versions = self.versions_of(conversation).map(|version| &version.item);
        versions
            .filter(|message| message.id() == id)
            .max_by_key(|message| message.version())
            .cloned()
    }

    /// See [`Store::history`].
    pub fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Vec<Message> {
        let mut messages = self.messages(conversation);
        messages.retain(|message| is_below(message.id(), below));
        messages.into_iter().rev().take(limit).collect()
    }

    /// See [`Store::history_log`]. Returns a message at each of its places.
    pub fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Vec<Logged<Message>> {
        let places = self.places(conversation).into_iter();
        places
            .filter(|&(key, _)| Position::from(key) > above)
            .take(limit)
            .filter_map(|(key, id)| {
                let item = self.message(conversation, id)?;
                Some(Logged { key, item })
            })
            .collect()
    }

    /// See [`Store::inbox`].
    pub fn inbox(&self, user: &UserId, below: Option<Position>, limit: usize) -> Vec<InboxEntry> {
        let mut entries = self.entries(user);
        entries.retain(|entry| is_below(entry.item.place(), below));
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.item.place()));
        let entries = entries.into_iter().take(limit);
        entries.map(|entry| entry.item).collect()
    }

    /// See [`Store::inbox_log`].
    pub fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Vec<Logged<InboxEntry>> {
        let mut entries = self.entries(user);
        entries.retain(|entry| Position::from(entry.key) > above);
        entries.sort_by_key(|entry| entry.key);
        entries.truncate(limit);
        entries
    }

    /// See [`Store::entry`].
    pub fn entry(&self, user: &UserId, conversation: ConversationId) -> Option<InboxEntry> {
        let last = self.messages(conversation).pop()?;
        let up_to = |is_of: &dyn Fn(&UserId) -> bool| {
            let markers = self.markers_of(conversation).map(|marker| &marker.item);
            let markers = markers.filter(|marker| is_of(&marker.reader));
            markers.map(|marker| marker.up_to).max()
        };
        let read = up_to(&|reader| reader == user);
        let seen = up_to(&|reader| reader != user);
        let conversation = Conversation::of(&last);
        conversation
            .participants()
            .contains(user)
            .then(|| InboxEntry::new(conversation, LastMessage::of(&last)).with_markers(read, seen))
    }

    /// See [`Store::conversation`].
    pub fn conversation(&self, id: ConversationId) -> Option<Conversation> {
        let first = self.versions_of(id).next()?;
        Some(Conversation::of(&first.item))
    }

    /// See [`Store::unread`].
    pub fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> usize {
        let messages = self.messages(conversation).into_iter();
        messages
            .filter(|message| Some(Position::from(message.id())) > above)
            .filter(|message| message.sender_id() != reader && !message.is_unsent())
            .take(cap)
            .count()
    }

    /// Returns a user's entries, each with the greatest of its place and all log keys of the
    /// conversation.
    fn entries(&self, user: &UserId) -> Vec<Logged<InboxEntry>> {
        let conversations = self.conversations().into_iter();
        conversations
            .filter_map(|conversation| {
                let item = self.entry(user, conversation.id())?;
                let versions = self.versions_of(conversation.id());
                let markers = self.markers_of(conversation.id());
                let keys = versions.map(|version| version.key);
                let keys = keys.chain(markers.map(|marker| marker.key));
                let place = LogKey::from(item.last_message().id());
                let key = keys.fold(place, LogKey::max);
                Some(Logged { key, item })
            })
            .collect()
    }

    fn versions_of(&self, conversation: ConversationId) -> impl Iterator<Item = &Logged<Message>> {
        let versions = self.versions.iter();
        versions.filter(move |version| version.item.conversation_id() == conversation)
    }

    fn markers_of(
        &self,
        conversation: ConversationId,
    ) -> impl Iterator<Item = &Logged<ReadMarker>> {
        let markers = self.markers.iter();
        markers.filter(move |marker| marker.item.conversation.id() == conversation)
    }
}

fn is_below(place: impl Into<Position>, bound: Option<Position>) -> bool {
    bound.is_none_or(|bound| place.into() < bound)
}

/// The [`Model`] as a store. It is correct because it is simple, and slow: every read looks at
/// everything, which breaks rule 12.
#[derive(Debug, Default)]
pub struct ModelStore {
    model: Mutex<Model>,
}

impl ModelStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Store for ModelStore {
    async fn put(&self, key: LogKey, message: &Message) -> Result<(), Error> {
        self.model.lock().put(key, message);
        Ok(())
    }

    async fn mark(&self, key: LogKey, marker: &ReadMarker) -> Result<(), Error> {
        self.model.lock().mark(key, marker);
        Ok(())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        Ok(self.model.lock().message(conversation, id))
    }

    async fn history(
        &self,
        conversation: ConversationId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        Ok(self.model.lock().history(conversation, below, limit))
    }

    async fn history_log(
        &self,
        conversation: ConversationId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<Message>>, Error> {
        Ok(self.model.lock().history_log(conversation, above, limit))
    }

    async fn inbox(
        &self,
        user: &UserId,
        below: Option<Position>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, Error> {
        Ok(self.model.lock().inbox(user, below, limit))
    }

    async fn inbox_log(
        &self,
        user: &UserId,
        above: Position,
        limit: usize,
    ) -> Result<Vec<Logged<InboxEntry>>, Error> {
        Ok(self.model.lock().inbox_log(user, above, limit))
    }

    async fn entry(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<InboxEntry>, Error> {
        Ok(self.model.lock().entry(user, conversation))
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        Ok(self.model.lock().conversation(id))
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserId>, Error> {
        Ok(self.model.lock().users(after, limit))
    }

    async fn unread(
        &self,
        conversation: ConversationId,
        reader: &UserId,
        above: Option<Position>,
        cap: usize,
    ) -> Result<usize, Error> {
        Ok(self.model.lock().unread(conversation, reader, above, cap))
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        Ok(self.model.lock().reserve(reservation))
    }

    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }

    fn settle(&self) -> Duration {
        Duration::ZERO
    }

    fn in_flight(&self) -> Option<LogKey> {
        None
    }

    fn newest(&self) -> Option<Revision> {
        None
    }
}
