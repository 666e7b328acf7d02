//! Which calls are made, and how often each.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};
use rand::distr::weighted::WeightedIndex;
use serde::{Deserialize, Serialize};

/// A call of the messenger, by the name that it has in `--mix` and in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Sends a message.
    Send,
    /// A page of a history: the first one, or an older one by its cursor.
    History,
    /// A page of a history before a time.
    Before,
    /// The first page of an inbox.
    Inbox,
    /// One conversation.
    Conversation,
}

impl Call {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 5] = [
        Self::Send,
        Self::History,
        Self::Before,
        Self::Inbox,
        Self::Conversation,
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::History => "history",
            Self::Before => "before",
            Self::Inbox => "inbox",
            Self::Conversation => "conversation",
        }
    }
}

impl FromStr for Call {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|call| call.name() == name);
        named.with_context(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no call {name:?}; the calls are {names}")
        })
    }
}

/// How often each call is made in relation to the others: `send=1,history=4`. A call that is not
/// named is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    weights: [u16; Call::ALL.len()],
}

impl Mix {
    /// Draws positions in [`Call::ALL`].
    pub(super) fn distribution(&self) -> WeightedIndex<u32> {
        WeightedIndex::new(self.weights.map(u32::from)).expect("a mix has a weight above zero")
    }
}

impl Default for Mix {
    /// Mostly reads, as people use a messenger.
    fn default() -> Self {
        Self {
            weights: [1, 4, 1, 3, 1],
        }
    }
}

impl FromStr for Mix {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut weights = [None; Call::ALL.len()];
        for part in text.split(',') {
            let (name, weight) = part
                .split_once('=')
                .context("it must be calls with weights, such as send=1,history=4")?;
            let call: Call = name.parse()?;
            let weight: u16 = weight.parse().ok().with_context(|| {
                format!(
                    "the weight of {name} must be 0 to {}, not {weight:?}",
                    u16::MAX
                )
            })?;
            if weights[call as usize].replace(weight).is_some() {
                bail!("{name} is there twice");
            }
        }
        let weights = weights.map(Option::unwrap_or_default);
        ensure!(weights != [0; _], "a weight must be above zero");
        Ok(Self { weights })
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = Call::ALL.into_iter().zip(self.weights);
        for (index, (call, weight)) in parts.filter(|(_, weight)| *weight > 0).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}={weight}", call.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::distr::Distribution as _;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn a_mix_is_what_its_text_says() {
        for text in ["send=1", "send=2,history=40,conversation=65535"] {
            assert_eq!(text.parse::<Mix>().unwrap().to_string(), text);
        }
        let default = "inbox=3,conversation=1,send=1,before=1,history=4";
        assert_eq!(default.parse::<Mix>().unwrap(), Mix::default());
        assert_eq!(
            "send=1,inbox=0".parse::<Mix>().unwrap().to_string(),
            "send=1"
        );
    }

    #[test]
    fn what_is_wrong_with_a_mix_is_told() {
        for (text, complaint) in [
            ("", "such as send=1,history=4"),
            ("send", "such as send=1,history=4"),
            (
                "sned=1",
                "there is no call \"sned\"; the calls are send, history, before, inbox",
            ),
            (
                "send=-1",
                "the weight of send must be 0 to 65535, not \"-1\"",
            ),
            ("send=1,send=2", "send is there twice"),
            ("send=0,inbox=0", "a weight must be above zero"),
        ] {
            let error = text.parse::<Mix>().unwrap_err().to_string();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn calls_come_as_often_as_they_weigh() {
        let mix: Mix = "history=3,inbox=1".parse().unwrap();
        let mut counts = [0; Call::ALL.len()];
        let rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for call in mix.distribution().sample_iter(rng).take(10_000) {
            counts[call] += 1;
        }
        assert_eq!(counts.iter().sum::<u32>(), counts[1] + counts[3]);
        assert!((7_300..7_700).contains(&counts[1]), "{counts:?}");
    }
}
