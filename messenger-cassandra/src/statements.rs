//! All CQL of the running store, prepared once.
//!
//! Every statement names its keyspace (there is no `USE`) and binds the whole partition
//! key, so that the driver sends it to a replica. Every one may be executed twice. Every write except
//! the transaction carries its timestamp. Values are bound by name.

use futures_util::future::try_join_all;
use messenger_core::Error;
use scylla::client::execution_profile::ExecutionProfileHandle;
use scylla::statement::prepared::PreparedStatement;

use crate::session::Client;

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $cql:expr;)*) => {
        /// The prepared statements. `{}` in the CQL is the keyspace.
        #[derive(Debug)]
        pub(crate) struct Statements {
            $($(#[$doc])* pub(crate) $name: PreparedStatement,)*
        }

        impl Statements {
            /// Prepares all of them, at the same time.
            pub(crate) async fn prepare(client: &Client, keyspace: &str) -> Result<Self, Error> {
                let cql = [$($cql),*].map(|cql| cql.replace("{}", keyspace));
                let prepared = try_join_all(cql.into_iter().map(|cql| client.prepare(cql))).await?;
                let mut prepared = prepared.into_iter();
                // As many as there are fields: both come from one list.
                let mut next = || prepared.next().ok_or_else(too_few);
                Ok(Self { $($name: next()?,)* })
            }
        }
    };
}

/// The columns of a message. They are read together, so that a read repairs them together.
macro_rules! message {
    () => {
        "SELECT id, sender_id, receiver_id, content, edit FROM {}.messages \
         WHERE conversation_id = :conversation_id AND bucket = :bucket"
    };
}

/// The columns of an inbox entry. Every read of one selects the static columns too: see `inbox`.
macro_rules! entry {
    () => {
        "SELECT conversation_id, participants, head, last_message, read_up_to, seen_up_to, \
         changed, latest, imported FROM {}.inbox_heads WHERE user_id = :user_id"
    };
}

/// The rows of an index that lie after a row, in either direction.
macro_rules! index {
    ($table:literal, $after:literal, $order:literal) => {
        concat!(
            "SELECT epoch, conversation_id FROM {}.",
            $table,
            " WHERE user_id = :user_id AND (epoch, conversation_id) ",
            $after,
            " (:epoch, :conversation_id) ORDER BY epoch ",
            $order,
            ", conversation_id ",
            $order,
            " LIMIT :count"
        )
    };
}

statements! {
    insert_message = "INSERT INTO {}.messages \
        (conversation_id, bucket, id, sender_id, receiver_id, content) \
        VALUES (:conversation_id, :bucket, :id, :sender_id, :receiver_id, :content) \
        USING TIMESTAMP :timestamp";
    insert_edit = "INSERT INTO {}.messages \
        (conversation_id, bucket, id, sender_id, receiver_id, edit) \
        VALUES (:conversation_id, :bucket, :id, :sender_id, :receiver_id, :edit) \
        USING TIMESTAMP :timestamp";
    clear_content = "UPDATE {}.messages USING TIMESTAMP :timestamp SET content = '' \
        WHERE conversation_id = :conversation_id AND bucket = :bucket AND id = :id";
    insert_change = "INSERT INTO {}.message_changes (conversation_id, bucket, key, message_id) \
        VALUES (:conversation_id, :bucket, :key, :message_id) USING TIMESTAMP :timestamp";
    insert_bucket = "INSERT INTO {}.message_buckets (conversation_id, bucket) \
        VALUES (:conversation_id, :bucket) USING TIMESTAMP :timestamp";
    insert_change_bucket = "INSERT INTO {}.change_buckets (conversation_id, bucket) \
        VALUES (:conversation_id, :bucket) USING TIMESTAMP :timestamp";
    insert_conversation = "INSERT INTO {}.conversations (conversation_id, participants) \
        VALUES (:conversation_id, :participants) USING TIMESTAMP :timestamp";

    /// A message that was sent on time: everything in its row has one timestamp.
    insert_head = "INSERT INTO {}.inbox_heads \
        (user_id, conversation_id, participants, last_message, changed, latest) \
        VALUES (:user_id, :conversation_id, :participants, :last_message, :key, :key) \
        USING TIMESTAMP :timestamp";
    /// Any version of a message, also for servers of version 1. `log_change` goes with it.
    insert_version = "INSERT INTO {}.inbox_heads \
        (user_id, conversation_id, participants, head, last_message) \
        VALUES (:user_id, :conversation_id, :participants, :head, :last_message) \
        USING TIMESTAMP :timestamp";
    log_change = "UPDATE {}.inbox_heads USING TIMESTAMP :timestamp \
        SET changed = :key, latest = :key \
        WHERE user_id = :user_id AND conversation_id = :conversation_id";
    log_import = "UPDATE {}.inbox_heads USING TIMESTAMP :timestamp SET imported = :timestamp \
        WHERE user_id = :user_id";
    set_read = "UPDATE {}.inbox_heads USING TIMESTAMP :timestamp SET read_up_to = :up_to \
        WHERE user_id = :user_id AND conversation_id = :conversation_id";
    set_seen = "UPDATE {}.inbox_heads USING TIMESTAMP :timestamp SET seen_up_to = :up_to \
        WHERE user_id = :user_id AND conversation_id = :conversation_id";

    insert_recency = "INSERT INTO {}.inbox_recency (user_id, epoch, conversation_id) \
        VALUES (:user_id, :epoch, :conversation_id) USING TIMESTAMP :timestamp";
    delete_recency = "DELETE FROM {}.inbox_recency USING TIMESTAMP :timestamp \
        WHERE user_id = :user_id AND epoch = :epoch AND conversation_id = :conversation_id";
    insert_changes = "INSERT INTO {}.inbox_changes (user_id, epoch, conversation_id) \
        VALUES (:user_id, :epoch, :conversation_id) USING TIMESTAMP :timestamp";
    delete_changes = "DELETE FROM {}.inbox_changes USING TIMESTAMP :timestamp \
        WHERE user_id = :user_id AND epoch = :epoch AND conversation_id = :conversation_id";

    /// The lightweight transaction of a keyed send. It takes no timestamp of its own.
    claim_key = "INSERT INTO {}.idempotency_keys (sender_id, key, message_id, fingerprint) \
        VALUES (:sender_id, :key, :message_id, :fingerprint) IF NOT EXISTS USING TTL 86400";

    message = concat!(message!(), " AND id = :id");
    messages_by_id = concat!(message!(), " AND id IN :ids");
    messages_newest = concat!(message!(), " AND id > :above AND id < :below \
        ORDER BY id DESC LIMIT :count");
    messages_oldest = concat!(message!(), " AND id > :above ORDER BY id ASC LIMIT :count");
    /// The sender of each message, and whether it is unsent.
    senders_newest = "SELECT id, sender_id, edit FROM {}.messages \
        WHERE conversation_id = :conversation_id AND bucket = :bucket \
        AND id > :above AND id < :below ORDER BY id DESC LIMIT :count";
    changes_oldest = "SELECT key, message_id FROM {}.message_changes \
        WHERE conversation_id = :conversation_id AND bucket = :bucket AND key > :above \
        ORDER BY key ASC LIMIT :count";
    buckets_newest = "SELECT bucket FROM {}.message_buckets \
        WHERE conversation_id = :conversation_id AND bucket >= :lowest AND bucket <= :highest \
        ORDER BY bucket DESC LIMIT :count";
    buckets_oldest = "SELECT bucket FROM {}.message_buckets \
        WHERE conversation_id = :conversation_id AND bucket >= :lowest \
        ORDER BY bucket ASC LIMIT :count";
    change_buckets_oldest = "SELECT bucket FROM {}.change_buckets \
        WHERE conversation_id = :conversation_id AND bucket >= :lowest \
        ORDER BY bucket ASC LIMIT :count";

    participants = "SELECT participants FROM {}.conversations \
        WHERE conversation_id = :conversation_id";
    entry = concat!(entry!(), " AND conversation_id = :conversation_id");
    entries = concat!(entry!(), " AND conversation_id IN :conversation_ids");
    /// A user's entries in the order of their conversation ids, for the repair.
    entries_after = concat!(entry!(), " AND conversation_id > :conversation_id LIMIT :count");
    entries_first = concat!(entry!(), " LIMIT :count");
    /// The time of the last change of an inbox.
    stamp = "SELECT DISTINCT latest, imported FROM {}.inbox_heads WHERE user_id = :user_id";
    /// The partitions of `inbox_heads` in the order of their tokens.
    users_first = "SELECT DISTINCT user_id, latest, imported FROM {}.inbox_heads LIMIT :count";
    users_after = "SELECT DISTINCT user_id, latest, imported FROM {}.inbox_heads \
        WHERE token(user_id) > token(:user_id) LIMIT :count";
    /// The users who share a token: it is a hash, and names can be chosen so that it is equal.
    users_beside = "SELECT DISTINCT user_id, latest, imported FROM {}.inbox_heads \
        WHERE token(user_id) = token(:user_id)";
    recency_newest = index!("inbox_recency", "<", "DESC");
    recency_oldest = index!("inbox_recency", ">", "ASC");
    changes_newer = index!("inbox_changes", ">", "ASC");
}

impl Statements {
    /// Lets the reads of a page go to a second node.
    pub(crate) fn let_reads_speculate(&mut self, profile: &ExecutionProfileHandle) {
        for statement in [
            &mut self.message,
            &mut self.messages_by_id,
            &mut self.messages_newest,
            &mut self.messages_oldest,
            &mut self.senders_newest,
            &mut self.changes_oldest,
            &mut self.buckets_newest,
            &mut self.buckets_oldest,
            &mut self.change_buckets_oldest,
            &mut self.participants,
            &mut self.entry,
            &mut self.entries,
            &mut self.stamp,
            &mut self.recency_newest,
            &mut self.recency_oldest,
            &mut self.changes_newer,
        ] {
            statement.set_execution_profile_handle(Some(profile.clone()));
        }
    }
}

fn too_few() -> Error {
    Error::new(
        messenger_core::ErrorKind::Internal,
        "a statement was not prepared",
    )
}
