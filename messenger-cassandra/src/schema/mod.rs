//! The schema: [`tables`] says what there is and why, [`migrate`] brings it about, [`info`] is its
//! description of itself, and [`replication`] what must hold of the keyspace.
//!
//! # Versions
//!
//! The tables have a version, and a server checks it when it connects. It needs the tables to be
//! upgraded to its own version at least; a later version is fine while the tables allow it. So an
//! upgrade is: migrate, replace the servers one by one while those of the version before go on, and
//! then finish: from then on the tables refuse servers of the version before, and what depends on
//! their absence may be used.

use std::time::Duration;

use messenger_core::{Error, ErrorKind, Position};

mod info;
mod migrate;
mod replication;
mod tables;

pub(crate) use migrate::{finish_upgrade, migrate};
pub(crate) use replication::{datacenters, has_second_replica};

use info::Info;

use crate::config::CassandraConfig;
use crate::session::Client;
use crate::window::Windows;

/// The time limit of a migration.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// Facts about the tables that a server needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    pub(crate) windows: Windows,
    /// The position from which on only servers of this version have written to the tables; `None`
    /// while servers of an earlier version may.
    pub(crate) latest_since: Option<Position>,
}

/// Checks that this server can use the tables together with the others.
pub(crate) async fn check(client: &Client, config: &CassandraConfig) -> Result<Schema, Error> {
    let keyspace = config.keyspace.as_str();
    let state = client.session.get_cluster_state();
    replication::check_replication(&state, config)?;
    match info::is_current(&state, keyspace) {
        None => return Err(missing(keyspace)),
        Some(false) => return Err(info::outdated(keyspace, 1)),
        Some(true) => {}
    }
    let info = Info::read(client, keyspace).await?;
    let info = info.ok_or_else(|| missing(keyspace))?;
    info.check_version(keyspace)?;
    info.check_settings(config, replication::count_datacenters(&state, keyspace))?;
    let schema = Schema {
        windows: info.windows(keyspace)?,
        latest_since: info.only_this_version_since(),
    };
    if schema.latest_since.is_none() {
        tracing::info!(
            keyspace,
            "servers of version {} may still write; finish the upgrade when none is left",
            info.oldest()
        );
    }
    Ok(schema)
}

fn missing(keyspace: &str) -> Error {
    invalid(format!(
        "keyspace {keyspace} has no tables of the messenger; run the migration once \
         (CassandraStore::migrate, or the server with --migrate), or name another keyspace"
    ))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
