//! Several clients that send, edit, unsend and read without a pause, and record what they were told.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use messenger_cassandra::CassandraConfig;
use messenger_core::{
    Content, ConversationId, Error, Message, MessageId, Messenger, Outcome, UserId,
};
use tokio::task::JoinHandle;

use super::world::{Pair, QuickTime, client};

/// The messages that each client has in flight.
const LANES: usize = 2;

/// Clients that send.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    lanes: Vec<JoinHandle<Record>>,
}

/// The outcomes that a client was told of its writes.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) acknowledged: Vec<(ConversationId, MessageId)>,
    /// Messages that may be there or not, as the client was told.
    pub(crate) unknown: Vec<MessageId>,
    /// Messages that must not be there, as the client was told.
    pub(crate) refused: Vec<MessageId>,
    /// Edits and unsends that were acknowledged.
    pub(crate) versions: Vec<Message>,
    /// Messages that may be unsent.
    pub(crate) unsent: HashSet<MessageId>,
    /// Texts of edits that must not be there.
    pub(crate) refused_texts: HashSet<String>,
    /// Read markers that were acknowledged.
    pub(crate) marks: Vec<(Pair, UserId, MessageId)>,
    /// The times at which messages were acknowledged.
    at: Vec<Instant>,
    /// The texts of the errors, and their counts.
    errors: BTreeMap<String, usize>,
}

impl Load {
    /// Lets this many clients send to all of these pairs in turn.
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
            all.versions.extend(record.versions);
            all.unsent.extend(record.unsent);
            all.refused_texts.extend(record.refused_texts);
            all.marks.extend(record.marks);
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
        let pair = &pairs[number % pairs.len()];
        let message = pair.message(number / pairs.len(), format!("{number}"));
        let prepared = messenger.prepare(message);
        let id = prepared.message().id();
        match prepared.send().await {
            Ok(message) => {
                record.at.push(Instant::now());
                record.acknowledged.push((message.conversation_id(), id));
                record.change(&messenger, pair, &message, number).await;
            }
            Err(error) => {
                match error.outcome() {
                    Some(Outcome::NotApplied) => record.refused.push(id),
                    Some(Outcome::Unknown) | None => record.unknown.push(id),
                }
                record.note(&error).await;
            }
        }
    }
    record
}

/// Returns the texts of an error and its causes.
fn said(error: &messenger_core::Error) -> String {
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        text += &format!(" because: {cause}");
    }
    text
}

impl Record {
    /// Edits, unsends or reads some of the messages.
    async fn change(
        &mut self,
        messenger: &Messenger,
        pair: &Pair,
        message: &Message,
        number: usize,
    ) {
        let (conversation, id) = (message.conversation_id(), message.id());
        let sender = message.sender_id();
        let changed = match number % 7 {
            1 | 4 => {
                // Of this message alone: the numbers of other lanes are the same.
                let text = format!("{id}, edited");
                let content = Content::new(text.as_str()).expect("a text");
                let edited = messenger.edit(conversation, id, sender, content).await;
                if let Err(error) = &edited
                    && error.outcome() == Some(Outcome::NotApplied)
                {
                    self.refused_texts.insert(text);
                }
                edited.map(|edited| self.versions.push(edited))
            }
            2 => {
                let unsent = messenger.unsend(conversation, id, sender).await;
                let is_refused = |error: &Error| error.outcome() == Some(Outcome::NotApplied);
                if !unsent.as_ref().is_err_and(is_refused) {
                    self.unsent.insert(id);
                }
                unsent.map(|unsent| self.versions.push(unsent))
            }
            3 | 5 => {
                let reader = message.receiver_id();
                let marked = messenger.mark_read(conversation, reader, id).await;
                marked.map(|_| self.marks.push((pair.clone(), reader.clone(), id)))
            }
            _ => Ok(()),
        };
        if let Err(error) = changed {
            self.note(&error).await;
        }
    }

    /// Notes an error, and waits a little, as a client would.
    async fn note(&mut self, error: &Error) {
        *self.errors.entry(said(error)).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

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
            "{} acknowledged ({:.0}/s), with {} changes and {} marks; {} unknown, {} refused; \
             longest gap {:.1?}",
            self.acknowledged.len(),
            self.rate(),
            self.versions.len(),
            self.marks.len(),
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
