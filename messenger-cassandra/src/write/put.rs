//! The rows that a version of a message brings.

use messenger_core::{LastMessage, LogKey, Message, Participants, UserId};
use scylla::SerializeRow;
use uuid::Uuid;

use super::batch::{Batch, Write, imported_at, log_change, log_import, write};
use crate::Inner;
use crate::cache::Facts;
use crate::inbox::entry::{FIRST_REVISION, HeadV1, HeadV2};
use crate::session::Db;
use crate::window::{Bucket, write_timestamp};

/// A version of a message that is to be written, and what follows from it.
pub(super) struct Put<'a> {
    db: &'a Db,
    key: LogKey,
    imported_at: Option<i64>,
    message: &'a Message,
    users: Vec<&'a UserId>,
    last: LastMessage,
    /// The bucket of the message.
    bucket: Bucket,
    /// The bucket of the log key.
    key_bucket: Bucket,
}

#[derive(SerializeRow)]
struct MessageValues<'a> {
    conversation_id: Uuid,
    bucket: i32,
    id: Uuid,
    sender_id: &'a str,
    receiver_id: &'a str,
    content: &'a str,
    timestamp: i64,
}

#[derive(SerializeRow)]
struct EditValues<'a> {
    conversation_id: Uuid,
    bucket: i32,
    id: Uuid,
    sender_id: &'a str,
    receiver_id: &'a str,
    edit: (bool, Uuid, &'a str),
    timestamp: i64,
}

#[derive(SerializeRow)]
struct ClearValues {
    conversation_id: Uuid,
    bucket: i32,
    id: Uuid,
    timestamp: i64,
}

#[derive(SerializeRow)]
struct ChangeValues {
    conversation_id: Uuid,
    bucket: i32,
    key: Uuid,
    message_id: Uuid,
    timestamp: i64,
}

#[derive(SerializeRow)]
struct BucketValues {
    conversation_id: Uuid,
    bucket: i32,
    timestamp: i64,
}

#[derive(SerializeRow)]
struct ConversationValues<'a> {
    conversation_id: Uuid,
    participants: Vec<&'a str>,
    timestamp: i64,
}

#[derive(SerializeRow)]
struct HeadValues<'a> {
    user_id: &'a str,
    conversation_id: Uuid,
    participants: Vec<&'a str>,
    last_message: HeadV2<'a>,
    key: Uuid,
    timestamp: i64,
}

#[derive(SerializeRow)]
struct VersionValues<'a> {
    user_id: &'a str,
    conversation_id: Uuid,
    participants: Vec<&'a str>,
    head: HeadV1<'a>,
    last_message: HeadV2<'a>,
    timestamp: i64,
}

impl<'a> Put<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        key: LogKey,
        message: &'a Message,
        participants: &'a Participants,
    ) -> Self {
        let db = &*inner.db;
        Self {
            db,
            key,
            imported_at: imported_at(key),
            message,
            users: participants.iter().collect(),
            last: LastMessage::of(message),
            bucket: db.windows.bucket(message.id()),
            key_bucket: db.windows.bucket(key),
        }
    }

    /// Returns whether the log key is the message's id: a send on time, or an import.
    pub(super) fn is_on_time(&self) -> bool {
        self.key == self.message.id().into()
    }

    pub(super) fn batch<'b>(&'b self, facts: &Facts) -> Batch<'b> {
        let statements = &self.db.statements;
        let mut batch = Batch::new();
        // The first statement decides which replica is asked.
        batch.push(self.message_rows());
        if !self.is_on_time() {
            batch.push(vec![write(
                &statements.insert_change,
                ChangeValues {
                    conversation_id: self.conversation(),
                    bucket: self.key_bucket.0,
                    key: self.key.as_uuid(),
                    message_id: self.message.id().as_uuid(),
                    timestamp: write_timestamp(self.key.as_micros()),
                },
            )]);
        }
        for user in &self.users {
            batch.push(self.inbox_rows(user));
        }
        if !facts.conversation {
            let values = ConversationValues {
                conversation_id: self.conversation(),
                participants: self.names(),
                timestamp: self.timestamp(),
            };
            batch.push(vec![write(&statements.insert_conversation, values)]);
        }
        if facts.bucket != Some(self.bucket) {
            let values = self.bucket_values(self.bucket, self.timestamp());
            batch.push(vec![write(&statements.insert_bucket, values)]);
        }
        if !self.is_on_time() && facts.change_bucket != Some(self.key_bucket) {
            let timestamp = write_timestamp(self.key.as_micros());
            let values = self.bucket_values(self.key_bucket, timestamp);
            batch.push(vec![write(&statements.insert_change_bucket, values)]);
        }
        batch
    }

    /// Adds what is known after the batch was acknowledged.
    pub(super) fn learn(&self, facts: &mut Facts) {
        facts.conversation = true;
        facts.bucket = Some(self.bucket);
        if !self.is_on_time() {
            facts.change_bucket = Some(self.key_bucket);
        }
    }

    /// Every version is a whole row. The first text has a cell of its own, `content`; all later
    /// versions share `edit`, where the greatest one stays.
    fn message_rows(&self) -> Vec<Write<'_>> {
        let (statements, message) = (&self.db.statements, self.message);
        let (conversation_id, bucket) = (self.conversation(), self.bucket.0);
        let id = message.id().as_uuid();
        let sender_id = message.sender_id().as_str();
        let receiver_id = message.receiver_id().as_str();
        let timestamp = self.timestamp();
        let text = message.content().map(|content| content.as_str());
        if message.is_original() {
            let values = MessageValues {
                conversation_id,
                bucket,
                id,
                sender_id,
                receiver_id,
                content: text.unwrap_or_default(),
                timestamp,
            };
            return vec![write(&statements.insert_message, values)];
        }
        let revision = message.revision().as_uuid();
        let edit = EditValues {
            conversation_id,
            bucket,
            id,
            sender_id,
            receiver_id,
            edit: (message.is_unsent(), revision, text.unwrap_or_default()),
            timestamp,
        };
        let mut rows = vec![write(&statements.insert_edit, edit)];
        if message.is_unsent() {
            // A tie would go to the text.
            let values = ClearValues {
                conversation_id,
                bucket,
                id,
                timestamp: timestamp + 1,
            };
            rows.push(write(&statements.clear_content, values));
        }
        rows
    }

    fn inbox_rows(&self, user: &'a UserId) -> Vec<Write<'_>> {
        let statements = &self.db.statements;
        let user_id = user.as_str();
        let conversation_id = self.conversation();
        let timestamp = self.timestamp();
        let mut rows = Vec::with_capacity(3);
        if self.is_on_time() && self.message.is_original() && self.db.has_only_version_2() {
            let values = HeadValues {
                user_id,
                conversation_id,
                participants: self.names(),
                last_message: self.last_message(),
                key: self.key.as_uuid(),
                timestamp,
            };
            rows.push(write(&statements.insert_head, values));
        } else {
            let version = VersionValues {
                user_id,
                conversation_id,
                participants: self.names(),
                head: self.head(),
                last_message: self.last_message(),
                timestamp,
            };
            rows.push(write(&statements.insert_version, version));
            rows.push(log_change(self.db, user_id, conversation_id, self.key));
        }
        rows.extend(self.imported_at.map(|at| log_import(self.db, user_id, at)));
        rows
    }

    /// A greater version covers up the text that a server of version 1 may have written.
    fn head(&self) -> HeadV1<'_> {
        let (id, sender) = (self.last.id().as_uuid(), self.last.sender_id().as_str());
        if self.message.is_original() {
            (id, FIRST_REVISION, sender, self.preview())
        } else {
            (id, FIRST_REVISION + 1, sender, "")
        }
    }

    fn last_message(&self) -> HeadV2<'_> {
        (
            self.last.id().as_uuid(),
            self.last.is_unsent(),
            self.last.revision().as_uuid(),
            self.last.sender_id().as_str(),
            self.preview(),
        )
    }

    fn preview(&self) -> &str {
        self.last.preview().map_or("", |preview| preview.as_str())
    }

    fn bucket_values(&self, bucket: Bucket, timestamp: i64) -> BucketValues {
        BucketValues {
            conversation_id: self.conversation(),
            bucket: bucket.0,
            timestamp,
        }
    }

    fn conversation(&self) -> Uuid {
        self.message.conversation_id().as_uuid()
    }

    fn names(&self) -> Vec<&str> {
        self.users.iter().map(|user| user.as_str()).collect()
    }

    /// ts(id).
    fn timestamp(&self) -> i64 {
        write_timestamp(self.message.id().as_micros())
    }
}
