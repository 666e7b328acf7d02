//! A node that asks for a password, goes away, hangs, and comes back. It is a node of this case's
//! own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Completion, Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore};
use messenger_core::{ErrorKind, Outcome, Store, UserId};
use testkit::cassandra::Cluster;

use crate::world::{Pair, Verdict, config, eventually, failed, id, name, runtime, send, views};

pub(crate) fn cases() -> Vec<Trial> {
    vec![Trial::ignorable_test(
        "outage::a_store_says_what_is_wrong_and_recovers_by_itself",
        || {
            let cluster = Cluster::builder()
                .yaml("authenticator: PasswordAuthenticator")
                .commitlog_batch(true)
                .jvm("-XX:TieredStopAtLevel=1")
                .start();
            match cluster {
                Ok(cluster) => runtime()
                    .block_on(play(Arc::new(cluster)))
                    .map(|()| Completion::Completed),
                Err(unavailable) => testkit::trial::verdict(unavailable),
            }
        },
    )]
}

const TIMEOUT: Duration = Duration::from_secs(2);

async fn play(cluster: Arc<Cluster>) -> Verdict {
    let config = config(&cluster.contact_points())
        .with_keyspace(name("outage"))
        .with_request_timeout(TIMEOUT);
    let config = passwords(config).await?;
    CassandraStore::migrate(&config).await.map_err(failed)?;
    let store = CassandraStore::connect(&config).await.map_err(failed)?;
    let pair = Pair {
        one: UserId::new("alice")?,
        two: UserId::new("bob")?,
    };
    let message = pair.message(id(), "before");
    send(&store, &message).await?;

    let node = Arc::clone(&cluster);
    blocking(move || node.node(0).pause()).await?;
    let unsure = pair.message(id(), "while it hangs");
    hangs(&store, &pair, &unsure).await?;
    let node = Arc::clone(&cluster);
    blocking(move || node.node(0).resume()).await?;
    recovers(&store).await?;
    // What was sent while it hung may be applied now, at the same time as this is read.
    eventually("all views agree", async || {
        let shown = views(&store, &unsure).await?;
        Ok(shown == [true; 6] || shown == [false; 6])
    })
    .await?;
    send(&store, &unsure).await?;
    assert_eq!(views(&store, &unsure).await?, [true; 6]);

    let node = Arc::clone(&cluster);
    blocking(move || node.node(0).kill()).await?;
    let refused = pair.message(id(), "while it is away");
    is_away(&store, &pair, &refused).await?;
    let error = CassandraStore::connect(&config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let node = Arc::clone(&cluster);
    blocking(move || node.node(0).start()).await?;
    recovers(&store).await?;
    assert_eq!(views(&store, &refused).await?, [false; 6]);
    send(&store, &refused).await?;
    assert_eq!(views(&store, &refused).await?, [true; 6]);
    let history = store.history(pair.id(), None, 9).await?;
    assert_eq!(history, [refused, unsure, message]);
    Ok(())
}

/// Without a password, with a wrong one, and with the one that a new node has.
async fn passwords(config: CassandraConfig) -> Result<CassandraConfig, Failed> {
    let error = CassandraStore::migrate(&config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(error.message().contains("a user and a password"), "{error}");

    let right = config.clone().with_credentials("cassandra", "cassandra");
    // The node makes its first user some seconds after it has started.
    let mut last = None;
    for _ in 0..60 {
        match CassandraStore::migrate(&right).await {
            Ok(()) => break,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let wrong = config.with_credentials("cassandra", "sesame");
    let error = CassandraStore::connect(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}, {last:?}");
    assert!(error.message().contains("password is wrong"), "{error}");
    assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
    Ok(right)
}

/// Each call ends in time. A send that was on its way may have been applied.
async fn hangs(store: &CassandraStore, pair: &Pair, message: &messenger_core::Message) -> Verdict {
    let started = Instant::now();
    let error = send(store, message).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert_eq!(error.outcome(), Some(Outcome::Unknown), "{error:?}");
    let error = store.inbox(&pair.one, None, 5).await.unwrap_err();
    assert!(
        error.is_retryable() && error.outcome().is_none(),
        "{error:?}"
    );
    assert!(started.elapsed() < 2 * TIMEOUT + Duration::from_secs(1));
    is_not_ready(store, &[ErrorKind::Timeout, ErrorKind::Unavailable]).await
}

/// After a moment each call fails at once, and a send says that it was not applied.
async fn is_away(
    store: &CassandraStore,
    pair: &Pair,
    message: &messenger_core::Message,
) -> Verdict {
    is_not_ready(store, &[ErrorKind::Unavailable]).await?;
    let started = Instant::now();
    let error = send(store, message).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.outcome(), Some(Outcome::NotApplied), "{error:?}");
    let error = store.conversation(pair.id()).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(started.elapsed() < TIMEOUT);
    Ok(())
}

/// The store becomes not ready after some failed looks. (A node that hangs is given up meanwhile.)
async fn is_not_ready(store: &CassandraStore, kinds: &[ErrorKind]) -> Verdict {
    let started = Instant::now();
    loop {
        match store.health().await {
            Err(error) if kinds.contains(&error.kind()) => return Ok(()),
            _ if started.elapsed() > Duration::from_secs(30) => {
                return Err(format!("the store does not become not ready: {kinds:?}").into());
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn recovers(store: &CassandraStore) -> Verdict {
    for _ in 0..3 {
        if eventually("the store is well", async || {
            Ok(store.health().await.is_ok())
        })
        .await
        .is_ok()
        {
            return Ok(());
        }
    }
    Err("the store has not recovered within half a minute".into())
}

async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, testkit::cassandra::Unavailable> + Send + 'static,
) -> Result<T, Failed> {
    tokio::task::spawn_blocking(call).await?.map_err(failed)
}
