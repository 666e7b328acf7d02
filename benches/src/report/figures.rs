//! What was measured, as the programs left it in JSON.
//!
//! Of a run of `load` only what the report shows is read; the programs may say more.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Machine;
use crate::ratio::{Ratio, Results};

/// All that was measured. `None` is a file that is not there.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// `machine.json`: where it was measured.
    pub machine: Option<Machine>,
    /// `ratios-memory.json`: the memory store against bare ordered maps.
    pub memory: Option<Vec<Ratio>>,
    /// `ratios-http.json`: the server against hyper.
    pub http: Option<Vec<Ratio>>,
    /// `ratios-cassandra.json`: the store on Cassandra against the bare driver.
    pub cassandra: Option<Vec<Ratio>>,
    /// `load-memory.json`: the server on the memory store under load.
    pub load_memory: Option<Load>,
    /// `load-cassandra.json`: the server on Cassandra under load.
    pub load_cassandra: Option<Load>,
    /// `scale.json`: figures at a great size.
    pub scale: Option<Scale>,
}

/// Latency at several rates.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Load {
    /// One for each rate.
    pub steps: Vec<Step>,
}

/// Latency at one rate.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Step {
    /// How many requests were due in a second; `None` where each waited for the one before.
    pub offered_per_second: Option<f64>,
    /// What came of all calls together.
    pub overall: Answers,
}

/// What came of the requests of a step.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Answers {
    /// How many were answered with success in a second.
    pub achieved_per_second: f64,
    /// How long these took, from when they were due.
    pub latency: Latency,
}

/// How long requests took.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50_micros: u64,
    /// All but one in a hundred took no longer.
    pub p99_micros: u64,
}

/// Figures at a great size.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Scale {
    /// In the order of the table.
    pub entries: Vec<Entry>,
}

/// One figure, and how to have it again.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Entry {
    /// What was measured.
    pub what: String,
    /// How much it is.
    pub value: f64,
    /// Of what.
    pub unit: String,
    /// The command that measures it.
    pub command: String,
}

impl Figures {
    /// Reads the files in this directory.
    ///
    /// # Errors
    ///
    /// When a file is there and cannot be understood.
    pub fn read(directory: &Path) -> Result<Self> {
        let ratios = |name| {
            let results = read::<Results>(directory, name)?;
            anyhow::Ok(results.map(|results| results.ratios))
        };
        Ok(Self {
            machine: read(directory, "machine")?,
            memory: ratios("ratios-memory")?,
            http: ratios("ratios-http")?,
            cassandra: ratios("ratios-cassandra")?,
            load_memory: read(directory, "load-memory")?,
            load_cassandra: read(directory, "load-cassandra")?,
            scale: read(directory, "scale")?,
        })
    }
}

impl Step {
    /// Whether the server answered as often as it was asked, but for a twentieth: arrivals vary.
    pub fn is_held(&self) -> bool {
        let offered = self.offered_per_second.unwrap_or(0.0);
        self.overall.achieved_per_second >= 0.95 * offered
    }
}

fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<Option<T>> {
    let file = directory.join(name).with_extension("json");
    let context = || file.display().to_string();
    match fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text).map(Some).with_context(context),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(context),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_none() {
        let figures = Figures::read(Path::new("no/such/directory")).unwrap();
        assert!(figures.memory.is_none() && figures.scale.is_none());
    }
}
