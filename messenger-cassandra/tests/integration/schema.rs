//! A schema is created once, by however many processes, and upgraded from any earlier version.

use std::time::Duration;

use futures_util::future::try_join_all;
use libtest_mimic::{Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore};
use messenger_core::ErrorKind;
use scylla::client::session::Session;

use crate::connect::{check, drop_keyspace, refused, works};
use crate::world::{Verdict, World, case, name};

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        case("schema::many_migrate_at_once", migrate_at_once),
        case("schema::windows_stay_as_they_were_made", windows_stay),
        case("schema::one_for_newer_programs_is_refused", newer),
        case("schema::a_later_version_leaves_this_one_running", later),
        case("schema::version_1_is_upgraded", version_1),
        case("schema::a_dropped_table_is_created_again", dropped),
        case("schema::what_an_operator_tuned_stays", tuned),
    ]
}

/// A keyspace of the case's own, and the bare driver to look at it.
pub(crate) struct Own {
    pub(crate) config: CassandraConfig,
    pub(crate) session: Session,
}

impl Own {
    pub(crate) async fn new(world: &World) -> Result<Self, Failed> {
        Ok(Self {
            config: world.config.clone().with_keyspace(name("k")),
            session: world.bare().await?,
        })
    }

    pub(crate) async fn run(&self, cql: &str) -> Verdict {
        let cql = cql.replace("{}", self.config.keyspace());
        self.session.query_unpaged(cql, &[]).await?;
        Ok(())
    }

    pub(crate) async fn migrate(&self) -> Verdict {
        Ok(CassandraStore::migrate(&self.config).await?)
    }

    /// The least version that a server must know, and the one up to which tables were upgraded.
    async fn versions(&self) -> Result<(i32, i32), Failed> {
        let keyspace = self.config.keyspace();
        let cql = format!("SELECT version, applied FROM {keyspace}.schema_info");
        let rows = self.session.query_unpaged(cql, &[]).await?;
        Ok(rows.into_rows_result()?.single_row()?)
    }

    /// Two options of a table: the grace of tombstones, and when a third replica is asked.
    async fn options(&self, table: &str) -> Result<(i32, String), Failed> {
        let cql = "SELECT gc_grace_seconds, speculative_retry FROM system_schema.tables \
                   WHERE keyspace_name = ? AND table_name = ?";
        let key = (self.config.keyspace(), table);
        let rows = self.session.query_unpaged(cql, key).await?;
        Ok(rows.into_rows_result()?.single_row()?)
    }

    pub(crate) async fn drop(&self) -> Verdict {
        drop_keyspace(&self.session, self.config.keyspace()).await
    }
}

async fn migrate_at_once(world: World) -> Verdict {
    let config = world.config.clone().with_keyspace(name("k"));
    try_join_all((0..4).map(|_| CassandraStore::migrate(&config))).await?;
    CassandraStore::migrate(&config).await?;
    works(&world, &config).await?;
    drop_keyspace(&world.bare().await?, config.keyspace()).await
}

async fn windows_stay(world: World) -> Verdict {
    let hour = Duration::from_secs(3600);
    let config = world
        .config
        .clone()
        .with_keyspace(name("k"))
        .with_windows(hour, hour);
    CassandraStore::migrate(&config).await?;
    let day = Duration::from_secs(24 * 3600);
    CassandraStore::migrate(&config.clone().with_windows(day, day)).await?;
    let session = world.bare().await?;
    let keyspace = config.keyspace();
    let cql = format!("SELECT bucket_seconds, epoch_seconds FROM {keyspace}.schema_info");
    let rows = session.query_unpaged(cql, &[]).await?.into_rows_result()?;
    assert_eq!(rows.single_row::<(i64, i64)>()?, (3600, 3600));

    let minute = Duration::from_secs(60);
    let short = config
        .clone()
        .with_keyspace(name("k"))
        .with_windows(minute, minute);
    let error = CassandraStore::migrate(&short).await.unwrap_err();
    check(&error, ErrorKind::Invalid, &["windows"])?;
    works(&world, &config).await?;
    drop_keyspace(&session, keyspace).await
}

async fn newer(world: World) -> Verdict {
    let own = Own::new(&world).await?;
    own.migrate().await?;
    own.run("UPDATE {}.schema_info SET version = 99 WHERE name = 'messenger' IF EXISTS")
        .await?;
    refused(&own.config, ErrorKind::Invalid, &["99", "upgrade"]).await?;
    let error = CassandraStore::migrate(&own.config).await.unwrap_err();
    check(&error, ErrorKind::Invalid, &["99", "upgrade"])?;
    own.drop().await
}

async fn later(world: World) -> Verdict {
    let own = Own::new(&world).await?;
    own.migrate().await?;
    let (oldest, _) = own.versions().await?;
    own.run("UPDATE {}.schema_info SET applied = 99 WHERE name = 'messenger' IF EXISTS")
        .await?;
    own.migrate().await?;
    works(&world, &own.config).await?;
    assert_eq!(own.versions().await?, (oldest, 99));
    own.drop().await
}

/// The tables as servers of version 1 created them.
pub(crate) const VERSION_1: [&str; 9] = [
    "CREATE KEYSPACE {} WITH replication = \
     {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}",
    "CREATE TABLE {}.schema_info (name text PRIMARY KEY, version int, bucket_seconds bigint, \
     epoch_seconds bigint)",
    "CREATE TABLE {}.messages (conversation_id uuid, bucket int, id uuid, sender_id text, \
     receiver_id text, content text, PRIMARY KEY ((conversation_id, bucket), id)) \
     WITH CLUSTERING ORDER BY (id DESC)",
    "CREATE TABLE {}.message_buckets (conversation_id uuid, bucket int, \
     PRIMARY KEY ((conversation_id), bucket)) WITH CLUSTERING ORDER BY (bucket DESC)",
    "CREATE TABLE {}.conversations (conversation_id uuid PRIMARY KEY, \
     participants frozen<list<text>>)",
    "CREATE TABLE {}.inbox_heads (user_id text, conversation_id uuid, \
     participants frozen<list<text>>, head tuple<uuid, int, text, text>, \
     PRIMARY KEY ((user_id), conversation_id)) \
     WITH compaction = {'class': 'LeveledCompactionStrategy'}",
    "CREATE TABLE {}.inbox_recency (user_id text, epoch int, conversation_id uuid, \
     PRIMARY KEY ((user_id), epoch, conversation_id)) \
     WITH CLUSTERING ORDER BY (epoch DESC, conversation_id DESC) AND gc_grace_seconds = 10800",
    "CREATE TABLE {}.idempotency_keys (sender_id text, key text, message_id uuid, \
     fingerprint uuid, PRIMARY KEY ((sender_id, key))) WITH default_time_to_live = 86400",
    "INSERT INTO {}.schema_info (name, version, bucket_seconds, epoch_seconds) \
     VALUES ('messenger', 1, 3600, 3600) IF NOT EXISTS",
];

async fn version_1(world: World) -> Verdict {
    let own = Own::new(&world).await?;
    for cql in VERSION_1 {
        own.run(cql).await?;
    }
    refused(&own.config, ErrorKind::Invalid, &["version 1", "migration"]).await?;
    try_join_all((0..3).map(|_| own.migrate())).await?;
    own.migrate().await?;
    // A server of version 1 refuses tables of a greater version: it may still be restarted.
    assert_eq!(own.versions().await?, (1, 2));
    assert_eq!(own.options("idempotency_keys").await?.0, 10_800);
    assert_eq!(own.options("messages").await?, (864_000, "50ms".to_owned()));
    works(&world, &own.config).await?;

    CassandraStore::finish_upgrade(&own.config).await?;
    assert_eq!(own.versions().await?, (2, 2));
    works(&world, &own.config).await?;
    own.drop().await
}

async fn dropped(world: World) -> Verdict {
    let own = Own::new(&world).await?;
    own.migrate().await?;
    for part in ["TABLE {}.message_buckets", "TABLE {}.idempotency_keys"] {
        own.run(&format!("DROP {part}")).await?;
    }
    own.run("ALTER TABLE {}.conversations DROP participants")
        .await?;
    refused(&own.config, ErrorKind::Invalid, &["migration"]).await?;
    own.migrate().await?;
    works(&world, &own.config).await?;
    assert_eq!(own.options("idempotency_keys").await?.0, 10_800);
    own.drop().await
}

async fn tuned(world: World) -> Verdict {
    let own = Own::new(&world).await?;
    own.migrate().await?;
    own.run("ALTER TABLE {}.messages WITH speculative_retry = '75ms' AND gc_grace_seconds = 7200")
        .await?;
    own.migrate().await?;
    assert_eq!(own.options("messages").await?, (7200, "75ms".to_owned()));
    own.drop().await
}
