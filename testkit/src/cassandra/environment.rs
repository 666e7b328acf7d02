//! What the environment says.

use std::env;

use super::{error::Unavailable, source::Source};

/// The nodes to use instead of starting any, `host:port` each.
pub(crate) fn named_nodes() -> Vec<String> {
    let named = env::var("MESSENGER_CASSANDRA_NODES").unwrap_or_default();
    split(&named)
}

/// The sources to try, in order.
pub(crate) fn sources() -> Result<&'static [Source], Unavailable> {
    let from = env::var("MESSENGER_CASSANDRA_FROM").unwrap_or_default();
    match from.as_str() {
        "" => Ok(&[Source::Docker, Source::Maven]),
        "docker" => Ok(&[Source::Docker]),
        "maven" => Ok(&[Source::Maven]),
        other => Err(Unavailable::broken(format!(
            "MESSENGER_CASSANDRA_FROM is {other:?}, not docker or maven"
        ))),
    }
}

/// Whether tests must not be skipped.
pub(crate) fn is_required() -> bool {
    env::var("MESSENGER_REQUIRE_CASSANDRA").is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

fn split(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|node| !node.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn nodes_are_separated_by_commas() {
        assert_eq!(split("a:1, b:2,"), ["a:1", "b:2"]);
        assert!(split("").is_empty());
    }
}
