//! What goes on on one connection: it takes a request, makes it, and notes what became of it.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use messenger_core::{ConversationId, Timestamp};
use rand::distr::Distribution as _;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::Deserialize;
use uuid::Uuid;

use super::Bench;
use super::connection::{Answer, Connection};
use super::mix::Call;
use super::record::{Outcome, Record};
use super::request::{self, Letter};
use super::starts::Starts;
use super::window::Start;

/// How often a history is read further where its page was not the last.
const DEEPER: f64 = 0.5;

/// A connection and what its requests follow from.
#[derive(Debug)]
pub(super) struct Lane {
    bench: Arc<Bench>,
    connection: Connection,
    rng: Xoshiro256PlusPlus,
    calls: WeightedIndex<u32>,
    /// Where the last page of a history can be followed.
    deeper: Option<(ConversationId, String)>,
    /// A time within a page that was read: who looks for something jumps to a time that has
    /// messages before it.
    jump: Option<(ConversationId, String)>,
}

/// As much of a page as is needed to go on from it.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Vec<Item<'a>>,
    next_cursor: Option<&'a str>,
}

#[derive(Deserialize)]
struct Item<'a> {
    created_at: &'a str,
}

/// A request that was chosen.
struct Chosen {
    call: Call,
    /// Whose history is read, if it is one.
    conversation: ConversationId,
    request: Request<Full<Bytes>>,
}

impl Lane {
    /// The lane of this number. Each has its own random choices, the same in every run.
    pub(super) fn new(bench: Arc<Bench>, number: u32) -> Self {
        let seed = bench.options.seed ^ (u64::from(number) << 32);
        Self {
            connection: Connection::new(&bench.target),
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            calls: bench.options.mix.distribution(),
            bench,
            deeper: None,
            jump: None,
        }
    }

    /// Makes requests until there are none to start.
    pub(super) async fn run(mut self, starts: Arc<Starts>, record: Arc<Record>) -> Result<()> {
        let mut chosen = self.choose()?;
        while let Some(start) = starts.next().await {
            let call = chosen.call;
            let (outcome, ended) = self.make(chosen, start).await;
            record.add(call, start, ended, outcome);
            chosen = self.choose()?;
        }
        Ok(())
    }

    /// Makes a request. What is done with the answer after it has ended takes none of its time.
    async fn make(&mut self, chosen: Chosen, start: Start) -> (Outcome, Instant) {
        let Chosen {
            call,
            conversation,
            request,
        } = chosen;
        let deadline = start.at + self.bench.options.timeout;
        let answer = self.connection.request(request, deadline).await;
        let ended = Instant::now();
        let outcome = match answer {
            Err(_) if ended >= deadline => Outcome::TimedOut,
            Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => Outcome::Shed,
            answer => answer
                .and_then(|answer| self.read(call, conversation, &answer))
                .map_or_else(
                    |error| Outcome::Failed(format!("{error:#}")),
                    |()| Outcome::Answered,
                ),
        };
        (outcome, ended)
    }

    /// Chooses the next request.
    fn choose(&mut self) -> Result<Chosen> {
        let bench = Arc::clone(&self.bench);
        let (target, limit) = (&bench.target, bench.options.limit.get());
        let call = Call::ALL[self.calls.sample(&mut self.rng)];
        let (user, contact) = bench.population.pick(&mut self.rng);
        let mut conversation = contact.conversation;
        let request = match call {
            Call::Send => {
                let letter = Letter::new(&user.id, &contact.user, &mut self.rng);
                target.send(letter.to_json(), self.key())
            }
            Call::History => {
                let deeper = self.deeper.take();
                let deeper = deeper.filter(|_| self.rng.random_bool(DEEPER));
                conversation = deeper.as_ref().map_or(conversation, |(id, _)| *id);
                let cursor = deeper.as_ref().map(|(_, cursor)| cursor.as_str());
                target.get(&request::history(conversation, limit, cursor))
            }
            Call::Before => {
                let jump = self.jump.take();
                let (id, time) =
                    jump.unwrap_or_else(|| (conversation, Timestamp::now().to_string()));
                conversation = id;
                target.get(&request::before(id, limit, &time))
            }
            Call::Inbox => target.get(&request::inbox(&user.id, limit)),
            Call::Conversation => target.get(&request::conversation(conversation)),
        }?;
        Ok(Chosen {
            call,
            conversation,
            request,
        })
    }

    /// A key for a send, if it is to have one. It follows from no seed: a key of an earlier run
    /// would be the message of that run.
    fn key(&mut self) -> Option<String> {
        let keyed = self.rng.random_bool(self.bench.options.keyed);
        keyed.then(|| Uuid::from_u128(rand::random()).to_string())
    }

    /// Checks an answer and takes out of it what later requests go on from.
    fn read(&mut self, call: Call, conversation: ConversationId, answer: &Answer) -> Result<()> {
        let expected = if call == Call::Send { 201 } else { 200 };
        ensure!(answer.status == expected, "{answer}");
        match call {
            Call::Send => self.bench.acknowledged.note(answer),
            Call::History | Call::Before => self.read_page(call, conversation, answer),
            Call::Inbox | Call::Conversation => Ok(()),
        }
    }

    fn read_page(
        &mut self,
        call: Call,
        conversation: ConversationId,
        answer: &Answer,
    ) -> Result<()> {
        let page: Page<'_> = serde_json::from_slice(&answer.body)
            .with_context(|| format!("this is no page: {answer}"))?;
        let item = page.data.choose(&mut self.rng);
        self.jump = item.map(|item| (conversation, item.created_at.to_owned()));
        if call == Call::History {
            let cursor = page.next_cursor.map(str::to_owned);
            self.deeper = cursor.map(|cursor| (conversation, cursor));
        }
        Ok(())
    }
}
