//! What a page reads, as the node itself says: rows and tombstones stay within a small constant of
//! the page, however much there is beside it.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use messenger_cassandra::CassandraStore;
use messenger_core::{Order, Position, Slice, Store};
use scylla::client::session::Session;
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;

use crate::world::{EPOCH, Pair, Verdict, World, case, id_ago};

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        case("cost::of_a_page_of_a_history", history),
        case("cost::of_a_page_of_an_inbox", inbox),
    ]
}

const LIMIT: usize = 10;

/// What the requests of a call read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cost {
    requests: u64,
    rows: u64,
    tombstones: u64,
}

/// A store whose requests are traced, and the traces.
struct Traced {
    store: CassandraStore,
    session: Session,
}

impl Traced {
    async fn new(world: &World) -> Result<Self, Failed> {
        let config = world.config.clone().with_query_tracing(true);
        Ok(Self {
            store: CassandraStore::connect(&config).await?,
            session: world.bare().await?,
        })
    }

    /// The cost of all requests that named this value so far.
    async fn cost_of(&self, value: &str) -> Result<Cost, Failed> {
        // Traces are written a moment later; so it is over when no more come.
        let mut last = self.cost_now(value).await?;
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = self.cost_now(value).await?;
            if now == last && now.requests > 0 {
                return Ok(now);
            }
            last = now;
        }
        Err(format!("the traces do not come to an end: {last:?}").into())
    }

    async fn cost_now(&self, value: &str) -> Result<Cost, Failed> {
        let cql = "SELECT session_id, parameters FROM system_traces.sessions";
        let sessions = self.session.query_unpaged(at_one(cql), &[]).await?;
        let sessions = sessions.into_rows_result()?;
        let mut cost = Cost::default();
        type Row = (
            uuid::Uuid,
            Option<std::collections::HashMap<String, String>>,
        );
        for row in sessions.rows::<Row>()? {
            let (session, parameters) = row?;
            let names = |text: &String| text.contains(value);
            if !parameters.is_some_and(|parameters| parameters.values().any(names)) {
                continue;
            }
            cost.requests += 1;
            let cql = "SELECT activity FROM system_traces.events WHERE session_id = ?";
            let events = self.session.query_unpaged(at_one(cql), (session,)).await?;
            for event in events.into_rows_result()?.rows::<(String,)>()? {
                // "Read 11 live rows and 0 tombstone cells"
                let words: Vec<String> = event?.0.split(' ').map(str::to_owned).collect();
                let number = |n: usize| words.get(n).and_then(|word| word.parse::<u64>().ok());
                if words[0] == "Read"
                    && let (Some(rows), Some(tombstones)) = (number(1), number(5))
                {
                    cost.rows += rows;
                    cost.tombstones += tombstones;
                }
            }
        }
        Ok(cost)
    }
}

/// Traces have two replicas, also where there is one node.
fn at_one(cql: &str) -> Statement {
    let mut statement = Statement::new(cql);
    statement.set_consistency(Consistency::One);
    statement
}

fn newest_below(below: Position) -> Slice {
    Slice {
        below: Some(below),
        ..Slice::newest(LIMIT)
    }
}

/// A hundred messages in each of twelve buckets: every page costs the same two requests.
async fn history(world: World) -> Verdict {
    let pair = world.pair();
    let day = Duration::from_secs(24 * 3600);
    for bucket in 0..12 {
        let appends = (0..100).map(|n| {
            let ago = day * 10 * bucket + Duration::from_secs(3600 + n);
            let message = pair.message(id_ago(ago), "hello");
            let store = world.store.clone();
            async move { store.append(&message).await }
        });
        futures_util::future::try_join_all(appends).await?;
    }
    let traced = Traced::new(&world).await?;
    let mut before = Cost::default();
    for ago in [Duration::ZERO, day * 5, day * 95] {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let position = Position::from(id_ago(ago));
            let slice = match order {
                Order::NewestFirst => newest_below(position),
                Order::OldestFirst => Slice {
                    above: Some(Position::from(id_ago(ago + day * 20))),
                    order,
                    ..Slice::newest(LIMIT)
                },
            };
            let page = traced.store.history(pair.id(), slice).await?;
            assert_eq!(page.len(), LIMIT);
            let total = traced.cost_of(&pair.id().to_string()).await?;
            let rows = total.rows - before.rows;
            let requests = total.requests - before.requests;
            // The names of at most 16 buckets, and what the page holds; the bound may lie behind
            // the last message of its bucket.
            if rows > 16 + 3 * LIMIT as u64 || requests > 4 || total.tombstones > 0 {
                return Err(format!("{ago:?}, {order:?}: {before:?}, then {total:?}").into());
            }
            before = total;
        }
    }
    Ok(())
}

/// Three hundred conversations over fifty epochs, each of which has moved four times.
async fn inbox(world: World) -> Verdict {
    let user = world.user("alice");
    for round in (0..5_u32).rev() {
        for some in (0..300_u32).collect::<Vec<_>>().chunks(50) {
            let appends = some.iter().map(|&n| {
                let pair = Pair {
                    one: user.clone(),
                    two: world.user(&format!("other{n}")),
                };
                let message = pair.message(id_ago(EPOCH * (n % 50 + 60 * round)), "hello");
                let store = world.store.clone();
                async move { store.append(&message).await }
            });
            futures_util::future::try_join_all(appends).await?;
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let traced = Traced::new(&world).await?;
    let mut before = Cost::default();
    for ago in [0, 10, 30] {
        let below = Position::from(id_ago(EPOCH * ago));
        let page = traced.store.inbox(&user, newest_below(below)).await?;
        assert_eq!(page.len(), LIMIT);
        let total = traced.cost_of(user.as_str()).await?;
        let (rows, requests) = (total.rows - before.rows, total.requests - before.requests);
        // Nominating rows and heads: of the page, and of the rest of the epochs that it touches.
        if rows > 8 * LIMIT as u64 || requests > 4 || total.tombstones > before.tombstones {
            return Err(format!("{ago} epochs ago: {before:?}, then {total:?}").into());
        }
        before = total;
    }
    Ok(())
}
