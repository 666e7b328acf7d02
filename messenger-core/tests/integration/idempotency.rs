//! Sends under an idempotency key.

use messenger_core::conformance::tools::{Call, Point};
use messenger_core::{
    Content, Error, ErrorKind, IdempotencyKey, Message, NewMessage, Outcome, Sent,
};
use tokio::task::JoinSet;

use crate::{Pair, SECOND, Server, Tested, everything};

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

async fn send_once(server: &Server, message: NewMessage) -> Result<Sent, Error> {
    server.messenger.send_once(message, key("key")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_sends_once() -> Tested {
    for round in 0..5 {
        let server = Server::new();
        let pair = Pair::new(&format!("alice{round}"), "bob");
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let (messenger, text) = (server.messenger.clone(), pair.text("once")?);
            tasks.spawn(async move { messenger.send_once(text, key("key")).await });
        }
        let sent = tasks.join_all().await;
        let sent = sent.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert!(sent.iter().all(|sent| sent.message == sent.message));
        assert_eq!(sent.iter().filter(|sent| !sent.replayed).count(), 1);
        let history = server.store().history(pair.id(), None, 10).await?;
        assert_eq!(history, [sent[0].message.clone()]);
    }
    Ok(())
}

#[tokio::test]
async fn a_key_with_another_payload_is_refused() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let carol = Pair::new("alice", "carol");
    send_once(&server, pair.text("first")?).await?;
    let before = everything(server.store(), &pair).await?;
    for other in [pair.text("second")?, carol.text("first")?] {
        let error = send_once(&server, other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeyReused);
        assert_eq!(error.outcome(), Some(Outcome::NotApplied));
    }
    assert_eq!(everything(server.store(), &pair).await?, before);
    assert!(server.store().conversation(carol.id()).await?.is_none());
    // The receiver's own key of that name is another one.
    let back = send_once(&server, pair.turned().text("second")?).await?;
    assert!(!back.replayed);
    Ok(())
}

#[tokio::test]
async fn a_send_that_was_cut_off_is_completed_by_the_next() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let (messenger, text) = (server.messenger.clone(), pair.text("once")?);
    let send = async move { messenger.send_once(text, key("key")).await };
    let cut_off = server.gate.start(Call::Put, Point::Before, send).await?;
    cut_off.drop().await;
    assert!(server.store().conversation(pair.id()).await?.is_none());

    server.time.advance(60 * SECOND);
    let meanwhile = server.messenger.send(pair.text("meanwhile")?).await?;
    let sent = send_once(&server, pair.text("once")?).await?;
    assert!(sent.replayed);
    // It keeps the id, and so the place, of the first call.
    assert!(sent.message.id() < meanwhile.id());
    let history = server.store().history(pair.id(), None, 10).await?;
    assert_eq!(history, [meanwhile, sent.message]);
    Ok(())
}

#[tokio::test]
async fn a_replay_returns_the_message_as_it_is_now() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let first = send_once(&server, pair.text("first")?).await?.message;
    let replay = async || {
        server.time.advance(SECOND);
        let sent = send_once(&server, pair.text("first")?).await?;
        assert!(sent.replayed);
        let stored = server.store().message(pair.id(), first.id()).await?;
        assert_eq!(stored, Some(sent.message.clone()));
        let entry = server.store().entry(&pair.two, pair.id()).await?;
        let preview = entry.and_then(|entry| entry.last_message().preview().cloned());
        assert_eq!(
            preview.map(|preview| preview.to_string()),
            sent.message.content().map(Content::to_string)
        );
        Ok::<Message, Error>(sent.message)
    };
    assert_eq!(replay().await?, first);
    let text = Content::new("edited")?;
    let edited = server
        .messenger
        .edit(pair.id(), first.id(), &pair.one, text)
        .await?;
    assert_eq!(replay().await?, edited);
    let unsent = server
        .messenger
        .unsend(pair.id(), first.id(), &pair.one)
        .await?;
    assert_eq!(replay().await?, unsent);
    assert_eq!(unsent.content(), None);
    Ok(())
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "no node can be reached")
}

/// An earlier call with the key may have written the message, so nobody can say that it is not there.
#[tokio::test]
async fn no_failure_of_a_keyed_send_is_called_not_applied() -> Tested {
    let not_applied = || unavailable().with_outcome(Outcome::NotApplied);
    for (call, replayed) in [
        (Call::Reserve, false),
        (Call::Put, false),
        (Call::Put, true),
        (Call::Read, true),
    ] {
        let (server, pair) = (Server::new(), Pair::alice_and_bob());
        if replayed {
            send_once(&server, pair.text("once")?).await?;
        }
        for error in [unavailable(), not_applied()] {
            server.gate.fail(call, Point::Before, error);
            let error = send_once(&server, pair.text("once")?).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert_eq!(
                error.outcome(),
                Some(Outcome::Unknown),
                "{call:?}, {replayed}"
            );
        }
        // Repeating it makes one message of all these calls.
        let sent = send_once(&server, pair.text("once")?).await?;
        let history = server.store().history(pair.id(), None, 10).await?;
        assert_eq!(history, [sent.message]);
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_send_names_the_message_if_it_may_be_there() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    // Without an outcome it is unknown.
    for point in [Point::Before, Point::After] {
        let prepared = server.messenger.prepare(pair.text("hello")?);
        let id = prepared.message().id();
        server.gate.fail(Call::Put, point, unavailable());
        let error = prepared.send().await.unwrap_err();
        assert_eq!(error.outcome(), Some(Outcome::Unknown));
        assert_eq!(error.message_id(), Some(id));
        let there = server.messenger.message(pair.id(), id).await?.is_some();
        assert_eq!(there, point == Point::After);
    }
    let error = unavailable().with_outcome(Outcome::NotApplied);
    server.gate.fail(Call::Put, Point::Before, error);
    let error = server
        .messenger
        .send(pair.text("hello")?)
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), Some(Outcome::NotApplied));
    assert_eq!(error.message_id(), None);
    Ok(())
}
