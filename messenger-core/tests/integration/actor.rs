//! The permissions of an actor, and the reads that checking them costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::{FutureExt as _, TryStreamExt as _};
use messenger_core::conformance::access;
use messenger_core::store::{Wrap, Wrapped};
use messenger_core::{
    Action, Content, Conversation, ConversationId, Decision, ErrorKind, HistoryQuery, InboxQuery,
    Messenger, MessengerOptions, Outcome, Policy, Store, UserId,
};
use messenger_memory::MemoryStore;

use super::{Pair, Server, Tested, everything};

#[tokio::test]
async fn the_access_suite_passes() -> Tested {
    let messenger = Messenger::new(MemoryStore::new());
    access::check(&messenger, &messenger).await
}

#[tokio::test]
async fn an_actor_sends_as_itself_only() -> Tested {
    let server = Server::new();
    let pair = Pair::alice_and_bob();
    let alice = server.messenger.acting_as(pair.one.clone());

    let sent = alice.send(pair.two.clone(), "Hello".parse()?).await?;
    assert_eq!(sent.sender_id(), &pair.one);
    let error = alice.send(pair.one.clone(), "Me".parse()?).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);

    let key = "k".parse()?;
    let once = alice
        .send_once(pair.two.clone(), "Once".parse()?, key)
        .await?;
    let key = "k".parse()?;
    let again = alice
        .send_once(pair.two.clone(), "Once".parse()?, key)
        .await?;
    assert_eq!((once.message, true), (again.message, again.replayed));
    Ok(())
}

#[tokio::test]
async fn whole_lists_end_at_once_for_a_stranger() -> Tested {
    let server = Server::new();
    let pair = Pair::alice_and_bob();
    server.send(&pair, 3).await?;
    let eve = server.messenger.acting_as(UserId::new("eve")?);
    let messages: Result<Vec<_>, _> = eve.history_stream(pair.id()).try_collect().await;
    assert_eq!(messages.unwrap_err().kind(), ErrorKind::NotFound);
    let entries: Vec<_> = eve.inbox_stream().try_collect().await?;
    assert!(entries.is_empty());
    let bob = server.messenger.acting_as(pair.two.clone());
    let messages: Vec<_> = bob.history_stream(pair.id()).try_collect().await?;
    assert_eq!(messages.len(), 3);
    Ok(())
}

/// Counts the reads of conversations.
#[derive(Debug)]
struct Counted(MemoryStore, Arc<AtomicUsize>);

#[async_trait]
impl Wrap for Counted {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    async fn conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, messenger_core::Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.conversation(id).await
    }
}

#[tokio::test]
async fn authorization_reads_nothing_that_is_known() -> Tested {
    let reads = Arc::new(AtomicUsize::new(0));
    let store = Arc::new(Wrapped(Counted(MemoryStore::new(), Arc::clone(&reads))));
    let messenger = Messenger::new(Arc::clone(&store));
    let pair = Pair::alice_and_bob();
    let (alice, bob) = (
        messenger.acting_as(pair.one.clone()),
        messenger.acting_as(pair.two.clone()),
    );

    let sent = alice.send(pair.two.clone(), "Hello".parse()?).await?;
    alice.edit(pair.id(), sent.id(), "Hello!".parse()?).await?;
    bob.message(pair.id(), sent.id()).await?;
    bob.mark_read(pair.id(), sent.id()).await?;
    bob.inbox(InboxQuery::new()).await?;
    let query = HistoryQuery::new();
    let page = bob.history(pair.id(), query).await?;
    // An idle poll returns an empty page, which names nobody.
    let mut prev = page.prev;
    for _ in 0..3 {
        prev = bob.history(pair.id(), query.with_cursor(prev)).await?.prev;
    }
    assert_eq!(reads.load(Ordering::Relaxed), 0);

    // Whoever takes no part is told so without a read, too.
    let eve = messenger.acting_as(UserId::new("eve")?);
    let error = eve.history(pair.id(), query.with_cursor(prev)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(reads.load(Ordering::Relaxed), 0);

    // Another process does not know it yet, and reads the conversation once.
    let (bob, conversation) = (Messenger::new(store).acting_as(pair.two.clone()), pair.id());
    for _ in 0..3 {
        bob.history(conversation, query.with_cursor(prev)).await?;
    }
    assert_eq!(reads.load(Ordering::Relaxed), 1);
    Ok(())
}

/// A policy that a test turns on and off, and that can fail.
#[derive(Clone, Debug, Default)]
struct Switch {
    denies: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
}

#[async_trait]
impl Policy for Switch {
    async fn decide(
        &self,
        user: &UserId,
        action: Action<'_>,
    ) -> Result<Decision, Box<dyn std::error::Error + Send + Sync>> {
        let pair = Pair::alice_and_bob();
        assert_eq!(user, &pair.one, "asked about {action:?}");
        assert_eq!(action.conversation_id(user), pair.id());
        if self.fails.load(Ordering::Relaxed) {
            return Err("the block list is gone".into());
        }
        Ok(match self.denies.load(Ordering::Relaxed) {
            true => Decision::Deny,
            false => Decision::Allow,
        })
    }
}

#[tokio::test]
async fn a_policy_refuses_each_kind_of_write_and_nothing_is_written() -> Tested {
    let policy = Switch::default();
    let options = MessengerOptions::new().with_policy(policy.clone());
    let server = Server::with_options(&Arc::new(MemoryStore::new()), options);
    let pair = Pair::alice_and_bob();
    let alice = server.messenger.acting_as(pair.one.clone());
    let bob = pair.two.clone();
    let content = || "Hello".parse::<Content>();
    let sent = alice.send(bob.clone(), content()?).await?;
    // Bob's message, which alice may mark as read.
    let answer = server.messenger.send(pair.turned().text("Hi")?).await?;
    let before = everything(server.store(), &pair).await?;

    for (denies, kind) in [
        (true, ErrorKind::NotAllowed),
        (false, ErrorKind::Unavailable),
    ] {
        policy.denies.store(denies, Ordering::Relaxed);
        policy.fails.store(!denies, Ordering::Relaxed);
        let errors = [
            alice.send(bob.clone(), content()?).await.unwrap_err(),
            alice
                .send_once(bob.clone(), content()?, "k".parse()?)
                .await
                .unwrap_err(),
            alice.prepare(bob.clone(), content()?).await.unwrap_err(),
            alice
                .edit(pair.id(), sent.id(), "Hello!".parse()?)
                .await
                .unwrap_err(),
            alice.unsend(pair.id(), sent.id()).await.unwrap_err(),
            alice.mark_read(pair.id(), answer.id()).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(
                (error.kind(), error.outcome()),
                (kind, Some(Outcome::NotApplied))
            );
        }
    }
    assert!(before == everything(server.store(), &pair).await?);

    // The trusted calls do not ask it, and reads are not writes.
    server.messenger.send(pair.text("Hello")?).await?;
    alice.history(pair.id(), HistoryQuery::new()).await?;
    policy.fails.store(false, Ordering::Relaxed);
    alice.edit(pair.id(), sent.id(), "Hello!".parse()?).await?;
    Ok(())
}

/// A policy that never decides.
#[derive(Debug)]
struct Undecided;

#[async_trait]
impl Policy for Undecided {
    async fn decide(
        &self,
        _: &UserId,
        _: Action<'_>,
    ) -> Result<Decision, Box<dyn std::error::Error + Send + Sync>> {
        std::future::pending().await
    }
}

/// A send that waits for the policy has no log key yet, which a reader could not pass.
#[tokio::test]
async fn a_policy_that_takes_its_time_holds_back_no_reader() -> Tested {
    let options = MessengerOptions::new().with_policy(Undecided);
    let server = Server::with_options(&Arc::new(MemoryStore::new()), options);
    let pair = Pair::alice_and_bob();
    let alice = server.messenger.acting_as(pair.one.clone());
    let mut waiting = Box::pin(alice.send(pair.two.clone(), "Hello".parse()?));
    assert!((&mut waiting).now_or_never().is_none());

    let answer = server.messenger.send(pair.turned().text("Hi")?).await?;
    let history = |query| server.messenger.history(pair.id(), query);
    let mut page = history(HistoryQuery::new()).await?;
    assert_eq!(page.items, [answer]);
    for _ in 0..3 {
        page = history(HistoryQuery::new().with_cursor(page.prev)).await?;
        assert!(page.items.is_empty(), "read again: {page:?}");
    }
    Ok(())
}
