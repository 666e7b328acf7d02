//! Clients that walk and catch up while others write: nothing is missed. Rule 7.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::conformance::client::{Client, History, Inbox, List};
use crate::conformance::describe::same_list;
use crate::conformance::failure::Checked;
use crate::conformance::fixture::{Fixture, Pair, long_enough};
use crate::conformance::{Failure, views};
use crate::{Content, Limit, Message, Messenger};

const WRITERS: usize = 6;
const ROUNDS: usize = 12;
const LIMITS: [u64; 3] = [1, 3, 100];

/// Returns a messenger over each client of the store, as servers of their own, or the same one if
/// the store has one client.
fn servers(fixture: &Fixture) -> [Messenger; 2] {
    let here = Messenger::new(Arc::clone(&fixture.store));
    if fixture.has_other {
        [here, Messenger::new(Arc::clone(&fixture.other))]
    } else {
        [here.clone(), here]
    }
}

/// Sends, edits, unsends and reads.
async fn write(messenger: Messenger, pair: Pair) -> Checked {
    let mut sent: Vec<Message> = Vec::new();
    for n in 0..ROUNDS {
        let message = messenger.send(pair.text(format!("message {n}"))?).await?;
        if let Some(earlier) = n.checked_sub(2).map(|earlier| &sent[earlier]) {
            let (conversation, id) = (pair.id(), earlier.id());
            if n % 3 == 0 {
                messenger.unsend(conversation, id, &pair.one).await?;
            } else {
                let text = Content::new(format!("edit {n}"))?;
                messenger.edit(conversation, id, &pair.one, text).await?;
            }
            messenger.mark_read(conversation, &pair.two, id).await?;
        }
        sent.push(message);
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Walks and catches up until the writers are done, and then twice: a round that is under way ends,
/// and the next one begins where everything has settled.
async fn follow<L: List>(
    mut client: Client<L>,
    mut done: watch::Receiver<bool>,
) -> Result<Client<L>, Failure> {
    let next = client.open().await?;
    client.walk_while_others_send(next).await?;
    while !*done.borrow_and_update() {
        client.catch_up().await?;
        tokio::task::yield_now().await;
    }
    client.catch_up().await?;
    client.catch_up().await?;
    Ok(client)
}

/// Runs the writers, and meanwhile a client for each limit, server and list. Returns the clients.
async fn write_and_follow<L: List>(
    fixture: &Fixture,
    pairs: &[Pair],
    lists: &[L],
) -> Result<Vec<Client<L>>, Failure> {
    let servers = servers(fixture);
    let (done, is_done) = watch::channel(false);
    let mut followers = Vec::new();
    for list in lists {
        for (n, limit) in LIMITS.into_iter().enumerate() {
            let client = Client::new(&servers[n % 2], list.clone(), Limit::new(limit)?);
            followers.push(tokio::spawn(follow(client, is_done.clone())));
        }
    }
    let mut writers = JoinSet::new();
    for (n, pair) in pairs.iter().enumerate() {
        writers.spawn(write(servers[n % 2].clone(), pair.clone()));
    }
    while let Some(written) = writers.join_next().await {
        written??;
    }
    if fixture.has_other {
        tokio::time::sleep(long_enough(&*fixture.store)).await;
    }
    // The followers may have failed and be gone; then they say why.
    let _ = done.send(true);
    let clients = try_join_all(followers).await?;
    clients.into_iter().collect()
}

pub(super) async fn catching_up_with_a_history_is_complete_under_concurrent_writes(
    fixture: &Fixture,
) -> Checked {
    let pair = fixture.pair()?;
    let pairs: Vec<_> = [pair.clone(), pair.turned()]
        .into_iter()
        .cycle()
        .take(WRITERS)
        .collect();
    let clients = write_and_follow(fixture, &pairs, &[History(pair.id())]).await?;
    let mut expected = views::whole_history(&*fixture.store, pair.id(), 100).await?;
    expected.reverse();
    for client in clients {
        let got: Vec<_> = client.items().cloned().collect();
        let what = format!(
            "a history followed by `prev`, {} at a time,",
            client.limit()
        );
        same_list(&what, &got, &expected)?;
    }
    Ok(())
}

pub(super) async fn catching_up_with_an_inbox_is_complete_under_concurrent_writes(
    fixture: &Fixture,
) -> Checked {
    let alice = fixture.user("alice")?;
    let pairs = fixture.pairs_of(&alice, WRITERS)?;
    let friend = fixture.nth_user("friend", 0)?;
    let lists = [Inbox(alice), Inbox(friend)];
    let clients = write_and_follow(fixture, &pairs, &lists).await?;
    for client in clients {
        let user = &client.list().0;
        let expected = views::whole_inbox(&*fixture.store, user, 100).await?;
        let mut got: Vec<_> = client.items().cloned().collect();
        got.sort_by_key(|entry| std::cmp::Reverse(entry.place()));
        let what = format!("an inbox followed by `prev`, {} at a time,", client.limit());
        same_list(&what, &got, &expected)?;
    }
    Ok(())
}

/// A send whose future was dropped may become visible later. A client that reads on meanwhile must
/// find it then.
pub(super) async fn a_dropped_send_that_becomes_visible_is_found(fixture: &Fixture) -> Checked {
    const SENDS: usize = 24;
    let [messenger, _] = servers(fixture);
    let pair = fixture.pair()?;
    let mut client = Client::new(&messenger, History(pair.id()), Limit::new(3)?);
    client.open().await?;
    for n in 0..SENDS {
        let dropped = pair.text(format!("dropped {n}"))?;
        // Far enough for the store to have begun it, in some of the rounds.
        let mut send = Box::pin(messenger.send(dropped));
        for poll in 0..n % 8 {
            if (&mut send).now_or_never().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_micros(100 << poll)).await;
        }
        drop(send);
        messenger.send(pair.text(format!("kept {n}"))?).await?;
        client.catch_up().await?;
    }
    tokio::time::sleep(long_enough(&*fixture.store)).await;
    client.catch_up().await?;
    client.catch_up().await?;
    let mut expected = views::whole_history(&*fixture.store, pair.id(), 100).await?;
    expected.reverse();
    let got: Vec<_> = client.items().cloned().collect();
    same_list(
        "a history followed by `prev`, after dropped sends,",
        &got,
        &expected,
    )
}
