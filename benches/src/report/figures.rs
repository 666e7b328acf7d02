//! What was measured, as the programs left it in JSON.
//!
//! Only what the report shows is read, and members that it does not know are passed over; so the
//! programs may say more.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Machine;

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

/// A comparison with a baseline: what the report shows of a [`ratio::Ratio`](crate::ratio::Ratio).
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Ratio {
    /// The name of the pair.
    pub name: String,
    /// How many calls were in flight at once.
    pub in_flight: usize,
    /// The rate of the subject in relation to that of the baseline.
    pub median: f64,
    /// The least ratio of a round.
    pub least: f64,
    /// The greatest ratio of a round.
    pub most: f64,
    /// Calls of the subject in a second.
    pub subject_per_second: f64,
    /// Calls of the baseline in a second.
    pub baseline_per_second: f64,
    /// The ratio to be reached.
    pub goal: Option<f64>,
    /// The CPU time of the servers, where there are servers.
    pub server: Option<ServerTime>,
}

/// The CPU time that the servers of both sides took for a call.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ServerTime {
    /// That of the baseline in relation to that of the subject.
    pub median: f64,
    /// That of the subject.
    pub subject_micros: f64,
    /// That of the baseline.
    pub baseline_micros: f64,
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

/// A list, or what `ratios` writes around it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ratios {
    Bare(Vec<Ratio>),
    Results { ratios: Vec<Ratio> },
}

impl From<Ratios> for Vec<Ratio> {
    fn from(ratios: Ratios) -> Self {
        match ratios {
            Ratios::Bare(ratios) | Ratios::Results { ratios } => ratios,
        }
    }
}

impl Figures {
    /// Reads the files in this directory.
    ///
    /// # Errors
    ///
    /// When a file is there and cannot be understood.
    pub fn read(directory: &Path) -> Result<Self> {
        let ratios = |name| anyhow::Ok(read::<Ratios>(directory, name)?.map(Vec::from));
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

impl Ratio {
    /// How long one call of the subject took, in microseconds.
    pub fn subject_micros(&self) -> f64 {
        self.in_flight as f64 * 1e6 / self.subject_per_second
    }

    /// Whether the goal is reached, if there is one.
    pub fn is_reached(&self) -> Option<bool> {
        self.goal.map(|goal| self.median >= goal)
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

    const RATIO: &str = r#"{"name": "memory/history/first/1000", "in_flight": 16, "median": 0.75,
        "least": 0.7, "most": 0.8, "subject_per_second": 1.6e6, "baseline_per_second": 2.1e6,
        "rounds": 7, "goal": 0.5, "unknown": []}"#;

    fn ratios(text: &str) -> Vec<Ratio> {
        serde_json::from_str::<Ratios>(text).unwrap().into()
    }

    #[test]
    fn a_bare_list_and_one_with_a_header_say_the_same() {
        let bare = ratios(&format!("[{RATIO}]"));
        let with_header = format!(r#"{{"subject": "memory", "cores": 2, "ratios": [{RATIO}]}}"#);
        assert_eq!(bare, ratios(&with_header));
        assert_eq!(bare[0].is_reached(), Some(true));
        assert!((bare[0].subject_micros() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn what_the_ratio_module_writes_can_be_read() {
        let written: crate::ratio::Ratio = serde_json::from_str(RATIO).unwrap();
        let text = serde_json::to_string(&[written]).unwrap();
        assert_eq!(ratios(&text)[0].name, "memory/history/first/1000");
    }

    #[test]
    fn a_missing_file_is_none() {
        let figures = Figures::read(Path::new("no/such/directory")).unwrap();
        assert!(figures.memory.is_none() && figures.scale.is_none());
    }
}
