//! The rows of a message, as the statements bind them.

use messenger_core::{Content, LastMessage, LogKey, Message, Position, Preview};
use uuid::Uuid;

/// The default windows of a schema, in milliseconds.
const BUCKET: u64 = 10 * 24 * 3600 * 1000;
pub(super) const EPOCH: u64 = 6 * 3600 * 1000;

/// The rows of a message.
pub(super) struct Rows<'a> {
    message: &'a Message,
    last: LastMessage,
    pub(super) id: Uuid,
    pub(super) users: [&'a str; 2],
}

/// Message id, whether it is unsent, revision, sender and preview.
pub(super) type Last<'a> = (Uuid, bool, Uuid, &'a str, &'a str);

/// Message id, the number of the version, sender and preview.
pub(super) type First<'a> = (Uuid, i32, &'a str, &'a str);

impl<'a> Rows<'a> {
    pub(super) fn new(message: &'a Message) -> Self {
        let mut users = [message.sender_id().as_str(), message.receiver_id().as_str()];
        users.sort_unstable();
        Self {
            message,
            last: LastMessage::of(message),
            id: message.conversation_id().as_uuid(),
            users,
        }
    }

    fn timestamp(&self) -> i64 {
        micros(self.message.id())
    }

    pub(super) fn message(&self) -> (Uuid, i32, Uuid, &str, &str, &str, i64) {
        (
            self.id,
            bucket(self.message.id()),
            self.message.id().as_uuid(),
            self.message.sender_id().as_str(),
            self.message.receiver_id().as_str(),
            self.message.content().map_or("", Content::as_str),
            self.timestamp(),
        )
    }

    pub(super) fn head<'b>(
        &'b self,
        user: &'b str,
    ) -> (&'b str, Uuid, &'b [&'b str], Last<'b>, Uuid, Uuid, i64) {
        let id = self.last.id().as_uuid();
        let last = (
            id,
            self.last.is_unsent(),
            self.last.revision().as_uuid(),
            self.last.sender_id().as_str(),
            self.last.preview().map_or("", Preview::as_str),
        );
        (user, self.id, &self.users, last, id, id, self.timestamp())
    }

    /// Returns the cells of an edited message.
    pub(super) fn edit(&self) -> (Uuid, i32, Uuid, &str, &str, (bool, Uuid, &str), i64) {
        let (id, bucket, message, sender, receiver, text, timestamp) = self.message();
        let edit = (false, self.message.revision().as_uuid(), text);
        (id, bucket, message, sender, receiver, edit, timestamp)
    }

    /// Returns the log key of an edited message in an inbox.
    pub(super) fn logged<'b>(&self, user: &'b str) -> Logged<'b> {
        logged(LogKey::from(self.message.revision()), user, self.id)
    }

    /// Returns the row of a message in the log of its conversation.
    pub(super) fn change(&self) -> (Uuid, i32, Uuid, Uuid, i64) {
        let key = LogKey::from(self.message.revision());
        let message = self.message.id().as_uuid();
        (self.id, bucket(key), key.as_uuid(), message, micros(key))
    }

    /// Returns the cells of an edited message in an inbox. Servers of version 1 read the third.
    pub(super) fn version<'b>(
        &'b self,
        user: &'b str,
    ) -> (&'b str, Uuid, &'b [&'b str], First<'b>, Last<'b>, i64) {
        let (user, id, users, last, ..) = self.head(user);
        let first = (last.0, 1, last.3, "");
        (user, id, users, first, last, self.timestamp())
    }

    pub(super) fn conversation(&self) -> (Uuid, &[&str], i64) {
        (self.id, &self.users, self.timestamp())
    }

    pub(super) fn bucket(&self) -> (Uuid, i32, i64) {
        (self.id, bucket(self.message.id()), self.timestamp())
    }

    /// Returns the row of an inbox's recency. Its timestamp is the start of its epoch.
    pub(super) fn recency<'b>(&self, user: &'b str) -> (&'b str, i32, Uuid, i64) {
        let epoch = epoch(self.message.id());
        let start = i64::from(epoch) * EPOCH as i64 * 1000;
        (user, epoch, self.id, start)
    }
}

/// A log key, twice, its timestamp between them and the row: user and conversation.
pub(super) type Logged<'a> = (i64, Uuid, Uuid, &'a str, Uuid);

/// Returns a log key in an inbox.
pub(super) fn logged(key: LogKey, user: &str, conversation: Uuid) -> Logged<'_> {
    let id = key.as_uuid();
    (micros(key), id, id, user, conversation)
}

/// Returns the timestamp of a write at a position.
pub(super) fn micros(position: impl Into<LogKey>) -> i64 {
    position.into().as_micros() as i64
}

pub(super) fn bucket(position: impl Into<Position>) -> i32 {
    window(position.into(), BUCKET)
}

pub(super) fn epoch(position: impl Into<Position>) -> i32 {
    window(position.into(), EPOCH)
}

/// Returns the number of the window that contains a position.
fn window(position: Position, millis: u64) -> i32 {
    (position.timestamp().as_millis() / millis) as i32
}
