//! A fault of the cluster or the configuration is reported at once, with what to change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use messenger_cassandra::{CassandraConfig, CassandraStore, Consistency, Replication};
use messenger_core::{Error, ErrorKind, Store};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session_builder::SessionBuilder;
use scylla_proxy::{Reaction as _, RequestReaction, RequestRule};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::proxy::{self, free_address, looks};
use crate::world::{Verdict, World, case, eventually, id, name, send, views};

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        case("connect::a_node_that_is_not_there", absent),
        case("connect::what_is_no_cassandra", no_cassandra),
        case("connect::what_says_nothing", silent),
        case("connect::a_keyspace_without_tables", no_tables),
        case("connect::an_unknown_datacenter", unknown_datacenter),
        case("connect::too_few_nodes_for_the_replication", too_few_nodes),
        case(
            "connect::a_replication_that_no_majority_can_answer",
            no_majority,
        ),
        case("connect::tables_of_another_program", other_tables),
        case("connect::quorum_works_too", quorum),
        case("connect::a_node_that_hangs_when_asked_for_its_time", hangs),
        case("connect::a_session_of_the_service", own_session),
    ]
}

/// Connecting fails with this kind, in time, and says all of this.
pub(crate) async fn refused(config: &CassandraConfig, kind: ErrorKind, says: &[&str]) -> Verdict {
    let started = Instant::now();
    let error = CassandraStore::connect(config).await.unwrap_err();
    check(&error, kind, says)?;
    if started.elapsed() > Duration::from_secs(11) {
        return Err(format!("it took {:?} to say: {error}", started.elapsed()).into());
    }
    Ok(())
}

pub(crate) fn check(error: &Error, kind: ErrorKind, says: &[&str]) -> Verdict {
    let missing = says.iter().find(|part| !error.message().contains(**part));
    if error.kind() == kind && missing.is_none() {
        return Ok(());
    }
    Err(format!("{kind:?} with {missing:?}, not {error:?}").into())
}

async fn absent(world: World) -> Verdict {
    let address = free_address(9042)?.to_string();
    let config = world.config.clone().with_nodes([address.clone()]);
    refused(
        &config,
        ErrorKind::Unavailable,
        &[&address, "is Cassandra running there"],
    )
    .await?;
    let config = world.config.with_nodes(["no-such-host.invalid"]);
    refused(&config, ErrorKind::Unavailable, &["no-such-host.invalid"]).await
}

/// A listener that answers as a web server would.
async fn no_cassandra(world: World) -> Verdict {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let server = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
            let _ = socket.write_all(answer).await;
            let _ = socket.shutdown().await;
        }
    });
    let config = world.config.with_nodes([address.clone()]);
    let verdict = refused(&config, ErrorKind::Unavailable, &[&address, "CQL", "9042"]).await;
    server.abort();
    verdict
}

/// A listener that takes connections and never answers.
async fn silent(world: World) -> Verdict {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let config = world
        .config
        .with_nodes([address.clone()])
        .with_connect_timeout(Duration::from_secs(1));
    let started = Instant::now();
    let error = CassandraStore::connect(&config).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(error.is_retryable(), "{error:?}");
    assert!(error.message().contains(&address), "{error}");
    Ok(())
}

async fn no_tables(world: World) -> Verdict {
    let config = world.config.with_keyspace("nobody_made_this");
    refused(&config, ErrorKind::Invalid, &["nobody_made_this", "migrat"]).await
}

async fn unknown_datacenter(world: World) -> Verdict {
    let config = world.config.with_datacenter("atlantis");
    refused(&config, ErrorKind::Invalid, &["atlantis", "datacenter1"]).await?;
    let config = config.with_datacenter("datacenter1");
    CassandraStore::connect(&config).await?;

    let config = config
        .with_keyspace(name("k"))
        .with_replication(Replication::in_datacenters([("atlantis", 1)]));
    let error = CassandraStore::migrate(&config).await.unwrap_err();
    check(&error, ErrorKind::Invalid, &["atlantis", "datacenter1"])
}

async fn too_few_nodes(world: World) -> Verdict {
    let config = world
        .config
        .with_keyspace(name("k"))
        .with_replication(Replication::everywhere(9));
    let error = CassandraStore::migrate(&config).await.unwrap_err();
    check(
        &error,
        ErrorKind::Invalid,
        &["9 replicas", "datacenter1", "node(s)"],
    )
}

async fn no_majority(world: World) -> Verdict {
    let keyspace = name("k");
    let session = world.bare().await?;
    let cql = format!(
        "CREATE KEYSPACE {keyspace} WITH replication = \
         {{'class': 'NetworkTopologyStrategy', 'datacenter1': 9}}"
    );
    session.query_unpaged(cql, &[]).await?;
    let config = world.config.with_keyspace(keyspace.clone());
    let verdict = refused(&config, ErrorKind::Invalid, &["9 replicas", "majority"]).await;
    drop_keyspace(&session, &keyspace).await?;
    verdict
}

/// Tables of the right names with other columns.
async fn other_tables(world: World) -> Verdict {
    let keyspace = name("k");
    let session = world.bare().await?;
    for cql in [
        format!(
            "CREATE KEYSPACE {keyspace} WITH replication = \
             {{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}}"
        ),
        format!("CREATE TABLE {keyspace}.messages (id int PRIMARY KEY)"),
    ] {
        session.query_unpaged(cql, &[]).await?;
    }
    let config = world.config.with_keyspace(keyspace.clone());
    let error = CassandraStore::migrate(&config).await.unwrap_err();
    check(
        &error,
        ErrorKind::Invalid,
        &["messages", "another keyspace"],
    )?;
    let verdict = refused(&config, ErrorKind::Invalid, &["tables"]).await;
    drop_keyspace(&session, &keyspace).await?;
    verdict
}

async fn quorum(world: World) -> Verdict {
    let config = world.config.clone().with_consistency(Consistency::Quorum);
    works(&world, &config).await
}

/// All that is lost is what the store asks for its own health; neither that nor the start waits.
async fn hangs(world: World) -> Verdict {
    let lost = RequestRule(looks(), RequestReaction::drop_frame());
    let (_proxy, config) = proxy::start(&world, vec![lost]).await?;
    let started = Instant::now();
    let config = config.with_connect_timeout(Duration::from_secs(5));
    let store = CassandraStore::connect(&config).await?;
    store.health().await?;
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );
    eventually("the store is not ready", async || {
        Ok(store.health().await.is_err())
    })
    .await
}

/// Its profile is not one that a store could use: each statement brings its own.
async fn own_session(world: World) -> Verdict {
    let profile = ExecutionProfile::builder()
        .consistency(scylla::statement::Consistency::Any)
        .build();
    let session = SessionBuilder::new()
        .known_nodes(world.config.nodes())
        .default_execution_profile_handle(profile.into_handle())
        .build()
        .await?;
    let store = CassandraStore::from_session(Arc::new(session), &world.config).await?;
    appends(&world, &store).await
}

pub(crate) async fn works(world: &World, config: &CassandraConfig) -> Verdict {
    let store = CassandraStore::connect(config).await?;
    store.health().await?;
    appends(world, &store).await
}

async fn appends(world: &World, store: &CassandraStore) -> Verdict {
    let message = world.pair_named("works").message(id(), "hello");
    send(store, &message).await?;
    assert_eq!(views(store, &message).await?, [true; 6]);
    Ok(())
}

pub(crate) async fn drop_keyspace(
    session: &scylla::client::session::Session,
    keyspace: &str,
) -> Verdict {
    let cql = format!("DROP KEYSPACE {keyspace}");
    session.query_unpaged(cql, &[]).await?;
    Ok(())
}
