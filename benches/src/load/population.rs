//! Who writes to whom.
//!
//! Users are called 1, 2, 3 and so on, as the test data of `generate` has them: a server that was
//! filled is read where its data is. Whoever has no conversation begins some, since what is not there
//! cannot be read.
//!
//! Few people write much and many write little, so the activity of users follows Zipf's law: the
//! first is twice as active as the second, three times as the third, and so on. That makes some
//! conversations busy at once on several connections, and leaves most of them cold.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use messenger_core::{Conversation, ConversationId, UserId};
use rand::distr::Distribution as _;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng as _};
use serde::Deserialize;

use super::acknowledged::Acknowledged;
use super::connection::{Connection, share};
use super::options::Options;
use super::request::{self, Letter};
use super::target::Target;

/// How many conversations a user begins who has none. Others begin some with them too.
const CONTACTS: usize = 3;

/// The users and what they may read.
#[derive(Debug)]
pub(super) struct Population {
    users: Vec<User>,
    activity: WeightedIndex<f64>,
}

/// A user and the conversations that load touches.
#[derive(Debug)]
pub(super) struct User {
    pub(super) id: UserId,
    contacts: Vec<Contact>,
}

/// Somebody whom a user writes to.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) user: UserId,
    pub(super) conversation: ConversationId,
}

impl Population {
    /// Asks the server who writes to whom, and begins conversations for those who do not.
    pub(super) async fn find(
        target: &Target,
        options: &Options,
        acknowledged: &Acknowledged,
    ) -> Result<Self> {
        let mut population = Self {
            users: find_users(target, options).await?,
            activity: zipf(options.users),
        };
        let letters = population.begin_conversations(options.seed);
        send_all(target, options, &letters, acknowledged).await?;
        Ok(population)
    }

    /// Somebody, by their activity, and one whom they write to.
    pub(super) fn pick(&self, rng: &mut impl Rng) -> (&User, &Contact) {
        let user = &self.users[self.activity.sample(rng)];
        let contact = user.contacts.choose(rng);
        (user, contact.expect("everybody has a contact"))
    }

    /// Gives contacts to those who have none, and what they write to them first.
    fn begin_conversations(&mut self, seed: u64) -> Vec<Letter> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let lonely = |index: &usize| self.users[*index].contacts.is_empty();
        let lonely: Vec<usize> = (0..self.users.len()).filter(lonely).collect();
        let (mut begun, mut letters) = (HashSet::new(), Vec::new());
        for one in lonely {
            for _ in 0..CONTACTS {
                let other = self.other_than(one, &mut rng);
                let [from, to] = [one, other].map(|index| self.users[index].id.clone());
                let conversation = ConversationId::direct(&from, &to);
                if begun.insert(conversation) {
                    self.users[one]
                        .contacts
                        .push(Contact::new(&to, conversation));
                    self.users[other]
                        .contacts
                        .push(Contact::new(&from, conversation));
                    letters.push(Letter::new(&from, &to, &mut rng));
                }
            }
        }
        letters
    }

    /// Somebody else, by their activity.
    fn other_than(&self, one: usize, rng: &mut impl Rng) -> usize {
        loop {
            let other = self.activity.sample(rng);
            if other != one {
                return other;
            }
        }
    }
}

impl Contact {
    fn new(user: &UserId, conversation: ConversationId) -> Self {
        Self {
            user: user.clone(),
            conversation,
        }
    }
}

/// Zipf's law with the exponent one.
fn zipf(users: u32) -> WeightedIndex<f64> {
    let weights = (1..=users).map(|rank| 1.0 / f64::from(rank));
    WeightedIndex::new(weights).expect("there are users, and weights are above zero")
}

/// All users, in the order of their numbers.
async fn find_users(target: &Target, options: &Options) -> Result<Vec<User>> {
    let numbers: Vec<u64> = (1..=options.users.into()).collect();
    let lanes = numbers.chunks(share(numbers.len(), options.connections as usize));
    let users = try_join_all(lanes.map(|numbers| async move {
        let mut connection = Connection::new(target);
        let mut users = Vec::with_capacity(numbers.len());
        for &number in numbers {
            users.push(find_user(&mut connection, options.timeout, number.into()).await?);
        }
        anyhow::Ok(users)
    }));
    Ok(users.await?.into_iter().flatten().collect())
}

/// A user with the conversations that the server has.
async fn find_user(connection: &mut Connection, timeout: Duration, id: UserId) -> Result<User> {
    #[derive(Deserialize)]
    struct Inbox {
        data: Vec<Conversation>,
    }

    let answer = connection.get(&request::inbox(&id, 100), timeout).await?;
    let context = || format!("the inbox of user {id}: {answer}");
    ensure!(answer.status == 200, context());
    let inbox: Inbox = serde_json::from_slice(&answer.body).with_context(context)?;
    let contact = |conversation: &Conversation| {
        let other = conversation.participants().iter().find(|user| **user != id);
        other.map(|user| Contact::new(user, conversation.id()))
    };
    let contacts = inbox.data.iter().filter_map(contact).collect();
    Ok(User { id, contacts })
}

/// Sends the first messages.
async fn send_all(
    target: &Target,
    options: &Options,
    letters: &[Letter],
    acknowledged: &Acknowledged,
) -> Result<()> {
    let lanes = letters.chunks(share(letters.len(), options.connections as usize));
    try_join_all(lanes.map(|letters| async move {
        let mut connection = Connection::new(target);
        for letter in letters {
            send(&mut connection, options.timeout, letter, acknowledged).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(())
}

async fn send(
    connection: &mut Connection,
    timeout: Duration,
    letter: &Letter,
    acknowledged: &Acknowledged,
) -> Result<()> {
    let request = connection.target().send(letter.to_json(), None)?;
    let answer = connection
        .request(request, Instant::now() + timeout)
        .await?;
    ensure!(answer.status == 201, "a first message: {answer}");
    acknowledged.note(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strangers(count: u32) -> Population {
        let user = |number: u32| User {
            id: UserId::from(u64::from(number)),
            contacts: Vec::new(),
        };
        Population {
            users: (1..=count).map(user).collect(),
            activity: zipf(count),
        }
    }

    #[test]
    fn everybody_gets_a_contact_and_each_conversation_begins_once() {
        for count in [2, 3, 100] {
            let mut population = strangers(count);
            let letters = population.begin_conversations(1);
            assert!(
                population
                    .users
                    .iter()
                    .all(|user| !user.contacts.is_empty())
            );
            let contacts = population.users.iter().map(|user| user.contacts.len());
            assert_eq!(
                contacts.sum::<usize>(),
                2 * letters.len(),
                "both sides know"
            );
            assert!(population.begin_conversations(1).is_empty());
        }
    }

    #[test]
    fn the_first_user_is_twice_as_active_as_the_second() {
        let mut population = strangers(100);
        population.begin_conversations(1);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let picked: Vec<_> = (0..20_000)
            .map(|_| population.pick(&mut rng).0.id.clone())
            .collect();
        let count = |number: u64| {
            let id = UserId::from(number);
            picked.iter().filter(|user| **user == id).count() as f64
        };
        let ratio = count(1) / count(2);
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
    }
}
