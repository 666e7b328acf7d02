//! One conversation: who writes what when, one message after another.

use messenger_core::{Import, NewMessage, Timestamp, UserId};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use super::rhythm::{activity_until, millis_at};
use super::text;

/// What a conversation is made from. Its messages follow from this alone, so they need not be kept.
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
/// They come in bursts: somebody opens, the two write back and forth within minutes, then nothing
/// for hours or days. Each burst lies in a stretch of the conversation's time that is as long as
/// the burst's share of the messages, measured in activity, so that nights are quiet.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    users: [UserId; 2],
    seed: u64,
    rng: Xoshiro256PlusPlus,
    /// When it begins and ends, in activity.
    begin: u64,
    end: u64,
    messages: u64,
    made: u64,
    /// The times of the present burst that are still to come, the next one last.
    burst: Vec<u64>,
    opening: bool,
    /// Who wrote last, and when; how many messages before had this same millisecond.
    writer: usize,
    last_millis: u64,
    sequence: u16,
}

impl Conversation {
    pub(super) fn new(seedling: Seedling) -> Self {
        let mut rng = rng_for(seedling.seed, seedling.index);
        let [since, until] = [seedling.since, seedling.until].map(Timestamp::as_millis);
        let (since, until) = (activity_until(since), activity_until(until));
        // Some conversations began lately and some have gone to sleep; most go on.
        let span = until - since;
        let young = share(span, rng.random_range(0..400));
        let quiet: u64 = rng.random_range(0..1000);
        let asleep = share(span, quiet * quiet * quiet / 1_000_000 * 2 / 5);
        Self {
            users: seedling.users.map(UserId::from),
            seed: seedling.seed,
            writer: rng.random_range(0..2),
            rng,
            begin: since + young,
            end: until - asleep,
            messages: seedling.messages,
            made: 0,
            burst: Vec::new(),
            opening: true,
            last_millis: 0,
            sequence: 0,
        }
    }

    /// Draws the times of the next burst.
    fn next_burst(&mut self) {
        let len = self.rng.random_range(1..=12).min(self.messages - self.made);
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
        self.burst = offsets
            .into_iter()
            .rev()
            .map(|offset| start + squeezed(offset))
            .collect();
        self.opening = true;
    }

    /// How long a reply takes: seconds mostly, minutes at times.
    fn pause(&mut self) -> u64 {
        let slowness: u64 = self.rng.random_range(1..=1000);
        3_000 + slowness * slowness * slowness / 1_000_000 * 240
    }

    /// The place among the messages of the same millisecond.
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
        let millis = self.burst.pop()?;
        let text = if std::mem::take(&mut self.opening) {
            text::opening(&mut self.rng)
        } else {
            text::reply(&mut self.rng)
        };
        if self.rng.random_ratio(2, 3) {
            self.writer = 1 - self.writer;
        }
        let [sender, receiver] = [self.writer, 1 - self.writer].map(|at| self.users[at].clone());
        let message = NewMessage::new(sender, receiver, text)
            .expect("the users differ and the text has a fair length");
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

/// So many thousandths of a span.
fn share(span: u64, thousandths: u64) -> u64 {
    span / 1000 * thousandths
}

fn rng_for(seed: u64, index: u64) -> Xoshiro256PlusPlus {
    // Neighbouring indices are spread over all 64 bits; `seed_from_u64` does the rest.
    Xoshiro256PlusPlus::seed_from_u64(
        seed ^ index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
    )
}
