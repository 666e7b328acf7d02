//! The tables, with the reason for each key, and the version that brought each part.
//!
//! A version only adds tables, columns and options, so that servers of the version before go on
//! while it is rolled out. To add something, give it the number of the new version, and raise
//! [`VERSION`].

/// The version of the tables below. A store needs this one or a later one that it can read.
pub(crate) const VERSION: i32 = 2;

/// A table as it should be.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    /// The columns of the partition key.
    pub(crate) partition: &'static [&'static str],
    /// The clustering columns, each with `DESC` if it descends.
    pub(crate) clustering: &'static [&'static str],
    pub(crate) options: &'static [TableOption],
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// The type in CQL, with `static` if it is one value for the partition.
    pub(crate) definition: &'static str,
}

/// An option that a new table has, and that an older table gets when it is upgraded. Afterwards it
/// is the operator's.
#[derive(Debug)]
pub(crate) struct TableOption {
    /// The version that set it to this value.
    pub(crate) since: i32,
    pub(crate) text: &'static str,
}

const fn column(name: &'static str, definition: &'static str) -> Column {
    Column { name, definition }
}

const fn since(since: i32, text: &'static str) -> TableOption {
    TableOption { since, text }
}

/// Reads of pages and sends ask another replica when the first ones have not answered after 50 ms.
///
/// The default, the 99th percentile of recent reads, begins at half the read timeout and rises with
/// the very reads that wait for a node that hangs: with it 13 and 0 of 40 reads were answered
/// within 3 s on a ring of three with one node stopped, and with 50 ms all 40, twice.
const IMPATIENT: TableOption = since(2, "speculative_retry = '50ms'");

/// Three hours, the time for which nodes keep hints: less would shorten them.
const SHORT_GRACE: &str = "gc_grace_seconds = 10800";

/// Describes the others. It is created first, and its row is written last.
pub(crate) const SCHEMA_INFO: Table = Table {
    name: "schema_info",
    columns: &[
        // One row, "messenger".
        column("name", "text"),
        // The least version that a server must know to use these tables.
        column("version", "int"),
        // Fixed when the row is written.
        column("bucket_seconds", "bigint"),
        column("epoch_seconds", "bigint"),
        // The version up to which the tables were upgraded; none before version 2.
        column("applied", "int"),
        // What all servers must agree on.
        column("consistency", "text"),
        column("request_timeout_ms", "bigint"),
        // When the upgrade to this version was finished; none if the tables began with it.
        column("finished_ms", "bigint"),
    ],
    partition: &["name"],
    clustering: &[],
    options: &[],
};

/// The tables that hold data.
pub(crate) const TABLES: &[Table] = &[
    // A history, newest first, as it is read: a page is one slice of one partition. The bucket
    // bounds the partition, which otherwise grows as long as two people write to each other.
    Table {
        name: "messages",
        columns: &[
            column("conversation_id", "uuid"),
            column("bucket", "int"),
            column("id", "uuid"),
            column("sender_id", "text"),
            column("receiver_id", "text"),
            // The first version.
            column("content", "text"),
            // The greatest later version: unsent, revision, text. One cell, written at the timestamp
            // of the message; a tie goes to the greater value. So an unsend wins over every edit, and
            // of two edits the later one.
            column("edit", "tuple<boolean, uuid, text>"),
        ],
        partition: &["conversation_id", "bucket"],
        clustering: &["id DESC"],
        options: &[IMPATIENT],
    },
    // The log of a history, apart from the messages that were sent on time: the message of each log
    // key. A key is in the bucket of its own time.
    Table {
        name: "message_changes",
        columns: &[
            column("conversation_id", "uuid"),
            column("bucket", "int"),
            column("key", "uuid"),
            column("message_id", "uuid"),
        ],
        partition: &["conversation_id", "bucket"],
        clustering: &["key"],
        options: &[IMPATIENT],
    },
    // Lists the buckets of `message_changes`. In the list of `message_buckets` they would let walks
    // read empty partitions.
    Table {
        name: "change_buckets",
        columns: &[column("conversation_id", "uuid"), column("bucket", "int")],
        partition: &["conversation_id"],
        clustering: &["bucket DESC"],
        options: &[IMPATIENT],
    },
    // Lists the buckets of a history, so that a conversation that slept for a year costs no
    // probing: 36 small rows for each year in which it was awake.
    Table {
        name: "message_buckets",
        columns: &[column("conversation_id", "uuid"), column("bucket", "int")],
        partition: &["conversation_id"],
        clustering: &["bucket DESC"],
        options: &[IMPATIENT],
    },
    // The participants. The id is a hash, so the users cannot be read from it.
    Table {
        name: "conversations",
        columns: &[
            column("conversation_id", "uuid"),
            column("participants", "frozen<list<text>>"),
        ],
        partition: &["conversation_id"],
        clustering: &[],
        options: &[IMPATIENT],
    },
    // The truth about an inbox: one row for each conversation, in the user's own partition, so
    // that the entries of a page are one query. Each cell is written with a timestamp that follows
    // from its value, and a tie goes to the greater value. So the greatest value wins, with no read, no
    // transaction and no tombstone. Rows are written over and over and read at random: levelled
    // compaction keeps each in few files.
    Table {
        name: "inbox_heads",
        columns: &[
            column("user_id", "text"),
            column("conversation_id", "uuid"),
            column("participants", "frozen<list<text>>"),
            // The last message as version 1 wrote it: id, 0, sender, the beginning of its text.
            column("head", "tuple<uuid, int, text, text>"),
            // The last message: id, unsent, revision, sender, the beginning of its text.
            column("last_message", "tuple<uuid, boolean, uuid, text, text>"),
            // The message up to which the user has read, and the one up to which the other has.
            column("read_up_to", "uuid"),
            column("seen_up_to", "uuid"),
            // The greatest log key of the conversation's changes, and of all changes.
            column("changed", "uuid"),
            column("latest", "uuid static"),
            // The time of the last change with an old log key, in microseconds since the Unix epoch.
            column("imported", "bigint static"),
        ],
        partition: &["user_id"],
        clustering: &["conversation_id"],
        options: &[IMPATIENT, LEVELLED],
    },
    // The order of an inbox, roughly: this conversation was active in this epoch. It nominates and
    // nothing more; `inbox_heads` decides. Both clustering columns descend, so that a scan can continue
    // after any row with one comparison of both. Rows of epochs that a conversation has left are
    // deleted. A deleted row that comes back is only left over again, so the grace can be short.
    Table {
        name: "inbox_recency",
        columns: &[
            column("user_id", "text"),
            column("epoch", "int"),
            column("conversation_id", "uuid"),
        ],
        partition: &["user_id"],
        clustering: &["epoch DESC", "conversation_id DESC"],
        options: &[IMPATIENT, LEVELLED, since(1, SHORT_GRACE)],
    },
    // The log of an inbox, roughly, in the same way: the conversation was edited, unsent or read in this
    // epoch. A table of its own, so that its rows can go when the conversation has changed again, and
    // a page of the inbox does not read a row for each mark.
    Table {
        name: "inbox_changes",
        columns: &[
            column("user_id", "text"),
            column("epoch", "int"),
            column("conversation_id", "uuid"),
        ],
        partition: &["user_id"],
        clustering: &["epoch DESC", "conversation_id DESC"],
        options: &[IMPATIENT, LEVELLED, since(1, SHORT_GRACE)],
    },
    // The message that a sender's key stands for. A partition for each key, for its transaction. A
    // row expires after a day, and files are dropped as a whole when the grace is over as well. A
    // row is written once, so nothing can come back; and the transaction's own state, which lives
    // as long as the grace but at least three hours, is kept no longer than needed.
    Table {
        name: "idempotency_keys",
        columns: &[
            column("sender_id", "text"),
            column("key", "text"),
            column("message_id", "uuid"),
            column("fingerprint", "uuid"),
        ],
        partition: &["sender_id", "key"],
        clustering: &[],
        options: &[
            since(1, "default_time_to_live = 86400"),
            since(
                1,
                "compaction = {'class': 'TimeWindowCompactionStrategy', \
                 'compaction_window_unit': 'HOURS', 'compaction_window_size': '6'}",
            ),
            since(2, SHORT_GRACE),
        ],
    },
];

const LEVELLED: TableOption = since(1, "compaction = {'class': 'LeveledCompactionStrategy'}");

impl Table {
    /// Returns the statement that creates the table with all its parts.
    pub(crate) fn create(&self, keyspace: &str) -> String {
        let columns = self.columns.iter();
        let columns = columns.map(|column| format!("{} {}", column.name, column.definition));
        let partition = self.partition.join(", ");
        let key = std::iter::once(format!("({partition})"));
        let key = key.chain(self.clustering_names().map(str::to_owned));
        let descends = self.clustering.iter().any(|column| column.contains(' '));
        let order = format!("CLUSTERING ORDER BY ({})", self.clustering.join(", "));
        let order = descends.then_some(order);
        let options = self.options.iter().map(|option| option.text.to_owned());
        let with = join(order.into_iter().chain(options), " AND ");
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.{} ({}, PRIMARY KEY ({})){}{with}",
            self.name,
            join(columns, ", "),
            join(key, ", "),
            if with.is_empty() { "" } else { " WITH " },
        )
    }

    /// Returns the statements that add the columns which are missing.
    pub(crate) fn add_columns(
        &self,
        keyspace: &str,
        has: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = String> {
        let missing = self.columns.iter().filter(move |column| !has(column.name));
        missing.map(move |Column { name, definition }| {
            let table = self.name;
            format!("ALTER TABLE {keyspace}.{table} ADD IF NOT EXISTS {name} {definition}")
        })
    }

    /// Returns the statement that sets the options which later versions than this one brought.
    pub(crate) fn set_options(&self, keyspace: &str, version: i32) -> Option<String> {
        let later = self.options.iter().filter(|option| option.since > version);
        let later = join(later.map(|option| option.text.to_owned()), " AND ");
        let table = self.name;
        (!later.is_empty()).then(|| format!("ALTER TABLE {keyspace}.{table} WITH {later}"))
    }

    pub(crate) fn clustering_names(&self) -> impl Iterator<Item = &'static str> {
        let columns = self.clustering.iter();
        columns.map(|column| column.split_once(' ').map_or(*column, |(name, _)| name))
    }
}

fn join(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table {
        name: "t",
        columns: &[
            column("a", "uuid"),
            column("b", "int"),
            column("c", "int"),
            column("d", "text static"),
        ],
        partition: &["a", "b"],
        clustering: &["c DESC"],
        options: &[since(1, "x = 1"), since(2, "y = 2"), since(3, "z = 3")],
    };

    #[test]
    fn a_new_table_has_everything() {
        assert_eq!(
            TABLE.create("k"),
            "CREATE TABLE IF NOT EXISTS k.t (a uuid, b int, c int, d text static, \
             PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC) AND x = 1 AND y = 2 \
             AND z = 3"
        );
        let plain = Table {
            clustering: &[],
            options: &[],
            ..TABLE
        };
        assert!(plain.create("k").ends_with("PRIMARY KEY ((a, b)))"));
    }

    #[test]
    fn an_older_table_gets_what_it_does_not_have() {
        let add: Vec<_> = TABLE.add_columns("k", |name| name < "c").collect();
        assert_eq!(
            add,
            [
                "ALTER TABLE k.t ADD IF NOT EXISTS c int",
                "ALTER TABLE k.t ADD IF NOT EXISTS d text static"
            ]
        );
        let set = |version| TABLE.set_options("k", version);
        assert_eq!(set(1).unwrap(), "ALTER TABLE k.t WITH y = 2 AND z = 3");
        assert_eq!(set(2).unwrap(), "ALTER TABLE k.t WITH z = 3");
        assert_eq!(set(3), None);
    }
}
