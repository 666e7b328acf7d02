//! Creates the tables and upgrades them.
//!
//! # Any earlier version, and what is missing
//!
//! The tables that exist are compared with [`TABLES`]: a missing table is created, and a missing
//! column is added. Options that came with a later version than the recorded one are set. Nothing is
//! removed or changed in meaning, so servers of the earlier version go on. The version is recorded
//! last: a migration that was cut off is run again.
//!
//! # Several processes
//!
//! Two nodes that create one table at the same time give it two ids, and the cluster falls out of
//! agreement. So every process sends every change to the same node, the one with the least host id,
//! which makes them one after the other; each says `IF NOT EXISTS`. A process that cannot reach that
//! node takes the next one. The windows are fixed by a lightweight transaction: the first process
//! wins, and all use its windows.

use std::collections::HashMap;
use std::time::Duration;

use messenger_core::Error;
use scylla::cluster::metadata::Table as Existing;
use scylla::cluster::{ClusterState, Node};
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};

use super::info::{self, Info};
use super::replication::{create_keyspace, resolve_replication};
use super::tables::{SCHEMA_INFO, TABLES, Table};
use super::{invalid, missing};
use crate::config::CassandraConfig;
use crate::error;
use crate::session::Client;
use crate::window::Windows;

/// The time limit of a change of the schema, until all nodes agree.
const CHANGE_LIMIT: Duration = Duration::from_secs(60);

/// The time limit for a new session to connect to the node that makes the changes.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// The tables that exist.
type Found = HashMap<String, Existing>;

/// Creates the keyspace and tables if they do not exist, and upgrades them.
pub(crate) async fn migrate(client: &Client, config: &CassandraConfig) -> Result<(), Error> {
    let (bucket, epoch) = config.windows();
    let windows = (bucket.as_secs(), epoch.as_secs());
    if Windows::from_secs(windows.0, windows.1).is_none() {
        let shortest = Windows::SHORTEST;
        return Err(invalid(format!(
            "the windows must be at least {shortest:?} long"
        )));
    }
    let keyspace = config.keyspace.as_str();
    let state = client.session.get_cluster_state();
    if state.get_keyspace(keyspace).is_none() {
        let factors = resolve_replication(config, &state)?;
        change(client, &create_keyspace(keyspace, &factors)).await?;
    }
    let found = state.get_keyspace(keyspace);
    let found = found.map_or_else(Found::new, |found| found.tables.clone());
    for table in [&SCHEMA_INFO].into_iter().chain(TABLES) {
        check_key(table, &found, keyspace)?;
    }
    // The row says which options to set, and its table must have the columns to say so.
    complete(client, &SCHEMA_INFO, &found, keyspace).await?;
    let info = Info::read(client, keyspace).await?;
    if let Some(info) = &info {
        info.refuse_newer(keyspace)?;
    }
    let version = info.as_ref().map_or(0, Info::applied);
    for table in TABLES {
        complete(client, table, &found, keyspace).await?;
        if let Some(cql) = table.set_options(keyspace, version)
            && found.contains_key(table.name)
        {
            change(client, &cql).await?;
        }
    }
    let info = match info {
        Some(info) => info,
        None => Info::create(client, config, windows).await?,
    };
    info.refuse_newer(keyspace)?;
    if config.windows.is_some() {
        info.warn_of_other_windows(windows);
    }
    info.upgrade(client, config).await
}

/// Refuses servers of earlier versions from now on.
pub(crate) async fn finish_upgrade(client: &Client, keyspace: &str) -> Result<(), Error> {
    let state = client.session.get_cluster_state();
    match info::is_current(&state, keyspace) {
        None => return Err(missing(keyspace)),
        Some(false) => return Err(info::outdated(keyspace, 1)),
        Some(true) => {}
    }
    let info = Info::read(client, keyspace).await?;
    info.ok_or_else(|| missing(keyspace))?
        .finish(client, keyspace)
        .await
}

/// Refuses a table of this name that is not one of ours: another key cannot be altered.
fn check_key(table: &Table, found: &Found, keyspace: &str) -> Result<(), Error> {
    let Some(existing) = found.get(table.name) else {
        return Ok(());
    };
    let clustering: Vec<_> = table.clustering_names().collect();
    if existing.partition_key == table.partition && existing.clustering_key == clustering {
        return Ok(());
    }
    Err(invalid(format!(
        "keyspace {keyspace} has a table {} that is not one of the tables of the messenger; name \
         another keyspace",
        table.name
    )))
}

/// Creates the table if it does not exist, and adds columns that are missing.
async fn complete(
    client: &Client,
    table: &Table,
    found: &Found,
    keyspace: &str,
) -> Result<(), Error> {
    let Some(existing) = found.get(table.name) else {
        return change(client, &table.create(keyspace)).await;
    };
    for cql in table.add_columns(keyspace, |name| existing.columns.contains_key(name)) {
        change(client, &cql).await?;
    }
    Ok(())
}

/// Makes one change, at the node that makes all of them, and waits until the nodes agree.
async fn change(client: &Client, cql: &str) -> Result<(), Error> {
    let mut statement = client.statement(cql);
    statement.set_request_timeout(Some(CHANGE_LIMIT));
    let node = node_of_changes(client).await;
    statement.set_load_balancing_policy(
        node.map(|id| SingleTargetLoadBalancingPolicy::new(NodeIdentifier::HostId(id), None)),
    );
    tracing::info!(cql, "changing the schema");
    let result = client.session.query_unpaged(statement, &[]).await;
    result.map(drop).map_err(|error| {
        let kind = error::of_request(&error).kind;
        Error::new(kind, format!("the schema could not be changed: {error}")).with_source(error)
    })
}

/// Returns the node with the least host id, or if it cannot be reached the next one.
async fn node_of_changes(client: &Client) -> Option<uuid::Uuid> {
    let least = |is: fn(&Node) -> bool| {
        let state: &ClusterState = &client.session.get_cluster_state();
        let nodes = state.get_nodes_info().iter();
        let ids = nodes.filter(|node| is(node)).map(|node| node.host_id);
        ids.min()
    };
    // A session opens its connections one after the other: what it reaches first is chance.
    let all_connected = async {
        while least(|_| true) != least(Node::is_connected) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let _ = tokio::time::timeout(CONNECT_LIMIT, all_connected).await;
    least(Node::is_connected)
}
