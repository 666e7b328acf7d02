//! Options as text: their names and values in a URL and in the environment.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use messenger_core::Error;

use super::{CassandraConfig, malformed};

/// The names that [`CassandraConfig::set`] knows.
pub(super) const NAMES: [&str; 8] = [
    "datacenter",
    "replication",
    "consistency",
    "connect_timeout",
    "request_timeout",
    "speculative_reads",
    "write_cache",
    "ca_file",
];

impl CassandraConfig {
    /// Sets the option with this name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "datacenter" => self.datacenter = Some(value.to_owned()),
            "replication" => self.replication = value.parse()?,
            "consistency" => self.consistency = value.parse()?,
            "connect_timeout" => self.connect_timeout = parse_duration(name, value)?,
            "request_timeout" => self.request_timeout = parse_duration(name, value)?,
            "speculative_reads" => {
                self.speculative_reads = match value {
                    "off" => None,
                    delay => Some(parse_duration(name, delay)?),
                }
            }
            "write_cache" => {
                self.write_cache = value.parse().map_err(|_| {
                    malformed(format!("{name} must be a whole number, not {value:?}"))
                })?;
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
                    "there is no option {name:?}; the options are {}",
                    NAMES.join(", ")
                )));
            }
        }
        Ok(())
    }
}

/// Reads `host[:port],…`. The error does not repeat the text: in a URL without an `@` it may be a
/// password.
pub(super) fn parse_nodes(nodes: &str) -> Result<Vec<String>, Error> {
    let nodes: Vec<String> = nodes
        .split(',')
        .map(|node| node.trim().to_owned())
        .collect();
    if nodes.iter().all(|node| is_node(node)) {
        return Ok(nodes);
    }
    Err(malformed(
        "the nodes must be a comma-separated list of host or host:port",
    ))
}

fn is_node(text: &str) -> bool {
    if text.parse::<SocketAddr>().is_ok() || text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let (host, port) = text.split_once(':').unwrap_or((text, "9042"));
    !host.is_empty() && port.parse::<u16>().is_ok()
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
