//! A server of version 1 beside one of version 2, while the tables are upgraded.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use messenger_cassandra::CassandraStore;
use messenger_core::{
    Content, Conversation, ErrorKind, InboxEntry, LastMessage, LogKey, Message, Outcome, Position,
    Store,
};

use scylla::serialize::row::SerializeRow;

use crate::schema::{Own, VERSION_1};
use crate::world::{Pair, Verdict, World, case, change, entry_of, id, marker, send};

pub(crate) fn cases() -> Vec<Trial> {
    vec![case(
        "upgrade::a_server_of_version_1_writes_beside_one_of_version_2",
        upgrade,
    )]
}

/// The windows of the tables of version 1.
const WINDOW: Duration = Duration::from_secs(3600);

/// A server of version 1, as far as it writes and reads.
struct Version1<'a>(&'a Own);

impl Version1<'_> {
    /// Writes the rows of a send, and then those of its inboxes.
    async fn send(&self, message: &Message) -> Verdict {
        let millis = message.created_at().as_millis();
        let window = i32::try_from(u128::from(millis) / WINDOW.as_millis())?;
        let conversation = message.conversation_id().as_uuid();
        let users = message.participants();
        let users: Vec<_> = users.iter().map(|user| user.as_str()).collect();
        let id = message.id();
        let timestamp = i64::try_from(id.as_micros())?;
        let text = message.content().expect("a text").as_str();
        for user in &users {
            let start = i64::from(window) * i64::try_from(WINDOW.as_micros())?;
            let cql = "INSERT INTO {}.inbox_recency (user_id, epoch, conversation_id) \
                       VALUES (?, ?, ?) USING TIMESTAMP ?";
            self.write(cql, (user, window, conversation, start)).await?;
        }
        let cql = "INSERT INTO {}.messages (conversation_id, bucket, id, sender_id, receiver_id, \
                   content) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
        let (sender, receiver) = (message.sender_id().as_str(), message.receiver_id().as_str());
        let row = (
            conversation,
            window,
            id.as_uuid(),
            sender,
            receiver,
            text,
            timestamp,
        );
        self.write(cql, row).await?;
        for user in &users {
            let cql = "INSERT INTO {}.inbox_heads (user_id, conversation_id, participants, head) \
                       VALUES (?, ?, ?, ?) USING TIMESTAMP ?";
            let head = (id.as_uuid(), 0_i32, sender, text);
            self.write(cql, (user, conversation, &users, head, timestamp))
                .await?;
        }
        let cql = "INSERT INTO {}.conversations (conversation_id, participants) VALUES (?, ?) \
                   USING TIMESTAMP ?";
        self.write(cql, (conversation, &users, timestamp)).await?;
        let cql = "INSERT INTO {}.message_buckets (conversation_id, bucket) VALUES (?, ?) \
                   USING TIMESTAMP ?";
        self.write(cql, (conversation, window, timestamp)).await
    }

    async fn write(&self, cql: &str, values: impl SerializeRow + Send + Sync) -> Verdict {
        let cql = cql.replace("{}", self.0.config.keyspace());
        self.0.session.query_unpaged(cql, values).await?;
        Ok(())
    }

    /// Checks that it can read the newest message: in the history and in both inboxes.
    async fn shows(&self, message: &Message) -> Verdict {
        let keyspace = self.0.config.keyspace();
        let text = message.content().expect("a text").as_str();
        let millis = u128::from(message.created_at().as_millis());
        let window = i32::try_from(millis / WINDOW.as_millis())?;
        let cql = format!(
            "SELECT sender_id, receiver_id, content FROM {keyspace}.messages \
             WHERE conversation_id = ? AND bucket = ? AND id = ?"
        );
        let key = (
            message.conversation_id().as_uuid(),
            window,
            message.id().as_uuid(),
        );
        let rows = self
            .0
            .session
            .query_unpaged(cql, key)
            .await?
            .into_rows_result()?;
        let (.., found) = rows.single_row::<(String, String, String)>()?;
        assert_eq!(found, text);
        for user in &message.participants() {
            let cql = format!(
                "SELECT participants, head FROM {keyspace}.inbox_heads \
                 WHERE user_id = ? AND conversation_id = ?"
            );
            let key = (user.as_str(), message.conversation_id().as_uuid());
            let rows = self
                .0
                .session
                .query_unpaged(cql, key)
                .await?
                .into_rows_result()?;
            type Head = (uuid::Uuid, i32, String, String);
            let (_, head) = rows.single_row::<(Vec<String>, Head)>()?;
            assert_eq!((head.0, head.3.as_str()), (message.id().as_uuid(), text));
        }
        Ok(())
    }
}

async fn upgrade(world: World) -> Verdict {
    let own = Own::new(&world).await?;
    for cql in VERSION_1 {
        own.run(cql).await?;
    }
    let old = Version1(&own);
    let pair = world.pair();
    let others = world.pair_named("others");
    let before = pair.message(id(), "before");
    old.send(&before).await?;
    let other = others.message(id(), "others, before");
    old.send(&other).await?;

    own.migrate().await?;
    let new = CassandraStore::connect(&own.config).await?;
    let history = new.history(pair.id(), None, 5).await?;
    assert_eq!(history, std::slice::from_ref(&before));
    inbox_is(&new, &pair, &before, None).await?;

    // Each sees what the other sends.
    let second = pair.message(id(), "from version 2");
    send(&new, &second).await?;
    old.shows(&second).await?;
    inbox_is(&new, &pair, &second, None).await?;
    // The key of the second is the latest one that is known.
    let third = pair.message(id(), "from version 1");
    old.send(&third).await?;
    inbox_is(&new, &pair, &third, None).await?;
    is_followed(&new, &pair, &second, &third).await?;

    // A server of version 1 could not show an edit.
    let edited = third.edited(id().into(), Content::new("edited")?);
    for version in [&edited, &third.unsent(id().into())] {
        let error = change(&new, version).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(error.outcome(), Some(Outcome::NotApplied), "{error}");
    }
    new.mark(id().into(), &marker(&third, &pair.two)).await?;
    inbox_is(&new, &pair, &third, Some(&third)).await?;
    old.shows(&third).await?;

    CassandraStore::finish_upgrade(&own.config).await?;
    let new = CassandraStore::connect(&own.config).await?;
    is_followed(&new, &pair, &second, &third).await?;
    change(&new, &edited).await?;
    inbox_is(&new, &pair, &edited, Some(&third)).await?;
    let unsent = edited.unsent(id().into());
    change(&new, &unsent).await?;
    inbox_is(&new, &pair, &unsent, Some(&third)).await?;
    let history = new.history(pair.id(), None, 5).await?;
    assert_eq!(history, [unsent.clone(), second, before]);
    has_no_text(&own, &pair, "from version 1").await?;

    // A conversation that only version 1 has written to.
    assert_eq!(new.inbox(&others.two, None, 5).await?, [entry_of(&other)]);
    let log = new.inbox_log(&others.two, Position::MIN, 5).await?;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].key, LogKey::from(other.id()));
    own.drop().await
}

async fn inbox_is(
    store: &CassandraStore,
    pair: &Pair,
    last: &Message,
    read: Option<&Message>,
) -> Verdict {
    let entry = InboxEntry::new(Conversation::of(last), LastMessage::of(last));
    let read = read.map(Message::id);
    for (user, entry) in [
        (&pair.one, entry.clone().with_markers(None, read)),
        (&pair.two, entry.with_markers(read, None)),
    ] {
        let inbox = store.inbox(user, None, 5).await?;
        assert_eq!(inbox, std::slice::from_ref(&entry));
        assert_eq!(store.entry(user, pair.id()).await?, Some(entry));
    }
    Ok(())
}

/// A follower who has come to a message gets the next one, also where `latest` does not know it.
async fn is_followed(
    store: &CassandraStore,
    pair: &Pair,
    seen: &Message,
    next: &Message,
) -> Verdict {
    for user in [&pair.one, &pair.two] {
        let log = store.inbox_log(user, seen.id().into(), 5).await?;
        let last: Vec<_> = log
            .iter()
            .map(|logged| logged.item.last_message().id())
            .collect();
        assert_eq!(last, [next.id()], "in the inbox of {user}");
    }
    let log = store.history_log(pair.id(), seen.id().into(), 5).await?;
    assert_eq!(log.len(), 1);
    Ok(())
}

/// The text is in no cell of the message's rows, also not in one that this version does not read.
async fn has_no_text(own: &Own, pair: &Pair, text: &str) -> Result<(), Failed> {
    let keyspace = own.config.keyspace();
    for table in ["messages", "inbox_heads"] {
        let cql = format!("SELECT JSON * FROM {keyspace}.{table}");
        let rows = own
            .session
            .query_unpaged(cql, ())
            .await?
            .into_rows_result()?;
        for row in rows.rows::<(String,)>()? {
            let (json,) = row?;
            let is_of_pair = json.contains(&pair.id().to_string());
            assert!(!is_of_pair || !json.contains(text), "{table}: {json}");
        }
    }
    Ok(())
}
