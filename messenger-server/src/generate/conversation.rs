//! One conversation: who writes what, and when.

use messenger_core::{Import, NewMessage, Timestamp, UserId};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use super::dialogue::Dialogue;
use super::people::{Language, language, user_id};
use super::rhythm::{activity_until, millis_at};

/// The input from which a conversation is generated. Its messages follow from this alone, so they need not be
/// kept.
#[derive(Clone, Debug)]
pub(super) struct Seedling {
    pub(super) seed: u64,
    pub(super) index: u64,
    pub(super) users: [u64; 2],
    pub(super) messages: u64,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

/// The messages of one conversation, oldest first.
///
/// They come in bursts. A burst is one dialogue: the two write back and forth within minutes, then
/// nothing follows for hours or days. Each burst lies in a stretch of the conversation's time that
/// is as long as the burst's share of the messages, measured in activity, so that nights are quiet.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    users: [UserId; 2],
    languages: [Language; 2],
    seed: u64,
    rng: Xoshiro256PlusPlus,
    /// Its begin and end, in activity.
    begin: u64,
    end: u64,
    messages: u64,
    made: u64,
    /// The lines of the current burst that are still to come, the next one last.
    burst: Vec<Line>,
    /// Milliseconds of the last message, and the number of messages before it in the same one.
    last_millis: u64,
    sequence: u16,
}

/// A line of a burst.
#[derive(Clone, Debug)]
struct Line {
    millis: u64,
    writer: usize,
    text: String,
}

impl Conversation {
    pub(super) fn new(seedling: Seedling) -> Self {
        let mut rng = rng_for(seedling.seed, seedling.index);
        let [since, until] = [seedling.since, seedling.until].map(Timestamp::as_millis);
        let (since, until) = (activity_until(since), activity_until(until));
        // Some conversations began lately and some have gone to sleep; most go on. The first one has
        // always been active.
        let span = until - since;
        let young = share(span, rng.random_range(0..400));
        let quiet: u64 = rng.random_range(0..1000);
        let asleep = share(span, quiet * quiet * quiet / 1_000_000 * 2 / 5);
        let (young, asleep) = match seedling.index {
            0 => (0, 0),
            _ => (young, asleep),
        };
        Self {
            users: seedling.users.map(user_id),
            languages: seedling.users.map(language),
            seed: seedling.seed,
            rng,
            begin: since + young,
            end: until - asleep,
            messages: seedling.messages,
            made: 0,
            burst: Vec::new(),
            last_millis: 0,
            sequence: 0,
        }
    }

    /// Generates the next burst.
    fn next_burst(&mut self) {
        let dialogue = Dialogue::choose(self.languages, &mut self.rng);
        let first = self.rng.random_range(0..2);
        let len = (dialogue.len() as u64).min(self.messages - self.made);
        let times = self.burst_times(len);
        let lines = times.into_iter().enumerate().map(|(line, millis)| {
            let writer = match dialogue.is_by_first(line) {
                true => first,
                false => 1 - first,
            };
            let text = dialogue.text(line, self.languages[writer]);
            Line {
                millis,
                writer,
                text,
            }
        });
        self.burst = lines.collect();
        self.burst.reverse();
    }

    /// Draws the times of a burst of this length.
    fn burst_times(&mut self, len: u64) -> Vec<u64> {
        let [from, to] = [self.made, self.made + len].map(|made| {
            let passed = u128::from(self.end - self.begin) * u128::from(made);
            self.begin + (passed / u128::from(self.messages)) as u64
        });
        // The last one is not long before the conversation's end, so that some end lately.
        let earliest = match self.made + len == self.messages {
            true => to - (to - from) / 16,
            false => from,
        };
        let start = millis_at(self.rng.random_range(earliest..=to));
        let room = millis_at(to).saturating_sub(start);

        let mut offsets = vec![0];
        while (offsets.len() as u64) < len {
            offsets.push(offsets[offsets.len() - 1] + self.pause());
        }
        // A burst that does not fit is written faster.
        let needed = offsets[offsets.len() - 1];
        let squeezed = |offset| match needed <= room {
            true => offset,
            false => (u128::from(offset) * u128::from(room) / u128::from(needed)) as u64,
        };
        offsets
            .into_iter()
            .map(|offset| start + squeezed(offset))
            .collect()
    }

    /// Draws the time until a reply, in milliseconds: mostly seconds, sometimes minutes.
    fn pause(&mut self) -> u64 {
        let slowness: u64 = self.rng.random_range(1..=1000);
        3_000 + slowness * slowness * slowness / 1_000_000 * 240
    }

    /// Returns the place among the messages of the same millisecond.
    fn sequence_at(&mut self, millis: u64) -> u16 {
        self.sequence = if millis == self.last_millis {
            self.sequence.saturating_add(1)
        } else {
            0
        };
        self.last_millis = millis;
        self.sequence
    }
}

impl Iterator for Conversation {
    type Item = Import;

    fn next(&mut self) -> Option<Import> {
        if self.made == self.messages {
            return None;
        }
        if self.burst.is_empty() {
            self.next_burst();
        }
        let Line {
            millis,
            writer,
            text,
        } = self.burst.pop()?;
        let [sender, receiver] = [writer, 1 - writer].map(|at| self.users[at].clone());
        let message = NewMessage::new(sender, receiver, text)
            .expect("the users differ and every text is a valid content");
        let created_at = Timestamp::from_millis(millis).expect("it lies before `until`");
        let source_id = format!("generate:{}:{}", self.seed, self.made);
        let sequence = self.sequence_at(millis);
        self.made += 1;
        Some(
            Import::new(message, created_at)
                .with_sequence(sequence)
                .with_source_id(source_id),
        )
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.messages - self.made) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Conversation {}

/// Returns this many thousandths of a span.
fn share(span: u64, thousandths: u64) -> u64 {
    span / 1000 * thousandths
}

fn rng_for(seed: u64, index: u64) -> Xoshiro256PlusPlus {
    // Neighbouring indices are spread over all 64 bits; `seed_from_u64` does the rest.
    Xoshiro256PlusPlus::seed_from_u64(
        seed ^ index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
    )
}
