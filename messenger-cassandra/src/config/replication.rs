use std::collections::BTreeMap;
use std::str::FromStr;

use messenger_core::Error;

use super::malformed;

/// The number of replicas of a new keyspace. As text: `3`, or `eu=3,us=2`.
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
    /// This number of replicas in each datacenter that the cluster has when the keyspace is
    /// created.
    pub fn everywhere(factor: u8) -> Self {
        Self(Factors::Everywhere(factor))
    }

    /// These numbers of replicas in these datacenters, and none in others.
    pub fn in_datacenters<D: Into<String>>(factors: impl IntoIterator<Item = (D, u8)>) -> Self {
        let factors = factors.into_iter();
        Self(Factors::In(
            factors
                .map(|(datacenter, factor)| (datacenter.into(), factor))
                .collect(),
        ))
    }

    /// Returns the factor of each of the cluster's datacenters that gets replicas, or as an error
    /// the named datacenters that do not exist.
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
    /// Three replicas in each datacenter.
    fn default() -> Self {
        Self::everywhere(3)
    }
}

impl FromStr for Replication {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            malformed(format!(
                "replication must be a number such as 3, or a number for each datacenter such as \
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replication_follows_the_datacenters_that_exist() {
        let three = Replication::default().resolve(&["eu", "us"]).unwrap();
        assert_eq!(
            three.into_iter().collect::<Vec<_>>(),
            [("eu".into(), 3), ("us".into(), 3)]
        );
        let unknown = Replication::in_datacenters([("asia", 1)]).resolve(&["eu"]);
        assert_eq!(unknown.unwrap_err(), ["asia"]);
    }
}
