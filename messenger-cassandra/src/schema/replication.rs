//! The replication of a keyspace: settings that are refused, and the creation of a new one.

use std::collections::BTreeMap;

use messenger_core::Error;
use scylla::cluster::ClusterState;
use scylla::cluster::metadata::Strategy;

use super::{invalid, missing};
use crate::config::{CassandraConfig, Consistency};

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
        // It knows no datacenters, so a majority in one of them is not a majority of the replicas.
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
            "keyspace {keyspace} has replicas in the datacenters {}; name the one that this process \
             uses, or majorities in different ones would not meet",
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

/// Returns whether each row is on more than one node, so that a second node can serve a read.
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

pub(super) fn resolve_replication(
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

pub(super) fn create_keyspace(keyspace: &str, factors: &BTreeMap<String, u8>) -> String {
    let factors: String = factors
        .iter()
        .map(|(datacenter, factor)| format!(", '{}': {factor}", datacenter.replace('\'', "''")))
        .collect();
    format!(
        "CREATE KEYSPACE IF NOT EXISTS {keyspace} \
         WITH replication = {{'class': 'NetworkTopologyStrategy'{factors}}}"
    )
}

/// The number of datacenters in which a keyspace has replicas.
pub(super) fn count_datacenters(state: &ClusterState, keyspace: &str) -> usize {
    match state.get_keyspace(keyspace).map(|found| &found.strategy) {
        Some(Strategy::NetworkTopologyStrategy {
            datacenter_repfactors,
        }) => {
            let factors = datacenter_repfactors.values();
            factors.filter(|factor| **factor > 0).count()
        }
        _ => datacenters(state).len(),
    }
}

fn join<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
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
}
