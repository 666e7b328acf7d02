//! A client that is killed between any two steps of a write.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use messenger_core::{
    Clock, Content, ConversationId, HistoryQuery, IdempotencyKey, Limit, Message, MessageId,
    Messenger,
};
use rand::RngExt as _;
use testkit::cassandra::Nodes;

use super::child::{self, Process};
use super::load::Record;
use super::views::Views;
use super::world::{
    Pair, Verdict, client, config, ensure, failed, migrated, name, number, runtime,
};

/// The messages that a client has in flight.
const LANES: usize = 8;

/// The messages to a pair of users before a lane begins with a new one.
const TO_EACH_PAIR: usize = 4;

/// The most lines that a client prints before it is killed: every lane has come to its second pair
/// by then.
const MOST_LINES: usize = LANES * (2 * TO_EACH_PAIR + 1) * 2;

pub(crate) fn trial() -> Trial {
    testkit::trial::with_shared(
        "faults::a_client_that_dies_leaves_all_or_nothing",
        |nodes| {
            let kills = number("MESSENGER_CLIENT_KILLS", 10)?;
            let (config, keyspace) = runtime().block_on(migrated(nodes.contact_points(), 1))?;
            let mut said = Said::default();
            for _ in 0..kills {
                said.take(&kill_one(nodes, &keyspace)?)?;
            }
            println!(
                "{kills} clients killed: {} sends begun, {} acknowledged; {} keys begun",
                said.begun.len(),
                said.record.acknowledged.len(),
                said.keys.len(),
            );
            runtime().block_on(async { said.check(client(&config, Clock::new()).await?).await })
        },
    )
}

/// Starts a client and kills it at some moment.
fn kill_one(nodes: &Nodes, keyspace: &str) -> Result<Vec<String>, Failed> {
    let process = Process::start("client", nodes, keyspace, &name("c"))?;
    process.wait_until_ready()?;
    // At some line, and then between two of its steps: however fast the machine is.
    let mut random = rand::rng();
    process.wait_until_said(random.random_range(0..MOST_LINES))?;
    thread::sleep(Duration::from_micros(random.random_range(0..5_000)));
    process.kill()
}

/// The lines that the killed clients have printed.
#[derive(Default)]
struct Said {
    record: Record,
    begun: HashSet<MessageId>,
    pairs: HashSet<Pair>,
    /// Keys under which something was sent, by whom to whom.
    keys: Vec<(Pair, String)>,
}

impl Said {
    fn take(&mut self, lines: &[String]) -> Verdict {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["send", one, two, id] => {
                    self.pairs.insert(Pair::new(one, two));
                    self.begun.insert(id.parse().map_err(failed)?);
                }
                ["sent", one, two, id] => {
                    let conversation = Pair::new(one, two).id();
                    let id = id.parse().map_err(failed)?;
                    self.record.acknowledged.push((conversation, id));
                }
                // What was acknowledged is looked up by its revision.
                ["edited" | "unsent", one, two, id, revision] => {
                    let pair = Pair::new(one, two);
                    let is_unsent = words[0] == "unsent";
                    let version = version(&pair, id, revision, is_unsent)?;
                    self.record.versions.push(version);
                }
                ["unsend", id] => {
                    self.record.unsent.insert(id.parse().map_err(failed)?);
                }
                ["read", one, two, id] => {
                    let pair = Pair::new(one, two);
                    let reader = pair.two.clone();
                    let id = id.parse().map_err(failed)?;
                    self.record.marks.push((pair, reader, id));
                }
                ["keyed", one, two, key] => {
                    let pair = Pair::new(one, two);
                    self.pairs.insert(pair.clone());
                    self.keys.push((pair, key.to_owned()));
                }
                _ => return Err(format!("the client said {line:?}").into()),
            }
        }
        Ok(())
    }

    async fn check(mut self, messenger: Messenger) -> Verdict {
        let pairs: Vec<Pair> = self.pairs.iter().cloned().collect();
        self.record.unknown.extend(&self.begun);
        // A keyed message has an id that its client did not say.
        for (pair, _) in &self.keys {
            let history = contents(&messenger, pair.id()).await?;
            self.record.unknown.extend(history.iter().map(|(id, _)| id));
        }
        let (views, after) = Views::settled(&messenger, &pairs, &self.record).await?;
        println!(
            "{} conversations, {} messages; all views agreed {after:.1?} later",
            pairs.len(),
            views.messages()
        );
        for (pair, key) in &self.keys {
            repeat(&messenger, pair, key).await?;
        }
        Ok(())
    }
}

/// Returns a version as far as it is compared: its text is of no interest.
fn version(pair: &Pair, id: &str, revision: &str, is_unsent: bool) -> Result<Message, Failed> {
    let sent = pair.message(0, "text".to_owned());
    let sent = sent.with_id(id.parse().map_err(failed)?);
    let revision = revision.parse().map_err(failed)?;
    Ok(match is_unsent {
        true => sent.unsent(revision),
        false => sent.edited(revision, Content::new("text").map_err(failed)?),
    })
}

/// Whoever sends again under the key of a client that died makes its message, once.
async fn repeat(messenger: &Messenger, pair: &Pair, key: &str) -> Verdict {
    let before = contents(messenger, pair.id()).await?;
    let mut sent = Vec::new();
    for _ in 0..2 {
        let again = pair.message(0, key.to_owned());
        let again = messenger.send_once(again, IdempotencyKey::new(key).map_err(failed)?);
        sent.push(again.await.map_err(failed)?.message);
    }
    let after = contents(messenger, pair.id()).await?;
    let with_key = |list: &[(MessageId, String)]| {
        let own = list.iter().filter(|(_, content)| content == key);
        own.map(|(id, _)| *id).collect::<Vec<_>>()
    };
    ensure!(
        sent[0] == sent[1] && with_key(&after) == [sent[0].id()],
        "the key {key} made {:?}, and the answers were {sent:?}",
        with_key(&after)
    );
    ensure!(
        with_key(&before).iter().all(|id| *id == sent[0].id()),
        "the key {key} made another message than that of the client that died"
    );
    Ok(())
}

/// The newest messages and what they say. No history here is longer than a page.
async fn contents(
    messenger: &Messenger,
    id: ConversationId,
) -> Result<Vec<(MessageId, String)>, Failed> {
    let query = HistoryQuery::new().with_limit(Limit::MAX);
    let page = messenger.history(id, query).await.map_err(failed)?;
    let items = page.items.iter();
    Ok(items
        .map(|item| {
            let text = item.content().map(|content| content.as_str().to_owned());
            (item.id(), text.unwrap_or_default())
        })
        .collect())
}

/// The role: sends until it is killed, and says before each send what it is about to do.
pub(crate) fn play(nodes: &[String], keyspace: &str, name: &str) -> Verdict {
    drop(child::listen());
    runtime().block_on(async {
        let messenger = client(&config(nodes, keyspace), Clock::new()).await?;
        let lane = |lane| send(messenger.clone(), format!("{name}.{lane}"));
        let lanes: Vec<_> = (0..LANES).map(|n| tokio::spawn(lane(n))).collect();
        child::say("ready");
        for lane in lanes {
            lane.await.map_err(|error| error.to_string())??;
        }
        Ok(())
    })
}

/// Sends the first message to new users, which is written with all rows, and some more.
async fn send(messenger: Messenger, name: String) -> Verdict {
    for number in 0.. {
        let (one, two) = (format!("{name}.{number}.a"), format!("{name}.{number}.b"));
        let pair = Pair::new(&one, &two);
        for part in 0..TO_EACH_PAIR {
            let message = messenger.prepare(pair.message(part, format!("{part}")));
            child::say(&format!("send {one} {two} {}", message.message().id()));
            let message = message.send().await.map_err(failed)?;
            child::say(&format!("sent {one} {two} {}", message.id()));
            change(&messenger, &pair, &message, part).await?;
        }
        let key = format!("{name}.{number}");
        child::say(&format!("keyed {one} {two} {key}"));
        let message = pair.message(0, key.clone());
        let key = IdempotencyKey::new(key).map_err(failed)?;
        messenger.send_once(message, key).await.map_err(failed)?;
    }
    Ok(())
}

/// Edits the first message, reads the second, and edits and unsends the third.
async fn change(messenger: &Messenger, pair: &Pair, message: &Message, part: usize) -> Verdict {
    let (conversation, id, sender) = (pair.id(), message.id(), message.sender_id());
    let (one, two) = (&pair.one, &pair.two);
    if part == 0 || part == 2 {
        let content = Content::new(format!("{part}, edited")).map_err(failed)?;
        let edited = messenger.edit(conversation, id, sender, content).await;
        let revision = edited.map_err(failed)?.revision();
        child::say(&format!("edited {one} {two} {id} {revision}"));
    }
    if part == 1 {
        let read = messenger.mark_read(conversation, two, id).await;
        read.map_err(failed)?;
        child::say(&format!("read {one} {two} {id}"));
    }
    if part == 2 {
        child::say(&format!("unsend {id}"));
        let unsent = messenger.unsend(conversation, id, sender).await;
        let revision = unsent.map_err(failed)?.revision();
        child::say(&format!("unsent {one} {two} {id} {revision}"));
    }
    Ok(())
}
