//! A configuration in one line.

use messenger_core::Error;
use percent_encoding::percent_decode_str;

use super::options::parse_nodes;
use super::{CassandraConfig, malformed};

impl CassandraConfig {
    /// Reads `cassandra://[user:password@]host[:port][,host…][/keyspace][?option=value&…]`.
    ///
    /// The options are `datacenter`, `replication`, `consistency`, `connect_timeout`,
    /// `request_timeout`, `speculative_reads` (`off`, or a time such as `200ms`), `write_cache`
    /// and, with the feature `tls`, `ca_file`; each is described at its `with_` method. User,
    /// password, keyspace and values may be percent-encoded, and must be where they contain `/`,
    /// `?`, `&`, `%` or `@`.
    ///
    /// # Errors
    ///
    /// [`Malformed`](messenger_core::ErrorKind::Malformed), with the part that is wrong. No error
    /// contains the password or a part of it.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let rest = url.strip_prefix("cassandra://").ok_or_else(|| {
            malformed("a Cassandra URL must begin with cassandra://, as in cassandra://host:9042/messenger")
        })?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // Everything before this `@` may be a password, so no part may appear in an error.
        if tail.contains('@') {
            return Err(malformed(
                "a Cassandra URL has an @ after its first / or ?; percent-encode /, ? and @ in \
                 user, password and values (%2F, %3F, %40)",
            ));
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let (credentials, nodes) = match authority.rsplit_once('@') {
            Some((credentials, nodes)) => (Some(credentials), nodes),
            None => (None, authority),
        };
        let mut config = Self::new(parse_nodes(nodes)?);
        if let Some(credentials) = credentials {
            let (user, password) = credentials.split_once(':').ok_or_else(|| {
                malformed(
                    "a Cassandra URL must have a password after the user, as in user:password@host",
                )
            })?;
            config = config.with_credentials(decoded(user)?, decoded(password)?);
        }
        match path.strip_prefix('/') {
            None | Some("") => {}
            Some(keyspace) => config = config.with_keyspace(decoded(keyspace)?),
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            config.set(name, &decoded(value)?)?;
        }
        Ok(config)
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| malformed("a percent-encoded part of the Cassandra URL is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Consistency, Replication};
    use messenger_core::ErrorKind;
    use std::time::Duration;

    #[test]
    fn a_url_names_everything() {
        let config = CassandraConfig::from_url(
            "cassandra://me:p%40ss%2F@a:1,b/ks?datacenter=eu&consistency=QUORUM&replication=eu=3\
             &connect_timeout=1s&request_timeout=250ms&speculative_reads=off&write_cache=7",
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
            .with_write_cache(7);
        assert_eq!(config, expected);
        assert!(!format!("{config:?}").contains("p@ss"));
        let config = CassandraConfig::from_url("cassandra://[::1]:9042,::1?datacenter=eu");
        assert_eq!(config.unwrap().nodes(), ["[::1]:9042", "::1"]);
    }

    #[test]
    fn an_error_names_the_part_that_is_wrong() {
        for (url, part) in [
            ("http://a", "cassandra://"),
            ("cassandra://", "nodes"),
            ("cassandra://a,,b", "nodes"),
            ("cassandra://a:port", "nodes"),
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
    fn an_error_contains_no_part_of_the_password() {
        for url in [
            "cassandra://me:sec?ret@host/ks",
            "cassandra://me:sec?ret@host/ks?request_timeout=5",
            "cassandra://me:sec/ret@host/ks",
            "cassandra://me:sec&ret=x?ret@host",
            "cassandra://me:sec%ffret@host",
            "cassandra://me:secret",
            "cassandra://me:sec/ret",
            "cassandra://secret@host",
        ] {
            let error = CassandraConfig::from_url(url).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(
                !text.contains("sec") && !text.contains("ret"),
                "{url}: {text}"
            );
        }
    }
}
