//! Versions on disk: each one is flushed to a file of its own, and files are compacted.
//!
//! - Ties: two versions have one timestamp, and the greater value must win wherever values are merged.
//! - A text that was unsent is in no file any more.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Completion, Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore};
use messenger_core::{
    Content, HistoryQuery, IdempotencyKey, InboxQuery, LastMessage, Message, Messenger, NewMessage,
    Position, Store as _, UserId,
};
use scylla::client::session_builder::SessionBuilder;
use testkit::cassandra::Cluster;

use crate::world::{Pair, Verdict, change, config, failed, id, name, runtime, send};

/// The tables in which texts are.
const TABLES: [&str; 2] = ["messages", "inbox_heads"];

pub(crate) fn trial() -> Trial {
    Trial::ignorable_test("disk::the_greatest_version_is_all_that_stays", || {
        let node = Cluster::builder()
            .commitlog_batch(true)
            .heap_mb(512)
            .jvm("-XX:TieredStopAtLevel=1");
        let cluster = match node.start() {
            Ok(cluster) => Arc::new(cluster),
            Err(unavailable) => return testkit::trial::verdict(unavailable),
        };
        let Some(dir) = cluster.node(0).dir() else {
            return Ok(Completion::ignored_with(
                "the files of the node are in a container",
            ));
        };
        runtime().block_on(async {
            let disk = Disk::new(&cluster, dir).await?;
            ties(&disk).await?;
            canary(&disk, &cluster).await
        })?;
        Ok(Completion::Completed)
    })
}

/// A keyspace whose tables are flushed every second and compacted at once, without compression.
struct Disk {
    config: CassandraConfig,
    store: CassandraStore,
    nodes: Vec<String>,
    dir: PathBuf,
}

impl Disk {
    async fn new(cluster: &Cluster, dir: PathBuf) -> Result<Self, Failed> {
        let nodes = cluster.contact_points();
        let config = config(&nodes).with_keyspace(name("disk"));
        CassandraStore::migrate(&config).await.map_err(failed)?;
        let disk = Self {
            store: CassandraStore::connect(&config).await.map_err(failed)?,
            config,
            nodes,
            dir,
        };
        disk.alter("memtable_flush_period_in_ms = 1000 AND compression = {'enabled': false}")
            .await?;
        disk.compact(false).await?;
        Ok(disk)
    }

    async fn alter(&self, options: &str) -> Verdict {
        // A session of its own: one from before the node was killed has no connection until it has
        // waited for its next attempt.
        let bare = SessionBuilder::new()
            .known_nodes(&self.nodes)
            .build()
            .await?;
        for table in TABLES {
            let keyspace = self.config.keyspace();
            let cql = format!("ALTER TABLE {keyspace}.{table} WITH {options}");
            bare.query_unpaged(cql, ()).await?;
        }
        Ok(())
    }

    /// Lets files be compacted, or not.
    async fn compact(&self, enabled: bool) -> Verdict {
        self.alter(&format!(
            "compaction = {{'class': 'SizeTieredCompactionStrategy', 'min_threshold': 2, \
             'enabled': {enabled}}}"
        ))
        .await
    }

    /// Returns the number of data files of each table.
    fn files(&self) -> [usize; 2] {
        let files = all_files(&self.dir);
        TABLES.map(|table| {
            let part = format!("/{}/{table}-", self.config.keyspace());
            let is_data = |path: &&PathBuf| {
                let path = path.to_string_lossy();
                path.contains(&part) && path.ends_with("-Data.db")
            };
            files.iter().filter(is_data).count()
        })
    }

    /// Waits until each table has been flushed once more.
    async fn has_more_files_than(&self, before: [usize; 2]) -> Verdict {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let files = self.files();
            if files
                .iter()
                .zip(before)
                .all(|(&files, before)| files > before)
            {
                return Ok(());
            }
            if Instant::now() > limit {
                return Err(format!("{TABLES:?} have {files:?} files, and had {before:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until a text is in a data file.
    async fn has_flushed(&self, text: &str) -> Verdict {
        let limit = Instant::now() + Duration::from_secs(60);
        let is_data = |path: &PathBuf| path.to_string_lossy().ends_with("-Data.db");
        while !self.containing(text).iter().any(is_data) {
            if Instant::now() > limit {
                return Err(format!("{text} is in no data file").into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Sends messages until everything is compacted: a flush starts it.
    async fn until(&self, what: &str, is_done: impl Fn() -> bool) -> Verdict {
        self.compact(true).await?;
        let pair = Pair {
            one: UserId::new("carol")?,
            two: UserId::new("dave")?,
        };
        for n in 0..30 {
            if is_done() {
                return self.compact(false).await;
            }
            send(&self.store, &pair.message(id(), &format!("more {n}"))).await?;
            tokio::time::sleep(Duration::from_millis(2000)).await;
        }
        Err(format!("not after a minute: {what}").into())
    }

    /// Returns the files in which a text is.
    fn containing(&self, text: &str) -> Vec<PathBuf> {
        let mut files = all_files(&self.dir);
        // A file may have gone meanwhile.
        files.retain(|path| {
            let bytes = fs::read(path).unwrap_or_default();
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        });
        files
    }
}

fn all_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(all_files(&path)),
            Ok(kind) if kind.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}

/// Of each pair of versions the second is the greater one. Some differ in a byte that is 7f or 80, as
/// where bytes compare with a sign; some in whether they are unsent.
fn tied_versions(message: &Message, n: usize) -> [Message; 2] {
    let edited = |revision: &str, text| {
        let revision = revision.parse().expect("a revision");
        message.edited(revision, Content::new(text).expect("a text"))
    };
    let unsent = |revision: &str| message.unsent(revision.parse().expect("a revision"));
    match n % 5 {
        0 => [
            edited("01ffffff-ffff-7000-8000-00000000007f", "zzz"),
            edited("01ffffff-ffff-7000-8000-000000000080", "aaa"),
        ],
        1 => [
            edited("01ffff7f-0000-7000-8000-000000000000", "zzz"),
            edited("01ffff80-0000-7000-8000-000000000000", "aaa"),
        ],
        2 => [
            edited("01ffffff-ffff-7000-8000-0000000000ff", "zzz"),
            unsent("01ff0000-0000-7000-8000-000000000000"),
        ],
        3 => [
            unsent("01ffffff-ffff-7000-8000-00000000007f"),
            unsent("01ffffff-ffff-7000-8000-000000000080"),
        ],
        _ => [
            message.clone(),
            unsent("01ff0000-0000-7000-8000-000000000000"),
        ],
    }
}

async fn ties(disk: &Disk) -> Verdict {
    let mut expected = Vec::new();
    let mut rounds = [Vec::new(), Vec::new()];
    for n in 0..10 {
        let user = |who| UserId::new(format!("{who}{n}")).expect("a valid id");
        let pair = Pair {
            one: user("alice"),
            two: user("bob"),
        };
        let [lesser, greater] = tied_versions(&pair.message(id(), "first"), n);
        expected.push(greater.clone());
        let (now, later) = if n < 5 {
            (lesser, greater)
        } else {
            (greater, lesser)
        };
        rounds[0].push(now);
        rounds[1].push(later);
    }
    for versions in rounds {
        let before = disk.files();
        for version in &versions {
            disk.store.put(id().into(), version).await?;
        }
        disk.has_more_files_than(before).await?;
    }
    shows(disk, &expected, "in several files").await?;
    let is_one = || disk.files() == [1, 1];
    disk.until("each table is one file", is_one).await?;
    shows(disk, &expected, "in one file").await
}

async fn shows(disk: &Disk, expected: &[Message], state: &str) -> Verdict {
    for version in expected {
        let (conversation, id) = (version.conversation_id(), version.id());
        let found = disk.store.message(conversation, id).await?;
        assert_eq!(found.as_ref(), Some(version), "{state}");
        let entry = disk.store.entry(version.sender_id(), conversation).await?;
        let entry = entry.expect("an entry");
        assert_eq!(*entry.last_message(), LastMessage::of(version), "{state}");
    }
    Ok(())
}

/// Three texts are on disk before their message is unsent: the first one, that of an edit, and that of
/// a keyed send.
async fn canary(disk: &Disk, cluster: &Arc<Cluster>) -> Verdict {
    let word = name("canary");
    let messenger = Messenger::new(disk.store.clone());
    let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
    let text = |n: u32| format!("{word} number {n}");
    let new = |n| NewMessage::new(alice.clone(), bob.clone(), text(n));
    let key = IdempotencyKey::new("key")?;

    let one = messenger.send(new(1)?).await?;
    let conversation = one.conversation_id();
    messenger
        .edit(conversation, one.id(), &alice, Content::new(text(2))?)
        .await?;
    let keyed = messenger.send_once(new(3)?, key.clone()).await?.message;
    for n in [2, 3] {
        disk.has_flushed(&text(n)).await?;
    }
    for message in [&one, &keyed] {
        messenger.unsend(conversation, message.id(), &alice).await?;
    }
    // An edit that was on its way.
    let late = one.edited(id().into(), Content::new(text(4))?);
    change(&disk.store, &late).await?;

    let replay = messenger.send_once(new(3)?, key).await?.message;
    assert!(replay.is_unsent());
    let other = Messenger::new(CassandraStore::connect(&disk.config).await?);
    for reader in [&messenger, &other] {
        let store = reader.store();
        let views = format!(
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            reader.history(conversation, HistoryQuery::new()).await?,
            reader.message(conversation, one.id()).await?,
            reader.inbox(&bob, InboxQuery::new()).await?,
            reader.entry(&alice, conversation).await?,
            store.history_log(conversation, Position::MIN, 9).await?,
            store.inbox_log(&bob, Position::MIN, 9).await?,
        );
        assert!(!views.contains(&word), "{views}");
    }

    // All memory and the log go to disk at a start.
    let node = Arc::clone(cluster);
    tokio::task::spawn_blocking(move || {
        node.node(0).kill()?;
        node.node(0).start()
    })
    .await??;
    let limit = Instant::now() + Duration::from_secs(60);
    let pair = Pair {
        one: alice,
        two: bob,
    };
    while let Err(error) = send(&disk.store, &pair.message(id(), "again")).await {
        assert!(Instant::now() < limit, "{error}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let is_gone = || disk.containing(&word).is_empty();
    disk.until("the text is in no file", is_gone).await
}
