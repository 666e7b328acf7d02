//! The row in which the tables describe themselves.

use messenger_core::{Clock, Error, ErrorKind, Position, Timestamp};
use scylla::cluster::ClusterState;
use scylla::statement::{Consistency, SerialConsistency};

use super::tables::{SCHEMA_INFO, VERSION};
use super::{invalid, missing};
use crate::clock::TOLERATED;
use crate::config::CassandraConfig;
use crate::error;
use crate::session::Client;
use crate::window::Windows;

/// The row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Info {
    /// The least version that a server must know.
    oldest: i32,
    /// The version up to which the tables were upgraded.
    applied: i32,
    bucket_seconds: i64,
    epoch_seconds: i64,
    /// Settings that servers must agree on, once a server of version 2 has written it.
    consistency: Option<String>,
    request_timeout_ms: Option<i64>,
    /// The time at which the upgrade to this version was finished.
    finished_ms: Option<i64>,
}

/// The columns of the row, in the order in which they are read.
type Row = (
    i32,
    Option<i32>,
    i64,
    i64,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

impl Info {
    /// Reads the row, at the store's own consistency: another datacenter that is down must not
    /// matter. The table must have the columns of this version.
    pub(super) async fn read(client: &Client, keyspace: &str) -> Result<Option<Self>, Error> {
        Self::read_at(client, keyspace, None).await
    }

    async fn read_at(
        client: &Client,
        keyspace: &str,
        consistency: Option<Consistency>,
    ) -> Result<Option<Self>, Error> {
        let mut statement = client.statement(format!(
            "SELECT version, applied, bucket_seconds, epoch_seconds, consistency, \
             request_timeout_ms, finished_ms FROM {keyspace}.{} WHERE name = 'messenger'",
            SCHEMA_INFO.name
        ));
        if let Some(consistency) = consistency {
            statement.set_consistency(consistency);
        }
        let result = client.session.query_unpaged(statement, &[]).await;
        let rows = result
            .map_err(error::read)?
            .into_rows_result()
            .map_err(error::undecodable)?;
        let row = rows.maybe_first_row::<Row>().map_err(error::undecodable)?;
        Ok(row.map(
            |(
                oldest,
                applied,
                bucket_seconds,
                epoch_seconds,
                consistency,
                request_timeout_ms,
                finished_ms,
            )| {
                Self {
                    oldest,
                    // Servers of version 1 wrote only the first of the two.
                    applied: applied.unwrap_or(oldest),
                    bucket_seconds,
                    epoch_seconds,
                    consistency,
                    request_timeout_ms,
                    finished_ms,
                }
            },
        ))
    }

    /// Writes the row of new tables, unless another process was faster, and returns what counts.
    /// This is settled among all datacenters, and happens once.
    pub(super) async fn create(
        client: &Client,
        config: &CassandraConfig,
        (bucket, epoch): (u64, u64),
    ) -> Result<Self, Error> {
        let keyspace = &config.keyspace;
        let mut statement = client.statement(format!(
            "INSERT INTO {keyspace}.{} (name, version, applied, bucket_seconds, epoch_seconds, \
             consistency, request_timeout_ms) VALUES ('messenger', {VERSION}, {VERSION}, \
             {bucket}, {epoch}, '{}', {}) IF NOT EXISTS",
            SCHEMA_INFO.name,
            config.consistency,
            timeout_ms(config),
        ));
        statement.set_serial_consistency(Some(SerialConsistency::Serial));
        run(client, statement).await?;
        Self::read_at(client, keyspace, Some(Consistency::Serial))
            .await?
            .ok_or_else(|| missing(keyspace))
    }

    /// Records that the tables are those of this version now.
    pub(super) async fn upgrade(
        &self,
        client: &Client,
        config: &CassandraConfig,
    ) -> Result<(), Error> {
        if self.applied >= VERSION {
            return Ok(());
        }
        let mut settings = String::new();
        if self.consistency.is_none() {
            settings += &format!(", consistency = '{}'", config.consistency);
        }
        if self.request_timeout_ms.is_none() {
            settings += &format!(", request_timeout_ms = {}", timeout_ms(config));
        }
        let statement = client.statement(format!(
            "UPDATE {}.{} SET applied = {VERSION}{settings} WHERE name = 'messenger'",
            config.keyspace, SCHEMA_INFO.name
        ));
        run(client, statement).await
    }

    /// Refuses servers of earlier versions from now on.
    pub(super) async fn finish(&self, client: &Client, keyspace: &str) -> Result<(), Error> {
        self.check_version(keyspace)?;
        let statement = client.statement(format!(
            "UPDATE {keyspace}.{} SET version = {VERSION}, finished_ms = {} \
             WHERE name = 'messenger' IF version < {VERSION}",
            SCHEMA_INFO.name,
            Timestamp::now().as_millis(),
        ));
        run(client, statement).await
    }

    pub(super) fn applied(&self) -> i32 {
        self.applied
    }

    /// The least version of the servers that may write to these tables.
    pub(super) fn oldest(&self) -> i32 {
        self.oldest
    }

    /// Returns the position from which on only servers of this version have written; `None` while
    /// others may write.
    pub(super) fn only_this_version_since(&self) -> Option<Position> {
        if self.oldest < VERSION {
            return None;
        }
        let Some(finished) = self.finished_ms else {
            return Some(Position::MIN);
        };
        // What was sent last before may lie ahead of the clock by as much as that is tolerated.
        let finished = Timestamp::from_millis(u64::try_from(finished).unwrap_or(0));
        let ahead = Clock::MAX_AHEAD + 2 * TOLERATED;
        finished
            .map(|finished| Position::start_of(finished.saturating_add(ahead)))
            .ok()
    }

    pub(super) fn windows(&self, keyspace: &str) -> Result<Windows, Error> {
        let seconds = |seconds: i64| u64::try_from(seconds).unwrap_or(0);
        Windows::from_secs(seconds(self.bucket_seconds), seconds(self.epoch_seconds)).ok_or_else(
            || {
                Error::new(
                    ErrorKind::Corrupt,
                    format!(
                        "{keyspace}.{} holds windows that are too short: {self:?}",
                        SCHEMA_INFO.name
                    ),
                )
            },
        )
    }

    /// Refuses tables that only a newer program can use.
    pub(super) fn refuse_newer(&self, keyspace: &str) -> Result<(), Error> {
        if self.oldest <= VERSION {
            return Ok(());
        }
        Err(invalid(format!(
            "the tables in keyspace {keyspace} need a program of version {} of the tables; this \
             one knows version {VERSION} and would damage them: upgrade it",
            self.oldest
        )))
    }

    /// Refuses tables that this program cannot use.
    pub(super) fn check_version(&self, keyspace: &str) -> Result<(), Error> {
        self.refuse_newer(keyspace)?;
        if self.applied < VERSION {
            return Err(outdated(keyspace, self.applied));
        }
        Ok(())
    }

    /// Refuses a consistency that does not meet that of the other servers, and warns of a timeout
    /// that is not theirs. `datacenters` is the number of those in which the keyspace has replicas.
    pub(super) fn check_settings(
        &self,
        config: &CassandraConfig,
        datacenters: usize,
    ) -> Result<(), Error> {
        let keyspace = &config.keyspace;
        let own = config.consistency.to_string();
        match &self.consistency {
            // In one datacenter both are the same replicas.
            Some(theirs) if *theirs != own && datacenters > 1 => {
                return Err(invalid(format!(
                    "the servers of keyspace {keyspace} use the consistency {theirs}, and this one \
                     {own}: their majorities would not meet, and an idempotency key could have two \
                     messages; configure {theirs}, or change {keyspace}.{} while no server runs",
                    SCHEMA_INFO.name
                )));
            }
            _ => {}
        }
        match self.request_timeout_ms {
            Some(theirs) if theirs != timeout_ms(config) => tracing::warn!(
                keyspace,
                "the servers of this keyspace have a request timeout of {theirs} ms, and this one \
                 of {} ms; where they differ, a client that catches up may miss a message",
                timeout_ms(config),
            ),
            _ => {}
        }
        Ok(())
    }

    /// Warns of windows that were asked for and are not those of the tables.
    pub(super) fn warn_of_other_windows(&self, (bucket, epoch): (u64, u64)) {
        let is = |stored: i64, asked: u64| u64::try_from(stored) == Ok(asked);
        if !is(self.bucket_seconds, bucket) || !is(self.epoch_seconds, epoch) {
            tracing::warn!(
                "the tables have buckets of {} s and epochs of {} s; the configured ones ({bucket} \
                 s and {epoch} s) are not used, for windows cannot change",
                self.bucket_seconds,
                self.epoch_seconds,
            );
        }
    }
}

/// Returns whether the table has the columns that [`Info::read`] reads; `None` if there is no table.
pub(super) fn is_current(state: &ClusterState, keyspace: &str) -> Option<bool> {
    let table = state.get_keyspace(keyspace)?.tables.get(SCHEMA_INFO.name)?;
    let mut columns = SCHEMA_INFO.columns.iter();
    Some(columns.all(|column| table.columns.contains_key(column.name)))
}

pub(super) fn outdated(keyspace: &str, version: i32) -> Error {
    invalid(format!(
        "the tables in keyspace {keyspace} are of version {version}, and this program needs \
         version {VERSION}; run the migration"
    ))
}

fn timeout_ms(config: &CassandraConfig) -> i64 {
    i64::try_from(config.request_timeout.as_millis()).unwrap_or(i64::MAX)
}

async fn run(
    client: &Client,
    statement: scylla::statement::unprepared::Statement,
) -> Result<(), Error> {
    let result = client.session.query_unpaged(statement, &[]).await;
    result.map(drop).map_err(error::read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Consistency as Level;

    fn info() -> Info {
        Info {
            oldest: VERSION,
            applied: VERSION,
            bucket_seconds: 3600,
            epoch_seconds: 3600,
            consistency: Some("local_quorum".to_owned()),
            request_timeout_ms: Some(5000),
            finished_ms: None,
        }
    }

    #[test]
    fn tables_that_need_a_newer_program_are_refused() {
        assert!(info().check_version("k").is_ok());
        let newer = Info {
            oldest: VERSION + 1,
            applied: VERSION + 1,
            ..info()
        };
        let error = newer.check_version("k").unwrap_err();
        assert!(error.message().contains("upgrade"), "{error}");
    }

    #[test]
    fn a_later_upgrade_leaves_this_version_running() {
        let later = Info {
            applied: VERSION + 1,
            ..info()
        };
        assert!(later.check_version("k").is_ok());
        let earlier = Info {
            applied: VERSION - 1,
            oldest: VERSION - 1,
            ..info()
        };
        let error = earlier.check_version("k").unwrap_err();
        assert!(error.message().contains("run the migration"), "{error}");
    }

    #[test]
    fn another_consistency_is_refused_where_majorities_would_not_meet() {
        let config = CassandraConfig::new(["a"]).with_consistency(Level::Quorum);
        let error = info().check_settings(&config, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("local_quorum"), "{error}");
        assert!(info().check_settings(&config, 1).is_ok());
        let local = config.with_consistency(Level::LocalQuorum);
        assert!(info().check_settings(&local, 2).is_ok());
    }
}
