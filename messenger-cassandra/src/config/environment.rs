//! A configuration from environment variables.

use messenger_core::Error;

use super::options::{NAMES, parse_nodes};
use super::{CassandraConfig, malformed};

const PREFIX: &str = "MESSENGER_CASSANDRA_";

impl CassandraConfig {
    /// Reads `MESSENGER_CASSANDRA_URL`, and over it `MESSENGER_CASSANDRA_NODES`
    /// (`host:port,host:port`), `…_KEYSPACE`, `…_USER` and `…_PASSWORD`, and the options of
    /// [`from_url`](Self::from_url) under their names in upper case. An empty variable counts as
    /// unset. The default is a node on this machine.
    ///
    /// # Errors
    ///
    /// [`Malformed`](messenger_core::ErrorKind::Malformed), with the name of the variable.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
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
                return Err(malformed(format!(
                    "{PREFIX}USER and {PREFIX}PASSWORD must be set together"
                )));
            }
        }
        for name in NAMES {
            if let Some((variable, value)) = read(name) {
                config.set(name, &value).map_err(|e| within(&variable, e))?;
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("MESSENGER_CASSANDRA_CONSISTENCY", ""),
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
}
