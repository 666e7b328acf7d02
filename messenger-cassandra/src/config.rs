//! Where the cluster is, and how it is talked to.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use messenger_core::{Error, ErrorKind};
use percent_encoding::percent_decode_str;

/// Options of a [`CassandraStore`](crate::CassandraStore). Every one has a default but the nodes.
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
    pub(crate) remembered: usize,
    pub(crate) bucket: Duration,
    pub(crate) epoch: Duration,
    pub(crate) addresses: HashMap<SocketAddr, SocketAddr>,
    pub(crate) query_tracing: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::Tls>,
}

impl CassandraConfig {
    /// The defaults, for a cluster of which these nodes (`host` or `host:port`) are some. One that
    /// answers is enough: the others are found through it.
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
            remembered: 100_000,
            bucket: Duration::from_secs(10 * 24 * 3600),
            epoch: Duration::from_secs(6 * 3600),
            addresses: HashMap::new(),
            query_tracing: false,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Reads `cassandra://[user:password@]host[:port][,host…][/keyspace][?option=value&…]`.
    ///
    /// The options are `datacenter`, `replication`, `consistency`, `connect_timeout`,
    /// `request_timeout`, `speculative_reads` (`off`, or a time such as `200ms`), `remembered` and,
    /// with the feature `tls`, `ca_file`; each is described at its `with_` method. User, password and values may be
    /// percent-encoded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`], naming the part that is wrong. The password is never named.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let rest = url.strip_prefix("cassandra://").ok_or_else(|| {
            malformed("a Cassandra URL must begin with cassandra://, as in cassandra://host:9042/messenger")
        })?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, keyspace) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, nodes) = match authority.rsplit_once('@') {
            Some((credentials, nodes)) => (Some(credentials), nodes),
            None => (None, authority),
        };
        let mut config = Self::new(parse_nodes(nodes)?);
        if let Some(credentials) = credentials {
            let (user, password) = credentials.split_once(':').ok_or_else(|| {
                malformed("a Cassandra URL must name a password behind the user, as in user:password@host")
            })?;
            config = config.with_credentials(decoded(user)?, decoded(password)?);
        }
        if !keyspace.is_empty() {
            config = config.with_keyspace(decoded(keyspace)?);
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            config.set(name, &decoded(value)?)?;
        }
        Ok(config)
    }

    /// Reads `MESSENGER_CASSANDRA_URL`, and over it `MESSENGER_CASSANDRA_NODES`
    /// (`host:port,host:port`), `…_KEYSPACE`, `…_USER` and `…_PASSWORD`, and the options of
    /// [`from_url`](Self::from_url) under their names in upper case. Without any of them it is a
    /// node on this machine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`], naming the variable.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        const PREFIX: &str = "MESSENGER_CASSANDRA_";
        let read = |name: &str| {
            let variable = format!("{PREFIX}{}", name.to_ascii_uppercase());
            let value = lookup(&variable).filter(|value| !value.is_empty());
            value.map(|value| (variable, value))
        };
        let within =
            |variable: &str, error: Error| malformed(format!("{variable}: {}", error.message()));
        let mut config = match read("url") {
            Some((variable, url)) => Self::from_url(&url).map_err(|e| within(&variable, e))?,
            None => Self::new(["127.0.0.1:9042"]),
        };
        if let Some((variable, nodes)) = read("nodes") {
            config.nodes = parse_nodes(&nodes).map_err(|e| within(&variable, e))?;
        }
        if let Some((_, keyspace)) = read("keyspace") {
            config = config.with_keyspace(keyspace);
        }
        match (read("user"), read("password")) {
            (Some((_, user)), Some((_, password))) => {
                config = config.with_credentials(user, password);
            }
            (None, None) => {}
            _ => {
                return Err(malformed(
                    "MESSENGER_CASSANDRA_USER and MESSENGER_CASSANDRA_PASSWORD must be set together",
                ));
            }
        }
        for name in OPTIONS {
            if let Some((variable, value)) = read(name) {
                config.set(name, &value).map_err(|e| within(&variable, e))?;
            }
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "datacenter" => self.datacenter = Some(value.to_owned()),
            "replication" => self.replication = value.parse()?,
            "consistency" => self.consistency = value.parse()?,
            "connect_timeout" => self.connect_timeout = parse_duration(name, value)?,
            "request_timeout" => self.request_timeout = parse_duration(name, value)?,
            "speculative_reads" => {
                self.speculative_reads = match value {
                    "off" => None,
                    after => Some(parse_duration(name, after)?),
                }
            }
            "remembered" => {
                self.remembered = value
                    .parse()
                    .map_err(|_| malformed(format!("remembered must be a number, not {value}")))?;
            }
            #[cfg(feature = "tls")]
            "ca_file" => *self = self.clone().with_ca_file(value)?,
            #[cfg(not(feature = "tls"))]
            "ca_file" => {
                return Err(malformed(
                    "ca_file needs the feature tls of messenger-cassandra",
                ));
            }
            _ => {
                return Err(malformed(format!(
                    "there is no option {name}; there are {}",
                    OPTIONS.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// Other nodes to find the cluster by, each `host` or `host:port`.
    pub fn with_nodes<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.nodes = nodes.into_iter().map(Into::into).collect();
        self
    }

    /// The keyspace of the tables: `messenger` unless told. Lower-case letters, digits and `_`.
    pub fn with_keyspace(mut self, keyspace: impl Into<String>) -> Self {
        self.keyspace = keyspace.into();
        self
    }

    /// The datacenter that this process talks to. Others are not used, also not when this one
    /// cannot be reached. It must be named where the keyspace lives in several.
    ///
    /// The rules of the `Store` hold among all processes that name the same datacenter; between
    /// datacenters the views converge. In particular, the same idempotency key used in two
    /// datacenters at once makes two messages.
    pub fn with_datacenter(mut self, datacenter: impl Into<String>) -> Self {
        self.datacenter = Some(datacenter.into());
        self
    }

    /// How often the keyspace is replicated, if [`migrate`](crate::CassandraStore::migrate) has to
    /// create it: three times in each datacenter unless told. One that exists stays as it is.
    pub fn with_replication(mut self, replication: Replication) -> Self {
        self.replication = replication;
        self
    }

    /// User and password. Without them the cluster must take anyone.
    pub fn with_credentials(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// How many replicas must answer: a majority in the own datacenter unless told.
    pub fn with_consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// How long connecting may take in all, with the statements prepared: 10 s unless told.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a call may take in all, with every attempt: 5 s unless told. The
    /// [settle time](messenger_core::Store::settle) is this and 2 s for the difference of clocks;
    /// so processes that share a keyspace should share this value.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// After how long a read is tried on a second node beside the first: 200 ms unless told,
    /// `None` for never. Where the keyspace has one replica there is no second node to try; how many
    /// it has is looked at when connecting.
    pub fn with_speculative_reads(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.speculative_reads = after.into();
        self
    }

    /// Of how many conversations it is remembered for ten minutes which rows they have: 100,000
    /// unless told, about 200 bytes each. Sending to one that is not remembered costs two more
    /// reads.
    pub fn with_remembered(mut self, conversations: usize) -> Self {
        self.remembered = conversations;
        self
    }

    /// The windows of time by which a new schema splits histories (10 days unless told) and
    /// nominates inboxes (6 hours). Only [`migrate`](crate::CassandraStore::migrate) looks at
    /// them, and only when it makes the schema: they never change afterwards.
    ///
    /// An epoch is a trade: a page of an inbox reads all conversations that were active in the
    /// epochs that it touches, while a short epoch moves their rows more often, each move a
    /// tombstone. Whole seconds, at least five minutes.
    pub fn with_windows(mut self, bucket: Duration, epoch: Duration) -> Self {
        self.bucket = bucket;
        self.epoch = epoch;
        self
    }

    /// Where nodes are reached that give other addresses of themselves, as behind NAT or a
    /// forwarded port: from the address that a node gives to the one to connect to. (Nodes give no
    /// port: it counts as that of the connection over which the node was found.)
    pub fn with_addresses(
        mut self,
        addresses: impl IntoIterator<Item = (SocketAddr, SocketAddr)>,
    ) -> Self {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// Lets the nodes write down how they carried out each request, in `system_traces`. Slow; to
    /// find out what a page reads.
    pub fn with_query_tracing(mut self, on: bool) -> Self {
        self.query_tracing = on;
        self
    }

    /// What would be refused at any cluster.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |message: String| Err(Error::new(ErrorKind::Invalid, message));
        if self.nodes.is_empty() {
            return invalid(
                "no Cassandra node is named; name at least one as host:port".to_owned(),
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
            ("connect", self.connect_timeout),
            ("request", self.request_timeout),
        ] {
            if time.is_zero() {
                return invalid(format!("the {name} timeout must be longer than zero"));
            }
        }
        Ok(())
    }
}

/// The names that [`CassandraConfig::set`] knows.
const OPTIONS: [&str; 8] = [
    "datacenter",
    "replication",
    "consistency",
    "connect_timeout",
    "request_timeout",
    "speculative_reads",
    "remembered",
    "ca_file",
];

impl fmt::Debug for CassandraConfig {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CassandraConfig")
            .field("nodes", &self.nodes)
            .field("keyspace", &self.keyspace)
            .field("datacenter", &self.datacenter)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .field("consistency", &self.consistency)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .finish_non_exhaustive()
    }
}

/// How many replicas must answer a read, and acknowledge a write.
///
/// Only majorities are offered. Whatever else Cassandra has lets a read miss what was
/// acknowledged, or see a head that the next read does not; then a conversation could be lost from
/// an inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Consistency {
    /// A majority of the replicas in the own datacenter.
    #[default]
    LocalQuorum,
    /// A majority of all replicas, over all datacenters.
    Quorum,
}

impl FromStr for Consistency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "local_quorum" => Ok(Self::LocalQuorum),
            "quorum" => Ok(Self::Quorum),
            _ => Err(Error::new(
                ErrorKind::Malformed,
                format!(
                    "consistency must be local_quorum or quorum, not {text}: only then does every \
                     read meet what was acknowledged"
                ),
            )),
        }
    }
}

/// How often a new keyspace is replicated. As text: `3`, or `eu=3,us=2`.
///
/// ```
/// use messenger_cassandra::Replication;
///
/// assert_eq!("3".parse::<Replication>()?, Replication::everywhere(3));
/// assert_eq!("eu=3,us=2".parse::<Replication>()?, Replication::in_datacenters([("eu", 3), ("us", 2)]));
/// # Ok::<(), messenger_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication(Factors);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Factors {
    Everywhere(u8),
    In(BTreeMap<String, u8>),
}

impl Replication {
    /// This often in each datacenter that the cluster has when the keyspace is made.
    pub fn everywhere(factor: u8) -> Self {
        Self(Factors::Everywhere(factor))
    }

    /// This often in each of these datacenters, and nowhere else.
    pub fn in_datacenters<D: Into<String>>(factors: impl IntoIterator<Item = (D, u8)>) -> Self {
        let factors = factors.into_iter();
        Self(Factors::In(
            factors
                .map(|(datacenter, factor)| (datacenter.into(), factor))
                .collect(),
        ))
    }

    /// The factor in each of the cluster's datacenters that gets replicas. The datacenters that are
    /// named but do not exist are the error.
    pub(crate) fn resolve(&self, existing: &[&str]) -> Result<BTreeMap<String, u8>, Vec<String>> {
        match &self.0 {
            Factors::Everywhere(factor) => Ok(existing
                .iter()
                .map(|&datacenter| (datacenter.to_owned(), *factor))
                .collect()),
            Factors::In(factors) => {
                let is_unknown = |name: &&String| !existing.contains(&name.as_str());
                let unknown: Vec<String> = factors.keys().filter(is_unknown).cloned().collect();
                if unknown.is_empty() {
                    Ok(factors.clone())
                } else {
                    Err(unknown)
                }
            }
        }
    }
}

impl Default for Replication {
    /// Three times in each datacenter.
    fn default() -> Self {
        Self::everywhere(3)
    }
}

impl FromStr for Replication {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            malformed(format!(
                "replication must be a number such as 3, or one for each datacenter such as \
                 eu=3,us=2, not {text:?}"
            ))
        };
        let factor = |text: &str| match text.trim().parse::<u8>() {
            Ok(factor) if factor > 0 => Ok(factor),
            _ => Err(wrong()),
        };
        if !text.contains('=') {
            return factor(text).map(Self::everywhere);
        }
        let pairs = text.split(',').map(|pair| {
            let (datacenter, text) = pair.split_once('=').ok_or_else(wrong)?;
            Ok((datacenter.trim(), factor(text)?))
        });
        Ok(Self::in_datacenters(
            pairs.collect::<Result<Vec<_>, Error>>()?,
        ))
    }
}

fn is_keyspace(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 48
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn parse_nodes(nodes: &str) -> Result<Vec<String>, Error> {
    let nodes: Vec<String> = nodes
        .split(',')
        .map(|node| node.trim().to_owned())
        .collect();
    if nodes.iter().any(String::is_empty) {
        return Err(malformed(
            "the nodes must be host or host:port, with commas between them",
        ));
    }
    Ok(nodes)
}

fn parse_duration(name: &str, text: &str) -> Result<Duration, Error> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let parsed = match (digits.parse::<u64>(), &text[digits.len()..]) {
        (Ok(number), "ms") => Some(Duration::from_millis(number)),
        (Ok(number), "s") => Some(Duration::from_secs(number)),
        _ => None,
    };
    parsed.ok_or_else(|| {
        malformed(format!(
            "{name} must be a time in whole seconds or milliseconds such as 5s or 500ms, not {text:?}"
        ))
    })
}

fn decoded(text: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| malformed("a percent-encoded part of the Cassandra URL is not UTF-8"))
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Malformed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_everything() {
        let config = CassandraConfig::from_url(
            "cassandra://me:p%40ss%2F@a:1,b/ks?datacenter=eu&consistency=QUORUM&replication=eu=3\
             &connect_timeout=1s&request_timeout=250ms&speculative_reads=off&remembered=7",
        )
        .unwrap();
        let expected = CassandraConfig::new(["a:1", "b"])
            .with_keyspace("ks")
            .with_credentials("me", "p@ss/")
            .with_datacenter("eu")
            .with_consistency(Consistency::Quorum)
            .with_replication(Replication::in_datacenters([("eu", 3)]))
            .with_connect_timeout(Duration::from_secs(1))
            .with_request_timeout(Duration::from_millis(250))
            .with_speculative_reads(None)
            .with_remembered(7);
        assert_eq!(config, expected);
        assert!(!format!("{config:?}").contains("p@ss"));
    }

    #[test]
    fn what_is_wrong_in_a_url_is_named() {
        for (url, part) in [
            ("http://a", "cassandra://"),
            ("cassandra://", "nodes"),
            ("cassandra://a,,b", "nodes"),
            ("cassandra://me@a", "password"),
            ("cassandra://a/k?page=2", "page"),
            ("cassandra://a/k?consistency=one", "local_quorum"),
            ("cassandra://a/k?replication=0", "replication"),
            ("cassandra://a/k?replication=a=3,b", "replication"),
            ("cassandra://a/k?request_timeout=5", "request_timeout"),
            ("cassandra://a/%ff", "UTF-8"),
        ] {
            let error = CassandraConfig::from_url(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{url}");
            assert!(error.message().contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn the_environment_is_read_over_the_url() {
        let env = |pairs: &'static [(&str, &str)]| {
            CassandraConfig::from_lookup(|name| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(env(&[]).unwrap(), CassandraConfig::new(["127.0.0.1:9042"]));
        let config = env(&[
            ("MESSENGER_CASSANDRA_URL", "cassandra://a/k?datacenter=eu"),
            ("MESSENGER_CASSANDRA_NODES", "b:1, c"),
            ("MESSENGER_CASSANDRA_DATACENTER", "us"),
        ]);
        let expected = CassandraConfig::new(["b:1", "c"])
            .with_keyspace("k")
            .with_datacenter("us");
        assert_eq!(config.unwrap(), expected);

        let error = env(&[("MESSENGER_CASSANDRA_CONSISTENCY", "any")]).unwrap_err();
        assert!(
            error
                .message()
                .starts_with("MESSENGER_CASSANDRA_CONSISTENCY: ")
        );
        assert!(env(&[("MESSENGER_CASSANDRA_USER", "me")]).is_err());
    }

    #[test]
    fn a_keyspace_is_a_name_that_needs_no_quotes() {
        for name in ["", "1a", "a-b", "A", "a\"b", &"a".repeat(49)] {
            let config = CassandraConfig::new(["a"]).with_keyspace(name);
            assert_eq!(config.check().unwrap_err().kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn replication_follows_the_datacenters_that_there_are() {
        let three = Replication::default().resolve(&["eu", "us"]).unwrap();
        assert_eq!(
            three.into_iter().collect::<Vec<_>>(),
            [("eu".into(), 3), ("us".into(), 3)]
        );
        let unknown = Replication::in_datacenters([("asia", 1)]).resolve(&["eu"]);
        assert_eq!(unknown.unwrap_err(), ["asia"]);
    }
}
