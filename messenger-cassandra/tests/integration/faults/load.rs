//! Several clients that send without a pause, and keep what they were told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use messenger_cassandra::CassandraConfig;
use messenger_core::{ConversationId, MessageId, Messenger, Outcome};
use tokio::task::JoinHandle;

use super::world::{Pair, QuickTime, client};

/// How many messages each client has in flight.
const LANES: usize = 2;

/// Clients that send.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    lanes: Vec<JoinHandle<Record>>,
}

/// What a client was told about its messages.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) acknowledged: Vec<(ConversationId, MessageId)>,
    /// What may be there or not, as the client was told.
    pub(crate) unknown: Vec<MessageId>,
    /// What must not be there, as the client was told.
    pub(crate) refused: Vec<MessageId>,
    /// When something was acknowledged.
    at: Vec<Instant>,
    /// What the errors said, and how often.
    errors: BTreeMap<String, usize>,
}

impl Load {
    /// Lets so many clients send to all of these pairs in turn.
    pub(crate) async fn start(
        config: &CassandraConfig,
        clients: usize,
        pairs: &Arc<[Pair]>,
    ) -> Result<Self, Failed> {
        let stop = Arc::new(AtomicBool::new(false));
        let time = QuickTime::new();
        let mut lanes = Vec::new();
        for number in 0..clients {
            let messenger = client(config, time.clock()).await?;
            for lane in 0..LANES {
                let first = number * LANES + lane;
                let lane = send(
                    messenger.clone(),
                    Arc::clone(pairs),
                    first,
                    Arc::clone(&stop),
                );
                lanes.push(tokio::spawn(lane));
            }
        }
        Ok(Self { stop, lanes })
    }

    /// Ends it, and gives what all clients were told.
    pub(crate) async fn stop(self) -> Result<Record, Failed> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Record::default();
        for lane in self.lanes {
            let record = lane.await.map_err(|error| error.to_string())?;
            all.acknowledged.extend(record.acknowledged);
            all.unknown.extend(record.unknown);
            all.refused.extend(record.refused);
            all.at.extend(record.at);
            for (error, count) in record.errors {
                *all.errors.entry(error).or_default() += count;
            }
        }
        all.at.sort_unstable();
        Ok(all)
    }
}

async fn send(
    messenger: Messenger,
    pairs: Arc<[Pair]>,
    first: usize,
    stop: Arc<AtomicBool>,
) -> Record {
    let mut record = Record::default();
    for number in first.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let message =
            pairs[number % pairs.len()].message(number / pairs.len(), format!("{number}"));
        let mut id = None;
        match messenger
            .send_telling(message, |told| id = Some(told))
            .await
        {
            Ok(message) => {
                record.at.push(Instant::now());
                record
                    .acknowledged
                    .push((message.conversation_id(), message.id()));
            }
            Err(error) => {
                match error.outcome() {
                    Some(Outcome::NotApplied) => record.refused.extend(id),
                    Some(Outcome::Unknown) | None => record.unknown.extend(id),
                }
                *record.errors.entry(said(&error)).or_default() += 1;
                // As a client would, it waits a little.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    record
}

/// What an error and its causes say.
fn said(error: &messenger_core::Error) -> String {
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        text += &format!(" because: {cause}");
    }
    text
}

impl Record {
    /// Messages acknowledged in a second, from the first to the last.
    pub(crate) fn rate(&self) -> f64 {
        match (self.at.first(), self.at.last()) {
            (Some(&first), Some(&last)) if first < last => {
                self.at.len() as f64 / (last - first).as_secs_f64()
            }
            _ => 0.0,
        }
    }

    /// The same, between two times.
    pub(crate) fn rate_between(&self, from: Instant, to: Instant) -> f64 {
        let within = self.at.iter().filter(|&&at| from <= at && at < to);
        within.count() as f64 / (to - from).as_secs_f64()
    }

    /// The longest time in which no client had anything acknowledged.
    pub(crate) fn longest_gap(&self) -> Duration {
        let gaps = self.at.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }

    /// The same, of those that lay between two times at least in part.
    pub(crate) fn longest_gap_between(&self, from: Instant, to: Instant) -> Duration {
        let gaps = self.at.windows(2);
        let within = gaps.filter(|pair| pair[0] < to && pair[1] > from);
        within
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap_or_default()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged ({:.0}/s), {} unknown, {} refused; longest gap {:.1?}",
            self.acknowledged.len(),
            self.rate(),
            self.unknown.len(),
            self.refused.len(),
            self.longest_gap(),
        )?;
        for (error, count) in &self.errors {
            write!(f, "\n  {count} times: {error}")?;
        }
        Ok(())
    }
}
