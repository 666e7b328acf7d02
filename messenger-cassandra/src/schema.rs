//! The tables, with the reason for each key, and how they come to be.
//!
//! # Safe from several processes
//!
//! Two nodes that create one table at the same time give it two ids, and the cluster falls out of
//! agreement. So whoever migrates sends every change of the schema to the same node, the one with
//! the least host id, which makes them one after the other; each says `IF NOT EXISTS`. How long the
//! windows are is settled by a lightweight transaction: the first one wins, and all use its.
//!
//! The version is written last. A migration that was cut off is simply run again.

use std::collections::BTreeMap;
use std::time::Duration;

use messenger_core::{Error, ErrorKind};
use scylla::cluster::ClusterState;
use scylla::cluster::metadata::Strategy;
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};

use crate::config::{CassandraConfig, Consistency};
use crate::error;
use crate::session::Client;
use crate::window::Windows;

/// The version of the tables below. A store takes this one and no other.
pub(crate) const VERSION: i32 = 1;

/// How long a migration may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// How long one change of the schema may take, until all nodes agree.
const CHANGE_LIMIT: Duration = Duration::from_secs(60);

/// The table that says which version the others have, by its name in the driver's metadata.
const INFO: &str = "schema_info";

/// A read that sees the transaction of another process to its end. The store itself reads the
/// version as everything else: another datacenter that is down must not stop it.
const SERIAL: Option<scylla::statement::Consistency> = Some(scylla::statement::Consistency::Serial);

/// All tables, in CQL. `{}` is the keyspace.
///
/// Each table that pages and sends read asks another replica when the first ones have not answered
/// after 50 ms. The default, what 99 of 100 reads took lately, begins at half the read timeout and
/// rises with the very reads that wait for a node that hangs: with it 13 and 0 of 40 reads were
/// answered within 3 s on a ring of three with one node stopped, and with 50 ms all 40, twice.
///
/// Nothing is used that Apache Cassandra 4.1 or ScyllaDB lack.
const TABLES: [&str; 7] = [
    // What the tables are: one row. How long the windows are is fixed when it is written.
    "CREATE TABLE IF NOT EXISTS {}.schema_info (
        name text PRIMARY KEY,
        version int,
        bucket_seconds bigint,
        epoch_seconds bigint
    )",
    // A history, newest first, as it is read: a page is one slice of one partition. The bucket
    // bounds the partition, which else grows as long as two people write to each other.
    "CREATE TABLE IF NOT EXISTS {}.messages (
        conversation_id uuid,
        bucket int,
        id uuid,
        sender_id text,
        receiver_id text,
        content text,
        PRIMARY KEY ((conversation_id, bucket), id)
    ) WITH CLUSTERING ORDER BY (id DESC) AND speculative_retry = '50ms'",
    // Which buckets a history has, so that a conversation that slept for a year costs no probing:
    // 36 small rows for each year in which it was awake.
    "CREATE TABLE IF NOT EXISTS {}.message_buckets (
        conversation_id uuid,
        bucket int,
        PRIMARY KEY ((conversation_id), bucket)
    ) WITH CLUSTERING ORDER BY (bucket DESC) AND speculative_retry = '50ms'",
    // Whose conversation it is. The id is a hash, so the users cannot be read from it.
    "CREATE TABLE IF NOT EXISTS {}.conversations (
        conversation_id uuid PRIMARY KEY,
        participants frozen<list<text>>
    ) WITH speculative_retry = '50ms'",
    // The truth about an inbox: one row for each conversation, in the user's own partition, so
    // that the heads of a page are one query. `head` is a single cell, so that it is never torn: id
    // of the last message, its revision, its sender and the beginning of its text. It is written
    // with a timestamp that follows from the id; a tie goes to the greater value, which begins with
    // the id. So the greatest id wins, with no read, no transaction and no tombstone. Rows are
    // written over and over and read at random: levelled compaction keeps each in few files.
    "CREATE TABLE IF NOT EXISTS {}.inbox_heads (
        user_id text,
        conversation_id uuid,
        participants frozen<list<text>>,
        head tuple<uuid, int, text, text>,
        PRIMARY KEY ((user_id), conversation_id)
    ) WITH speculative_retry = '50ms'
      AND compaction = {'class': 'LeveledCompactionStrategy'}",
    // The order of an inbox, roughly: this conversation was active in this epoch. It nominates and
    // nothing more; a head decides. Both clustering columns descend, so that a scan can go on
    // behind any row with one comparison of both. Rows of epochs that a conversation has left are
    // deleted: three hours of grace suffice, for a deleted row that comes back is only left over
    // again; less would shorten hints.
    "CREATE TABLE IF NOT EXISTS {}.inbox_recency (
        user_id text,
        epoch int,
        conversation_id uuid,
        PRIMARY KEY ((user_id), epoch, conversation_id)
    ) WITH CLUSTERING ORDER BY (epoch DESC, conversation_id DESC)
      AND gc_grace_seconds = 10800 AND speculative_retry = '50ms'
      AND compaction = {'class': 'LeveledCompactionStrategy'}",
    // Which message a sender's key stands for. A partition for each key, for its transaction; a
    // day later the row is gone by itself, and whole files of them at once.
    "CREATE TABLE IF NOT EXISTS {}.idempotency_keys (
        sender_id text,
        key text,
        message_id uuid,
        fingerprint uuid,
        PRIMARY KEY ((sender_id, key))
    ) WITH default_time_to_live = 86400
      AND compaction = {'class': 'TimeWindowCompactionStrategy',
                        'compaction_window_unit': 'HOURS', 'compaction_window_size': '6'}",
];

/// What the schema says about itself.
#[derive(Clone, Copy, Debug)]
struct Info {
    version: i32,
    bucket_seconds: i64,
    epoch_seconds: i64,
}

/// Makes the keyspace and the tables, as far as they are not there.
pub(crate) async fn migrate(client: &Client, config: &CassandraConfig) -> Result<(), Error> {
    let windows = (config.bucket.as_secs(), config.epoch.as_secs());
    if Windows::from_secs(windows.0, windows.1).is_none() {
        let shortest = Windows::SHORTEST;
        return Err(invalid(format!(
            "the windows must be at least {shortest:?} long"
        )));
    }
    let keyspace = config.keyspace.as_str();
    let state = client.session.get_cluster_state();
    if has_info(&state, keyspace)
        && let Some(info) = read_info(client, keyspace, SERIAL).await?
    {
        return refuse_newer(keyspace, info.version);
    }
    if state.get_keyspace(keyspace).is_none() {
        let factors = resolve_replication(config, &state)?;
        change(client, &create_keyspace(keyspace, &factors)).await?;
    }
    for table in TABLES {
        change(client, &table.replace("{}", keyspace)).await?;
    }
    write_info(client, keyspace, windows).await?;
    match read_info(client, keyspace, SERIAL).await? {
        Some(info) => refuse_newer(keyspace, info.version),
        None => Err(missing(keyspace)),
    }
}

/// Checks that the tables are those of this version, and says how long their windows are.
pub(crate) async fn check(client: &Client, keyspace: &str) -> Result<Windows, Error> {
    if !has_info(&client.session.get_cluster_state(), keyspace) {
        return Err(missing(keyspace));
    }
    let info = read_info(client, keyspace, None)
        .await?
        .ok_or_else(|| missing(keyspace))?;
    refuse_newer(keyspace, info.version)?;
    if info.version < VERSION {
        return Err(invalid(format!(
            "the tables in keyspace {keyspace} are of version {}, and this program needs version \
             {VERSION}; run the migration",
            info.version
        )));
    }
    let seconds = |seconds: i64| u64::try_from(seconds).unwrap_or(0);
    Windows::from_secs(seconds(info.bucket_seconds), seconds(info.epoch_seconds)).ok_or_else(|| {
        Error::new(
            ErrorKind::Corrupt,
            format!("{keyspace}.{INFO} holds windows that are too short: {info:?}"),
        )
    })
}

/// Refuses a replication in which two majorities need not meet.
pub(crate) fn check_replication(
    state: &ClusterState,
    config: &CassandraConfig,
) -> Result<(), Error> {
    let keyspace = &config.keyspace;
    let Some(found) = state.get_keyspace(keyspace) else {
        return Err(missing(keyspace));
    };
    let factors: BTreeMap<&str, usize> = match &found.strategy {
        Strategy::NetworkTopologyStrategy {
            datacenter_repfactors,
        } => datacenter_repfactors
            .iter()
            .filter(|(_, factor)| **factor > 0)
            .map(|(datacenter, factor)| (datacenter.as_str(), *factor))
            .collect(),
        // Knows no datacenters, so a majority in one of them is none of the replicas.
        Strategy::SimpleStrategy { replication_factor } => {
            return match (config.consistency, datacenters(state).len()) {
                (Consistency::LocalQuorum, 2..) => Err(invalid(format!(
                    "keyspace {keyspace} has SimpleStrategy in a cluster of several datacenters; \
                     alter it to NetworkTopologyStrategy"
                ))),
                _ => enough_nodes(keyspace, "the cluster", *replication_factor, state, None),
            };
        }
        Strategy::LocalStrategy | Strategy::Other { .. } | _ => {
            return Err(invalid(format!(
                "keyspace {keyspace} must be replicated by NetworkTopologyStrategy"
            )));
        }
    };
    match (&config.datacenter, config.consistency) {
        (Some(datacenter), Consistency::LocalQuorum) => {
            let Some(&factor) = factors.get(datacenter.as_str()) else {
                return Err(invalid(format!(
                    "keyspace {keyspace} has no replicas in datacenter {datacenter}, only in {}; \
                     alter its replication, or name another datacenter",
                    join(factors.keys().copied())
                )));
            };
            enough_nodes(keyspace, datacenter, factor, state, Some(datacenter))
        }
        (None, Consistency::LocalQuorum) if factors.len() > 1 => Err(invalid(format!(
            "keyspace {keyspace} lives in the datacenters {}; name the one that this process is to \
             use, or majorities in different ones would not meet",
            join(factors.keys().copied())
        ))),
        (None, Consistency::LocalQuorum) | (_, Consistency::Quorum) => {
            for (&datacenter, &factor) in &factors {
                enough_nodes(keyspace, datacenter, factor, state, Some(datacenter))?;
            }
            Ok(())
        }
    }
}

/// Whether a row is on more than one node, so that a second one can be asked for it.
pub(crate) fn has_second_replica(state: &ClusterState, keyspace: &str) -> bool {
    let replicas = match state.get_keyspace(keyspace).map(|found| &found.strategy) {
        Some(Strategy::SimpleStrategy { replication_factor }) => *replication_factor,
        Some(Strategy::NetworkTopologyStrategy {
            datacenter_repfactors,
        }) => datacenter_repfactors.values().sum(),
        _ => return true,
    };
    replicas > 1
}

/// A majority must be possible with the nodes that the cluster has, up or not.
fn enough_nodes(
    keyspace: &str,
    place: &str,
    factor: usize,
    state: &ClusterState,
    datacenter: Option<&str>,
) -> Result<(), Error> {
    let nodes = count_nodes(state, datacenter);
    if nodes > factor / 2 {
        return Ok(());
    }
    Err(invalid(format!(
        "keyspace {keyspace} has {factor} replicas in {place}, which has {nodes} node(s), so no \
         majority can answer; add nodes, or alter the keyspace (one replica is enough to try \
         things out)"
    )))
}

/// The names of the cluster's datacenters, sorted.
pub(crate) fn datacenters(state: &ClusterState) -> Vec<&str> {
    let nodes = state.get_nodes_info().iter();
    let mut names: Vec<&str> = nodes
        .filter_map(|node| node.datacenter.as_deref())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn count_nodes(state: &ClusterState, datacenter: Option<&str>) -> usize {
    let nodes = state.get_nodes_info().iter();
    nodes
        .filter(|node| datacenter.is_none() || node.datacenter.as_deref() == datacenter)
        .count()
}

fn resolve_replication(
    config: &CassandraConfig,
    state: &ClusterState,
) -> Result<BTreeMap<String, u8>, Error> {
    let existing = datacenters(state);
    let factors = config.replication.resolve(&existing).map_err(|unknown| {
        invalid(format!(
            "the cluster has no datacenter {}; it has {}",
            unknown.join(", "),
            existing.join(", ")
        ))
    })?;
    for (datacenter, &factor) in &factors {
        let nodes = count_nodes(state, Some(datacenter));
        if nodes < usize::from(factor) {
            return Err(invalid(format!(
                "{factor} replicas cannot be kept in datacenter {datacenter}, which has {nodes} \
                 node(s); add nodes, or set the replication to {nodes}"
            )));
        }
    }
    Ok(factors)
}

fn create_keyspace(keyspace: &str, factors: &BTreeMap<String, u8>) -> String {
    let factors: String = factors
        .iter()
        .map(|(datacenter, factor)| format!(", '{}': {factor}", datacenter.replace('\'', "''")))
        .collect();
    format!(
        "CREATE KEYSPACE IF NOT EXISTS {keyspace} \
         WITH replication = {{'class': 'NetworkTopologyStrategy'{factors}}}"
    )
}

/// Makes one change, at the node that makes all of them, and waits until the nodes agree.
async fn change(client: &Client, cql: &str) -> Result<(), Error> {
    let state = client.session.get_cluster_state();
    let nodes = state.get_nodes_info().iter();
    let first = nodes
        .filter(|node| node.is_connected())
        .min_by_key(|node| node.host_id);
    let mut statement = client.statement(cql);
    statement.set_request_timeout(Some(CHANGE_LIMIT));
    statement.set_load_balancing_policy(first.map(|node| {
        SingleTargetLoadBalancingPolicy::new(NodeIdentifier::HostId(node.host_id), None)
    }));
    tracing::info!(cql, "changing the schema");
    client
        .session
        .query_unpaged(statement, &[])
        .await
        .map_err(|error| {
            let verdict = error::of_request(&error);
            Error::new(
                verdict.kind,
                format!("the schema could not be changed: {error}"),
            )
            .with_source(error)
        })?;
    Ok(())
}

async fn write_info(
    client: &Client,
    keyspace: &str,
    (bucket, epoch): (u64, u64),
) -> Result<(), Error> {
    let statement = client.statement(format!(
        "INSERT INTO {keyspace}.{INFO} (name, version, bucket_seconds, epoch_seconds) \
         VALUES ('messenger', {VERSION}, {bucket}, {epoch}) IF NOT EXISTS"
    ));
    // Whether it was this process or another: what counts is read afterwards.
    client
        .session
        .query_unpaged(statement, &[])
        .await
        .map_err(error::read)?;
    Ok(())
}

async fn read_info(
    client: &Client,
    keyspace: &str,
    consistency: Option<scylla::statement::Consistency>,
) -> Result<Option<Info>, Error> {
    let mut statement = client.statement(format!(
        "SELECT version, bucket_seconds, epoch_seconds FROM {keyspace}.{INFO} \
         WHERE name = 'messenger'"
    ));
    if let Some(consistency) = consistency {
        statement.set_consistency(consistency);
    }
    let result = client
        .session
        .query_unpaged(statement, &[])
        .await
        .map_err(error::read)?;
    let rows = result.into_rows_result().map_err(error::undecodable)?;
    let row = rows
        .maybe_first_row::<(i32, i64, i64)>()
        .map_err(error::undecodable)?;
    Ok(row.map(|(version, bucket_seconds, epoch_seconds)| Info {
        version,
        bucket_seconds,
        epoch_seconds,
    }))
}

fn has_info(state: &ClusterState, keyspace: &str) -> bool {
    let found = state.get_keyspace(keyspace);
    found.is_some_and(|keyspace| keyspace.tables.contains_key(INFO))
}

fn refuse_newer(keyspace: &str, version: i32) -> Result<(), Error> {
    if version <= VERSION {
        return Ok(());
    }
    Err(invalid(format!(
        "the tables in keyspace {keyspace} are of version {version}, made by a newer program; this \
         one knows version {VERSION} and would damage them: upgrade it"
    )))
}

fn missing(keyspace: &str) -> Error {
    invalid(format!(
        "keyspace {keyspace} has no tables of the messenger; run the migration once \
         (CassandraStore::migrate, or the server with --migrate), or name another keyspace"
    ))
}

fn join<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyspace_is_replicated_by_datacenter() {
        let factors = BTreeMap::from([("eu".to_owned(), 3), ("o'us".to_owned(), 2)]);
        assert_eq!(
            create_keyspace("k", &factors),
            "CREATE KEYSPACE IF NOT EXISTS k WITH replication = \
             {'class': 'NetworkTopologyStrategy', 'eu': 3, 'o''us': 2}"
        );
    }

    #[test]
    fn a_newer_schema_is_refused() {
        assert!(refuse_newer("k", VERSION).is_ok());
        let error = refuse_newer("k", VERSION + 1).unwrap_err();
        assert!(error.message().contains("upgrade"), "{error}");
    }
}
