//! The configuration of a store: options here, their forms as text in the modules below.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use messenger_core::{Error, ErrorKind};

mod consistency;
mod environment;
mod options;
mod replication;
mod url;

pub use consistency::Consistency;
pub use replication::Replication;

/// Options of a [`CassandraStore`](crate::CassandraStore). All have defaults except the nodes.
///
/// ```
/// use std::time::Duration;
/// use messenger_cassandra::CassandraConfig;
///
/// let config = CassandraConfig::new(["10.0.0.1", "10.0.0.2:9042"])
///     .with_keyspace("messenger")
///     .with_datacenter("eu-west")
///     .with_credentials("messenger", "secret")
///     .with_request_timeout(Duration::from_secs(3));
///
/// let same = CassandraConfig::from_url(
///     "cassandra://messenger:secret@10.0.0.1,10.0.0.2:9042/messenger\
///      ?datacenter=eu-west&request_timeout=3s",
/// )?;
/// assert_eq!(config, same);
/// # Ok::<(), messenger_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct CassandraConfig {
    pub(crate) nodes: Vec<String>,
    pub(crate) keyspace: String,
    pub(crate) datacenter: Option<String>,
    pub(crate) replication: Replication,
    pub(crate) credentials: Option<(String, String)>,
    pub(crate) consistency: Consistency,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) speculative_reads: Option<Duration>,
    pub(crate) write_cache: usize,
    /// Buckets and epochs of a new schema, if they were set.
    pub(crate) windows: Option<(Duration, Duration)>,
    pub(crate) addresses: HashMap<SocketAddr, SocketAddr>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::Tls>,
}

impl CassandraConfig {
    /// The longest timeout. It keeps sums of times far from overflowing.
    const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

    /// Buckets of 10 days and epochs of 6 hours.
    const WINDOWS: (Duration, Duration) = (
        Duration::from_secs(10 * 24 * 3600),
        Duration::from_secs(6 * 3600),
    );

    /// The largest write cache, in conversations: about 2 GB.
    const LARGEST_WRITE_CACHE: usize = 10_000_000;

    /// Creates a configuration with the defaults for the cluster that these nodes (`host` or
    /// `host:port`) belong to. One node that answers is enough: the others are found through it.
    pub fn new<N: Into<String>>(nodes: impl IntoIterator<Item = N>) -> Self {
        Self {
            nodes: nodes.into_iter().map(Into::into).collect(),
            keyspace: "messenger".to_owned(),
            datacenter: None,
            replication: Replication::default(),
            credentials: None,
            consistency: Consistency::default(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(5),
            speculative_reads: Some(Duration::from_millis(200)),
            write_cache: 100_000,
            windows: None,
            addresses: HashMap::new(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Replaces the nodes through which the cluster is found, each `host` or `host:port`.
    pub fn with_nodes<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.nodes = nodes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the keyspace of the tables (default `messenger`): lower-case letters, digits and `_`.
    pub fn with_keyspace(mut self, keyspace: impl Into<String>) -> Self {
        self.keyspace = keyspace.into();
        self
    }

    /// Sets the datacenter that this process uses. Others are not used, even if this one cannot be
    /// reached. Required if the keyspace has replicas in several datacenters.
    ///
    /// The rules of the `Store` hold among all processes that use the same datacenter; between
    /// datacenters the views converge. In particular, the same idempotency key used in two
    /// datacenters at once creates two messages.
    pub fn with_datacenter(mut self, datacenter: impl Into<String>) -> Self {
        self.datacenter = Some(datacenter.into());
        self
    }

    /// Sets the replication of a keyspace that [`migrate`](crate::CassandraStore::migrate) creates
    /// (default: three replicas in each datacenter). An existing keyspace is not changed.
    pub fn with_replication(mut self, replication: Replication) -> Self {
        self.replication = replication;
        self
    }

    /// Sets user and password. Without them the cluster must not require authentication.
    pub fn with_credentials(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Sets how many replicas must answer (default: a majority in the local datacenter). All
    /// servers of a keyspace must agree on it.
    pub fn with_consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// Sets the time limit of [`connect`](crate::CassandraStore::connect), which includes preparing
    /// the statements (default 10 s, at most an hour).
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the time limit of a call with all its attempts (default 5 s, at most an hour).
    ///
    /// The [settle time](messenger_core::Store::settle) is this time plus twice the tolerated
    /// difference of clocks, so all servers of a keyspace should have the same value.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets the time after which a read is also sent to a second node (default 200 ms), or `None`
    /// for never. A keyspace with one replica has no second node; the number of replicas is read
    /// when connecting.
    pub fn with_speculative_reads(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.speculative_reads = delay.into();
        self
    }

    /// Sets the size of the write cache, in conversations (default 100,000; about 200 bytes each;
    /// entries live ten minutes). A send to a conversation that is not in the cache costs two more
    /// reads.
    pub fn with_write_cache(mut self, conversations: usize) -> Self {
        self.write_cache = conversations;
        self
    }

    /// Sets the windows of time by which a new schema splits histories (buckets, default 10 days)
    /// and nominates inbox entries (epochs, default 6 hours). They are whole seconds, at least five
    /// minutes. Only [`migrate`](crate::CassandraStore::migrate) reads them, and only when it
    /// creates the tables: they never change afterwards.
    ///
    /// An epoch is a trade-off: a page of an inbox reads all conversations that were active in the
    /// epochs that it touches, and a short epoch moves their rows more often; each move is a
    /// tombstone.
    pub fn with_windows(mut self, bucket: Duration, epoch: Duration) -> Self {
        self.windows = Some((bucket, epoch));
        self
    }

    /// Maps the addresses that nodes advertise to the addresses to connect to (NAT, port
    /// forwarding). Nodes do not advertise a port; the port of the connection through which the
    /// node was found is used.
    pub fn with_addresses(
        mut self,
        addresses: impl IntoIterator<Item = (SocketAddr, SocketAddr)>,
    ) -> Self {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// Returns the nodes through which the cluster is found.
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// Returns the keyspace of the tables.
    pub fn keyspace(&self) -> &str {
        &self.keyspace
    }

    /// Returns the datacenter that this process uses, if one was set.
    pub fn datacenter(&self) -> Option<&str> {
        self.datacenter.as_deref()
    }

    /// Returns the replication of a new keyspace.
    pub fn replication(&self) -> &Replication {
        &self.replication
    }

    /// Returns the user, if credentials were set. The password cannot be read back.
    pub fn user(&self) -> Option<&str> {
        self.credentials.as_ref().map(|(user, _)| user.as_str())
    }

    /// Returns the consistency of reads and writes.
    pub fn consistency(&self) -> Consistency {
        self.consistency
    }

    /// Returns the time limit of connecting.
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Returns the time limit of a call.
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// Returns the time after which a read is also sent to a second node, if it ever is.
    pub fn speculative_reads(&self) -> Option<Duration> {
        self.speculative_reads
    }

    /// Returns the size of the write cache, in conversations.
    pub fn write_cache(&self) -> usize {
        self.write_cache
    }

    /// Returns the lengths of buckets and epochs in a new schema.
    pub fn windows(&self) -> (Duration, Duration) {
        self.windows.unwrap_or(Self::WINDOWS)
    }

    /// Refuses what is wrong for any cluster.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |message: String| Err(Error::new(ErrorKind::Invalid, message));
        if self.nodes.is_empty() {
            return invalid(
                "no Cassandra node is configured; name at least one as host:port".to_owned(),
            );
        }
        if !is_keyspace(&self.keyspace) {
            return invalid(format!(
                "the keyspace must be 1 to 48 lower-case letters, digits and _, beginning with a \
                 letter, not {:?}",
                self.keyspace
            ));
        }
        for (name, time) in [
            ("connect_timeout", Some(self.connect_timeout)),
            ("request_timeout", Some(self.request_timeout)),
            ("speculative_reads", self.speculative_reads),
        ] {
            if time.is_some_and(|time| time.is_zero() || time > Self::LONGEST_TIMEOUT) {
                return invalid(format!(
                    "{name} must be longer than zero and at most {:?}",
                    Self::LONGEST_TIMEOUT
                ));
            }
        }
        if self.write_cache > Self::LARGEST_WRITE_CACHE {
            return invalid(format!(
                "write_cache must be at most {} conversations",
                Self::LARGEST_WRITE_CACHE
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for CassandraConfig {
    /// Leaves out the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CassandraConfig")
            .field("nodes", &self.nodes)
            .field("keyspace", &self.keyspace)
            .field("datacenter", &self.datacenter)
            .field("user", &self.user())
            .field("consistency", &self.consistency)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .finish_non_exhaustive()
    }
}

fn is_keyspace(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 48
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Malformed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyspace_is_a_name_that_needs_no_quotes() {
        for name in ["", "1a", "a-b", "A", "a\"b", &"a".repeat(49)] {
            let config = CassandraConfig::new(["a"]).with_keyspace(name);
            assert_eq!(config.check().unwrap_err().kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn times_and_sizes_that_would_overflow_are_refused() {
        let config = || CassandraConfig::new(["a"]);
        assert!(config().check().is_ok());
        let hour = Duration::from_secs(3600);
        assert!(config().with_request_timeout(hour).check().is_ok());
        for (part, config) in [
            (
                "connect_timeout",
                config().with_connect_timeout(Duration::ZERO),
            ),
            (
                "connect_timeout",
                config().with_connect_timeout(Duration::MAX),
            ),
            (
                "request_timeout",
                config().with_request_timeout(Duration::MAX),
            ),
            (
                "speculative_reads",
                config().with_speculative_reads(Duration::MAX),
            ),
            ("write_cache", config().with_write_cache(usize::MAX)),
        ] {
            let error = config.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(part), "{error}");
        }
    }
}
