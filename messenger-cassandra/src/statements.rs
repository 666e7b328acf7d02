//! All CQL of the running store, prepared once.
//!
//! Every statement names its keyspace (there is no `USE`) and binds the whole partition key, so that
//! the driver sends it to a replica. Every one may be executed twice. Every write except the
//! transaction carries its timestamp.

use futures_util::future::try_join_all;
use messenger_core::Error;
use scylla::client::execution_profile::ExecutionProfileHandle;
use scylla::statement::prepared::PreparedStatement;

use crate::session::Client;

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $cql:literal;)*) => {
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

statements! {
    insert_message = "INSERT INTO {}.messages \
        (conversation_id, bucket, id, sender_id, receiver_id, content) \
        VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
    insert_bucket = "INSERT INTO {}.message_buckets (conversation_id, bucket) \
        VALUES (?, ?) USING TIMESTAMP ?";
    insert_conversation = "INSERT INTO {}.conversations (conversation_id, participants) \
        VALUES (?, ?) USING TIMESTAMP ?";
    insert_head = "INSERT INTO {}.inbox_heads (user_id, conversation_id, participants, head) \
        VALUES (?, ?, ?, ?) USING TIMESTAMP ?";
    insert_recency = "INSERT INTO {}.inbox_recency (user_id, epoch, conversation_id) \
        VALUES (?, ?, ?) USING TIMESTAMP ?";
    delete_recency = "DELETE FROM {}.inbox_recency USING TIMESTAMP ? \
        WHERE user_id = ? AND epoch = ? AND conversation_id = ?";

    /// The lightweight transaction of a keyed send. It takes no timestamp of its own.
    claim_key = "INSERT INTO {}.idempotency_keys (sender_id, key, message_id, fingerprint) \
        VALUES (?, ?, ?, ?) IF NOT EXISTS USING TTL 86400";

    message = "SELECT sender_id, receiver_id, content FROM {}.messages \
        WHERE conversation_id = ? AND bucket = ? AND id = ?";
    messages_newest = "SELECT id, sender_id, receiver_id, content FROM {}.messages \
        WHERE conversation_id = ? AND bucket = ? AND id > ? AND id < ? \
        ORDER BY id DESC LIMIT ?";
    messages_oldest = "SELECT id, sender_id, receiver_id, content FROM {}.messages \
        WHERE conversation_id = ? AND bucket = ? AND id > ? AND id < ? \
        ORDER BY id ASC LIMIT ?";
    buckets_newest = "SELECT bucket FROM {}.message_buckets \
        WHERE conversation_id = ? AND bucket >= ? AND bucket <= ? \
        ORDER BY bucket DESC LIMIT ?";
    buckets_oldest = "SELECT bucket FROM {}.message_buckets \
        WHERE conversation_id = ? AND bucket >= ? AND bucket <= ? \
        ORDER BY bucket ASC LIMIT ?";

    participants = "SELECT participants FROM {}.conversations WHERE conversation_id = ?";
    head = "SELECT conversation_id, participants, head FROM {}.inbox_heads \
        WHERE user_id = ? AND conversation_id = ?";
    heads = "SELECT conversation_id, participants, head FROM {}.inbox_heads \
        WHERE user_id = ? AND conversation_id IN ?";
    /// A user's heads in the order of their conversation ids, for the repair.
    heads_behind = "SELECT conversation_id, participants, head FROM {}.inbox_heads \
        WHERE user_id = ? AND conversation_id > ? LIMIT ?";
    heads_first = "SELECT conversation_id, participants, head FROM {}.inbox_heads \
        WHERE user_id = ? LIMIT ?";
    /// From an epoch down, behind a row.
    recency_newest = "SELECT epoch, conversation_id FROM {}.inbox_recency \
        WHERE user_id = ? AND (epoch, conversation_id) < (?, ?) AND (epoch) >= (?) \
        ORDER BY epoch DESC, conversation_id DESC LIMIT ?";
    /// From an epoch up, behind a row.
    recency_oldest = "SELECT epoch, conversation_id FROM {}.inbox_recency \
        WHERE user_id = ? AND (epoch, conversation_id) > (?, ?) AND (epoch) <= (?) \
        ORDER BY epoch ASC, conversation_id ASC LIMIT ?";
}

impl Statements {
    /// Lets the reads of a page go to a second node.
    pub(crate) fn let_reads_speculate(&mut self, profile: &ExecutionProfileHandle) {
        for statement in [
            &mut self.message,
            &mut self.messages_newest,
            &mut self.messages_oldest,
            &mut self.buckets_newest,
            &mut self.buckets_oldest,
            &mut self.participants,
            &mut self.head,
            &mut self.heads,
            &mut self.recency_newest,
            &mut self.recency_oldest,
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
